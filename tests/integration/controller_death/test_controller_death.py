# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of ours never outlives its controller, and its live lines arrive at once: with a real ansible-playbook.

The program is ``$ANSIBLE_PLAYBOOK``, else the one beside the Python that runs the tests. The figures are printed
(``pytest -s``).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
REGIONS = ("us_west_2", "us_east_1")
TOKEN = "planted-" + uuid.uuid4().hex
# What is promised to users; see the layers in docs/architecture.md.
LEFT_AFTER_S = 2.0
LINE_AFTER_S = 0.5


def as_at_a_terminal() -> None:
    """Let signals do what they do at a terminal: nohup and background jobs of scripts leave some of them ignored."""
    for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)


@dataclass
class Run:
    """A running ansible-playbook, its folder and what it has printed on stderr, each line with its time of arrival."""

    process: subprocess.Popen[str]
    folder: Path
    marker: bytes
    arrived: list[tuple[float, str]] = field(default_factory=list)
    reader: threading.Thread | None = None

    def follow(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.arrived.append((time.time(), line))

    def live(self) -> list[tuple[float, str]]:
        return [(at, line) for at, line in self.arrived if "written" in line]

    def ours(self) -> list[int]:
        """Every process that carries this run's marker in its environment or arguments, ansible-playbook included."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.marker in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found

    def last_beat(self) -> float:
        return max(float((self.folder / f"{region}.beats").read_text().split()[-1]) for region in REGIONS)


@pytest.fixture(params=["forked", "interpreter"])
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Run]]:
    """Starts the playbook; at the end of the test every process of that run is ended, by its id.

    Both ways of running a module: in a fork of the worker, and in an interpreter that Ansible starts by two shells.
    """
    runs: list[Run] = []

    def begin(seconds: float, deaf: bool = False) -> Run:
        marker = f"tars-death-{uuid.uuid4().hex}"
        inventory = tmp_path / "hosts.yml"
        hosts = {region: {} for region in REGIONS}
        group_vars = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        inventory.write_text(json.dumps({"regions": {"hosts": hosts, "vars": group_vars}}))
        extra = {"folder": str(tmp_path), "seconds": seconds, "deaf": deaf, "token": TOKEN}
        # The token must not stand in the process list because of the test itself.
        (tmp_path / "ansible.cfg").touch()
        (tmp_path / "extra.json").write_text(json.dumps(extra))
        environment = os.environ | {
            "ANSIBLE_COLLECTIONS_PATH": collections_path(),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_STDOUT_CALLBACK": "one_document",
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local_tmp"),
            "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote_tmp"),
            # An empty one: neither the checkout's settings nor the user's.
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "TARS_DEATH_MARKER": marker,
            "TARS_DEATH_WAY": request.param,
        }
        command = [program(), "-i", str(inventory), str(HERE / "playbook.yml"), "-e", f"@{tmp_path / 'extra.json'}"]
        process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=as_at_a_terminal,
        )
        run = Run(process, tmp_path, marker.encode())
        run.reader = threading.Thread(target=run.follow, daemon=True)
        run.reader.start()
        runs.append(run)
        return run

    yield begin
    for run in runs:
        for pid in run.ours():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.process.wait(10)


def program() -> str:
    return os.environ.get("ANSIBLE_PLAYBOOK") or str(Path(sys.executable).with_name("ansible-playbook"))


def collections_path() -> str:
    """Where this very collection is found: through the checkout's link, or as a real collection folder."""
    link = CHECKOUT / ".ansible" / "collections"
    return str(link if link.is_dir() else CHECKOUT.parents[2])


def wait_until(what: str, ready: Callable[[], bool], budget: float = 60) -> float:
    """Poll until it is so; gives the seconds it took."""
    begin = time.monotonic()
    while not ready():
        assert time.monotonic() - begin < budget, f"{what}: not within {budget} s"
        time.sleep(0.02)
    return time.monotonic() - begin


def both_wait(run: Run) -> None:
    """Both modules are at work: each has shown its line and beats."""
    wait_until("a live line of each region", lambda: len(run.live()) >= len(REGIONS) or run.process.poll() is not None)
    assert run.process.poll() is None, run.arrived


def none_left(run: Run, since: float) -> float:
    """Seconds from ``since`` (monotonic) until no process of the run was left."""
    wait_until("no process left", lambda: not any(map(alive, run.ours())), 10)
    return time.monotonic() - since


def alive(pid: int) -> bool:
    """A dead child that nobody waited for is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_process_outlives_the_controller(start: Callable[..., Run], signum: signal.Signals) -> None:
    run = start(seconds=60)
    both_wait(run)
    assert len(run.ours()) > 2 * len(REGIONS), "the marker does not find the shells and modules"
    began, at = time.monotonic(), time.time()
    run.process.send_signal(signum)
    took = none_left(run, began)
    beat = run.last_beat() - at
    print(f"\n{signum.name}: last beat {beat:+.3f} s, no process left after {took:.3f} s")
    assert took < LEFT_AFTER_S
    assert beat < LEFT_AFTER_S


def test_a_module_that_does_not_listen_is_ended_by_force(start: Callable[..., Run]) -> None:
    run = start(seconds=60, deaf=True)
    both_wait(run)
    began = time.monotonic()
    run.process.kill()
    took = none_left(run, began)
    print(f"\ndeaf module: no process left after {took:.3f} s")
    assert took < LEFT_AFTER_S


def test_a_module_ends_when_only_its_worker_is_killed(start: Callable[..., Run]) -> None:
    """The OOM killer takes one process: no signal is passed on, the broken pipe alone tells the module."""
    run = start(seconds=60)
    both_wait(run)
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    workers = [int(pid) for pid in children]
    assert len(workers) == len(REGIONS)
    began = time.monotonic()
    for pid in workers:
        # ansible-playbook may notice the first and end the second one itself.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    family = {run.process.pid, *workers}
    took = wait_until("modules and shells gone", lambda: not set(run.ours()) - family, 10)
    print(f"\nworkers killed: no module left after {took:.3f} s")
    assert time.monotonic() - began < LEFT_AFTER_S


def test_live_lines_come_at_once_on_stderr_and_stdout_stays_clean(start: Callable[..., Run]) -> None:
    run = start(seconds=1.5)
    assert run.process.stdout is not None
    stdout = run.process.stdout.read()
    assert run.process.wait(60) == 0, run.arrived
    assert run.reader is not None
    run.reader.join(10)
    hosts = json.loads(stdout)["hosts"]
    assert set(hosts) == set(REGIONS)
    assert all(result["attempts"] > 10 for result in hosts.values())
    delays = []
    for at, line in run.live():
        written = re.search(r"written ([0-9.]+)", line)
        assert written, line
        delays.append(at - float(written[1]))
    print(f"\nlive lines: {len(delays)}, delay {min(delays):.3f} to {max(delays):.3f} s")
    assert len(delays) == 2 * len(REGIONS)
    assert max(delays) < LINE_AFTER_S
    shown = "".join(line for _at, line in run.arrived)
    assert re.search(r"^us_west_2 wait\[1\]  probe  written [0-9.]+  DONE$", shown, re.MULTILINE)
    assert TOKEN not in stdout + shown
    assert not list((run.folder / "local_tmp").glob("*/tars-progress-*")), "a progress file was left behind"


# Says what helm says of a release, and takes a minute for the upgrade.
HELM = """#!/bin/sh
case "$1" in
  history) echo '[{"revision": 4, "status": "deployed", "updated": "2026-01-31T12:00:00Z", "chart": "tars-1.0.0"}]' ;;
  get) echo '{}' ;;
  show) printf 'name: tars\\nversion: 1.0.0\\n' ;;
  upgrade) echo $$ > "$0.pid"; exec sleep 60 ;;
esac
"""
UPGRADE = {"name": "tars", "namespace": "ns", "chart_ref": "x", "values": {"a": 1}, "binary_path": "{{ helm }}"}
# What Python reads when it starts is nothing for a fork.
WAYS = {"forked": {}, "interpreter": {"PYTHONDONTWRITEBYTECODE": "1"}}


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("way", WAYS)
def test_helm_ends_with_the_controller(tmp_path: Path, signum: signal.Signals, way: str) -> None:
    helm, pid = tmp_path / "helm", tmp_path / "helm.pid"
    helm.write_text(HELM)
    helm.chmod(0o700)
    task = {"name": "Upgrade", "tars.rollout.helm_upgrade": UPGRADE, "environment": WAYS[way]}
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    (tmp_path / "ansible.cfg").touch()
    hosts = {"all": {"hosts": {"localhost": {"ansible_connection": "local",
             "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}}}  # fmt: skip
    (tmp_path / "hosts.yml").write_text(json.dumps(hosts))
    env = {
        **os.environ, "ANSIBLE_COLLECTIONS_PATH": collections_path(), "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"), "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
    }  # fmt: skip
    words = [program(), "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml"), "-e", f"helm={helm}"]
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.Popen(
            words, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=as_at_a_terminal,
        )  # fmt: skip
    try:
        wait_until("helm to begin", lambda: pid.exists() and pid.read_text().strip() != "")
        helm_pid = int(pid.read_text())
        process.send_signal(signum)
        killed = time.monotonic()
        gone = wait_until("helm to end", lambda: not Path(f"/proc/{helm_pid}").exists(), 10)
        print(f"{way}, {signum.name}: helm ended {gone:.2f} s after the signal")
        assert time.monotonic() - killed < LEFT_AFTER_S + 1, (tmp_path / "out").read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
