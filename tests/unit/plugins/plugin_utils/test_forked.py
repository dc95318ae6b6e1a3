# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module in a fork: it is a process like the one that Ansible would have started, and leaves nothing in this one."""

from __future__ import annotations

import atexit
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.plugin_utils import _forked

SPEC: dict[str, Any] = {"text": {"type": "str", "required": True}, "secret": {"type": "str", "no_log": True}}


def start(main: Any, environment: dict[str, Any] | None = None, folder: str = "/", **arguments: Any) -> dict[str, Any]:
    name = "some_module_with_a_name"
    return _forked.run(_forked.Start(name, main, _forked.encode(arguments), environment or {}, folder))


def run(main: Any, environment: dict[str, Any] | None = None, folder: str = "/", **arguments: Any) -> dict[str, Any]:
    said = start(main, environment, folder, **arguments)
    assert said["stderr"] == "" and said["rc"] == 0, said
    answer: dict[str, Any] = json.loads(said["stdout"])
    return answer


def test_arguments_environment_and_warnings_are_those_of_the_module() -> None:
    def main() -> None:
        module = AnsibleModule(argument_spec=SPEC)
        module.warn("mind this")
        name = Path("/proc/self/comm").read_text().strip() if sys.platform == "linux" else "some_module_wit"
        seen = {"got": module.params["text"], "seen": os.environ["TARS_TEST"], "pid": os.getpid(), "name": name}
        module.exit_json(changed=True, **seen)

    answer = run(main, {"TARS_TEST": "x"}, text="naïve", secret="planted")
    assert answer["got"] == "naïve" and answer["seen"] == "x"
    assert "mind this" in json.dumps(answer["warnings"])
    assert answer["pid"] != os.getpid() and "TARS_TEST" not in os.environ
    assert answer["name"] == "some_module_wit" and "planted" not in json.dumps(answer)


def test_a_wrong_argument_is_the_modules_own_failure() -> None:
    said = start(lambda: AnsibleModule(argument_spec=SPEC))
    assert said["rc"] == 1 and json.loads(said["stdout"])["msg"] == "missing required arguments: text"


def test_what_is_larger_than_a_pipe_arrives_whole() -> None:
    size = 3_000_000
    assert len(run(lambda: AnsibleModule(argument_spec=SPEC).exit_json(big="y" * size), text="x")["big"]) == size


def test_an_exception_is_told_and_is_no_result() -> None:
    said = start(lambda: 1 // 0)
    assert said["rc"] == 1 and said["stdout"] == "" and "ZeroDivisionError" in said["stderr"]


def test_a_signal_ends_it_and_not_the_worker() -> None:
    said = start(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert said["rc"] == -signal.SIGTERM


def test_a_program_that_stays_is_not_waited_for(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def main() -> None:
        note.write_text(str(subprocess.Popen(["sleep", "30"]).pid))
        print("{}")

    began = time.monotonic()
    try:
        assert run(main) == {}
        assert time.monotonic() - began < 10
    finally:
        os.kill(int(note.read_text()), signal.SIGKILL)


def test_only_what_the_module_itself_registered_happens_at_its_end(tmp_path: Path) -> None:
    """A Kubernetes client removes the files of its keys then; Ansible's own folder must stay."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.touch()
    atexit.register(theirs.unlink)
    try:

        def main() -> None:
            ours.touch()
            atexit.register(ours.unlink)
            AnsibleModule(argument_spec=SPEC).exit_json(there=ours.exists())

        assert run(main, text="x")["there"] is True
    finally:
        atexit.unregister(theirs.unlink)
    assert theirs.exists() and not ours.exists()


def test_a_reader_that_goes_away_is_seen_by_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the reading (a task's time-out, a bug) leaves no module behind."""

    class Enough(Exception):
        pass

    def read(*handles: int) -> None:
        raise Enough

    pids: list[int] = []
    real = os.fork

    def fork() -> int:
        pids.append(real())
        return pids[-1]

    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(_forked, "_read", read)
    with pytest.raises(Enough):
        start(_print_for_ever)
    deadline = time.monotonic() + 10
    while os.waitpid(pids[0], os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _print_for_ever() -> None:
    while True:
        print("still here", flush=True)
        time.sleep(0.05)


def test_it_begins_where_ansible_would_start_it_and_takes_values_that_are_no_text(tmp_path: Path) -> None:
    def main() -> None:
        found = {"folder": os.getcwd(), "number": os.environ["TARS_NUMBER"], "truth": os.environ["TARS_TRUTH"]}
        AnsibleModule(argument_spec=SPEC).exit_json(**found)

    here = os.getcwd()
    answer = run(main, {"TARS_NUMBER": 20, "TARS_TRUTH": True}, str(tmp_path), text="x")
    assert (answer["folder"], answer["number"], answer["truth"]) == (str(tmp_path), "20", "True")
    assert os.getcwd() == here


def test_what_is_read_when_a_program_starts_needs_a_program() -> None:
    assert _forked.bears({"HELM_DRIVER": "configmap"})
    for key in ("PYTHONPATH", "LD_LIBRARY_PATH", "TZ", "LC_ALL"):
        assert not _forked.bears({"HELM_DRIVER": "configmap", key: "x"})


def test_what_libraries_log_does_not_come_to_the_controllers_log(tmp_path: Path) -> None:
    log = logging.FileHandler(tmp_path / "ansible.log")
    logging.root.addHandler(log)
    try:

        def main() -> None:
            logging.getLogger("kubernetes").error("a token")
            AnsibleModule(argument_spec=SPEC).exit_json()

        run_said = start(main, text="x")
    finally:
        logging.root.removeHandler(log)
    assert run_said["rc"] == 0 and (tmp_path / "ansible.log").read_text() == ""
