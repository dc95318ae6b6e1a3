# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs, jobs and daemons: real processes, ended and explained."""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tarslab import daemons, environment, jobs, proc, state
from tarslab.errors import LabError
from tarslab.forward import listen, place
from tarslab.jobs import Job

LAB = Path(__file__).resolve().parents[2] / "lab"


def test_failed_program_says_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    proc.run(["sh", "-c", "echo before"], log=log)
    with pytest.raises(proc.CommandError) as caught:
        proc.run(["sh", "-c", "echo cause >&2; exit 3"], log=log)
    assert caught.value.code == 3
    assert "cause" in str(caught.value) and str(log) in str(caught.value)
    assert "before" not in caught.value.output


def test_missing_program_and_time_out() -> None:
    with pytest.raises(LabError, match="no-such-program is not there"):
        proc.run(["no-such-program"])
    start = time.monotonic()
    with pytest.raises(LabError, match="had not ended after 0 s"):
        proc.run(["sh", "-c", "sleep 60 & wait"], timeout=0.3)
    assert time.monotonic() - start < 5


def test_jobs_wait_for_what_they_need() -> None:
    order: list[str] = []
    ready = threading.Event()

    def first() -> None:
        order.append("first")
        ready.set()

    def slow() -> None:
        ready.wait(5)
        order.append("slow")

    # The one that needs the others comes first in the list.
    jobs.run_all([Job("last", lambda: order.append("last"), ("first", "slow")), Job("slow", slow), Job("first", first)])
    assert order == ["first", "slow", "last"]


def test_first_failure_ends_the_other_jobs() -> None:
    # In a process of its own: a stopped program must stay stopped for the rest of that process's life.
    code = (
        "from tarslab import jobs, proc; from tarslab.errors import LabError\n"
        "def bad():\n    raise LabError('the cause')\n"
        "try:\n"
        "    jobs.run_all([jobs.Job('long', lambda: proc.run(['sleep', '60'])), jobs.Job('bad', bad)])\n"
        "except LabError as error:\n    print(error)\n"
    )
    start = time.monotonic()
    environment = {"PYTHONPATH": str(LAB)}
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30, env=environment
    )
    assert done.stdout == "the cause\n", done.stderr
    assert time.monotonic() - start < 10


def test_daemon_is_found_by_pid_and_start_time(tmp_path: Path) -> None:
    note = tmp_path / "sleeper.json"
    pid = daemons.start(note, ["sleep", "60"], tmp_path / "log")
    assert daemons.alive(note) == pid
    known = note.read_text()
    note.write_text(known.replace('"started": ', '"started": 1'))
    assert daemons.alive(note) is None
    # A process that is not ours any more is left alone.
    daemons.stop(note)
    assert daemons.started_at(pid) is not None
    note.write_text(known)
    daemons.stop(note)
    assert daemons.started_at(pid) is None
    assert not note.exists()


def test_daemon_that_dies_shows_its_log(tmp_path: Path) -> None:
    note = tmp_path / "dying.json"
    daemons.start(note, ["sh", "-c", "echo no such device; exit 1"], tmp_path / "log")
    with pytest.raises(LabError, match=r"dying ended right after its start.*\n.*no such device"):
        daemons.wait_until(None, note, ["false"], tmp_path / "log", 10)


def test_forwarder_names_the_taken_port() -> None:
    (taken,) = listen([0])
    port = taken.getsockname()[1]
    with taken, pytest.raises(LabError, match=f"127.0.0.1:{port}"):
        listen([port])


def test_exports_survive_a_shell() -> None:
    value = 'it\'s $HOME; "x" `id`'
    script = environment.exports({"LAB_X": value}) + '\nprintf %s "$LAB_X"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == value


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "lab").symlink_to(LAB)
    return tmp_path


def test_regions_are_added_and_never_taken_away(checkout: Path) -> None:
    lab = state.open_lab(checkout)
    state.widen(lab, None, None, None)
    assert lab.regions == ["staging", "us_west_2", "us_east_1"]
    state.widen(lab, ["eu_west_1"], None, None)
    state.remember(lab)
    again = state.open_lab(checkout)
    state.widen(again, None, None, None)
    assert again.regions == ["staging", "us_west_2", "us_east_1", "eu_west_1"]


def test_small_lab_has_what_was_asked_for_alone(checkout: Path) -> None:
    lab = state.open_lab(checkout)
    state.widen(lab, ["staging"], state.listed("worker, api"), 3)
    assert (lab.regions, lab.services, lab.nodes) == (["staging"], ["api", "worker"], 3)
    with pytest.raises(LabError, match="no region mars"):
        state.widen(lab, ["mars"], None, None)


def test_secrets_are_kept(checkout: Path) -> None:
    lab = state.open_lab(checkout)
    made = lab.secret("postgres")
    assert state.open_lab(checkout).secret("postgres") == made
    assert (lab.paths.state / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_every_command_has_help() -> None:
    from tarslab import cli

    parser = cli._parser()
    assert isinstance(parser, argparse.ArgumentParser)
    for command in ("up", "down", "status", "env", "load", "release"):
        with pytest.raises(SystemExit) as caught:
            parser.parse_args([command, "--help"])
        assert caught.value.code == 0


def test_a_connection_goes_to_the_node_once_its_address_is_known(tmp_path: Path) -> None:
    note = tmp_path / "node"
    gateway, api_server = place(20001, 30080, note), place(20000, 0, note)
    assert gateway() == ("127.0.0.1", 20001)
    note.write_text("172.18.0.2\n")
    assert (gateway(), api_server()) == (("172.18.0.2", 30080), ("127.0.0.1", 20000))
