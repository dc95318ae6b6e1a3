# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_module in a process of its own, as Ansible starts it: arguments on stdin, the result on stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ansible
import ansible_collections.tars.rollout.plugins.module_utils._module as module_under_test
import pytest

# Where both namespaces are found, whichever runner put them there.
ROOTS = [str(Path(ansible.__file__).parents[1]), str(Path(module_under_test.__file__).absolute().parents[5])]
TOKEN = "planted-token-4711"
PROGRAM = """
import json, sys, threading, time
from ansible.module_utils import basic
from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._wait import Observation, wait_for

def run(call):
    call.progress.line(Line("r", "s", seen=str(call.params["token"])))
    {body}

spec = {{"token": {{"type": "str", "no_log": True}}}}
basic._ANSIBLE_ARGS = json.dumps({{"ANSIBLE_MODULE_ARGS": {{"token": "", **{extra}}}}}).encode()
basic._ANSIBLE_PROFILE = "legacy"
run_module(basic.AnsibleModule(argument_spec=spec, supports_check_mode=True), run)
"""
# Threads that could be given the signal in place of the main one.
POOL = "[threading.Thread(target=time.sleep, args=(60,), daemon=True).start() for _ in range(9)]"
WAITING = """
    wait_for("the end", lambda: Observation(False, "not yet"), clock=call.clock, budget=60, interval=0.05)
"""


def start(body: str, extra: str = "{}", **environment: str) -> subprocess.Popen[str]:
    program = PROGRAM.replace("$TOKEN_PLACE", TOKEN).format(body=body.strip(), extra=extra)
    path = os.pathsep.join([*ROOTS, *(entry for entry in sys.path if entry)])
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path} | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    stdout, stderr = process.communicate(timeout=30)
    assert TOKEN not in stdout + stderr and "Traceback" not in stdout + stderr
    data: dict[str, Any] = json.loads(stdout)
    return data


def test_a_result_and_check_mode_come_through() -> None:
    body = 'call.warn("careful"); return {"changed": False, "seen": call.check_mode}'
    data = result(start(body, '{"_ansible_check_mode": True}'))
    assert (data["changed"], data["seen"]) == (False, True)
    assert "careful" in json.dumps(data["warnings"])


def test_no_known_secret_is_in_a_result() -> None:
    body = 'call.scrubber.add("learned-4711"); return {"changed": True, "seen": ["is learned-4711"], "n": 3, "at": 1.5}'
    data = result(start(body))
    assert (data["seen"], data["n"], data["at"], data["changed"]) == (["is ********"], 3, 1.5, True)


CHILD = """
    import os, subprocess
    ended = []
    for signum in (15, 2, 1):
        inner = subprocess.Popen(["sleep", "60"])
        blocked = next(line for line in open(f"/proc/{inner.pid}/status") if line.startswith("SigBlk"))
        inner.send_signal(signum)
        ended.append([inner.wait(10), int(blocked.split()[1], 16)])
    fork = os.fork()
    if fork == 0:
        time.sleep(60)
        os._exit(0)
    os.kill(fork, 15)
    ended.append([-os.waitpid(fork, 0)[1], 0])
    call.clock.sleep(0.2, "seeing that nobody stopped us")
    return {"changed": False, "ended": ended}
"""


def test_programs_that_a_module_starts_can_be_ended() -> None:
    assert result(start(CHILD))["ended"] == [[-15, 0], [-2, 0], [-1, 0], [-15, 0]]


def test_an_expected_fault_becomes_its_payload() -> None:
    body = 'raise RolloutError("GET x failed", reason="http_status", hint="Look", details={"t": call.params["token"]})'
    data = result(start(body, '{"_ansible_verbosity": 4}'))
    assert data["failed"] and data["msg"] == "GET x failed. Look."
    assert (data["reason"], data["hint"]) == ("http_status", "Look")
    assert "exception" not in data


def test_an_unforeseen_exception_becomes_a_bug_without_a_traceback() -> None:
    data = result(start('return {"changed": 1 / len(call.params["token"][:0])}', '{"_ansible_verbosity": 4}'))
    assert data["reason"] == "bug" and "ZeroDivisionError" in data["msg"]
    assert "in run" in data["details"]["at"][-1] and "exception" not in data


def test_a_missing_library_names_the_interpreter() -> None:
    data = result(start('raise MissingLibrary("requests")'))
    assert data["reason"] == "missing_library"
    assert "requests" in data["msg"] and sys.executable in data["msg"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize(
    "pool", ["", "[threading.Thread(target=time.sleep, args=(60,), daemon=True).start() for _ in range(9)]"]
)
def test_a_signal_ends_a_wait_with_its_last_observation(tmp_path: Path, signum: signal.Signals, pool: str) -> None:
    lines = tmp_path / "lines"
    lines.touch()
    process = start(f"{pool}{WAITING}", TARS_ROLLOUT_PROGRESS_FILE=str(lines))
    at_work(lines)
    process.send_signal(signum)
    data = result(process)
    assert data["reason"] == "interrupted" and signum.name in data["msg"] and "not yet" in data["msg"]
    assert TOKEN not in lines.read_text()


@pytest.mark.parametrize("body", [WAITING, "time.sleep(60)"])
def test_it_ends_when_nobody_reads_its_answer(tmp_path: Path, body: str) -> None:
    lines = tmp_path / "lines"
    lines.touch()
    process = start(body, TARS_ROLLOUT_PROGRESS_FILE=str(lines))
    at_work(lines)
    assert process.stdout is not None
    began = time.monotonic()
    process.stdout.close()
    process.wait(50)
    assert time.monotonic() - began < 10


def test_it_does_not_act_when_the_reader_was_gone_before(tmp_path: Path) -> None:
    acted = tmp_path / "acted"
    process = start(f'call.clock.sleep(0, "x"); open("{acted}", "w"); return {{"changed": True}}')
    assert process.stdout is not None
    process.stdout.close()
    process.wait(20)
    assert not acted.exists()


def at_work(lines: Path) -> None:
    end = time.monotonic() + 20
    while not lines.read_text():
        assert time.monotonic() < end, "the module did not start"
        time.sleep(0.02)
