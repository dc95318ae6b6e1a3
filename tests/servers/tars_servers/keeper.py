# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps one server: a program of its own, so that the server ends however the test that wanted it ends.

Its stdin is a pipe from the test process. The kernel closes that pipe when the test process is gone, SIGKILL included;
then the server is ended and its folder removed. A line on it, ``SIGINT 20``, asks for an orderly end within 20 seconds.
stdout: the server's process id at the start, ``killed`` if it had to be. Needs nothing but the standard library, and is
run as a file: it must start fast.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import Any

# After this the folder goes anyway: nobody is left who could look into it.
ORPHAN_PATIENCE_S = 5.0


def main(spec: dict[str, Any]) -> int:
    """Run the server to its end and return its exit code (negative: the signal that ended it)."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with open(spec["log"], "ab") as log:
        child = subprocess.Popen(
            spec["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=spec["cwd"],
            start_new_session=True,
            restore_signals=True,
            preexec_fn=_listen_again,
            **spec["account"],
        )
    print(child.pid, flush=True)
    asked = threading.Event()
    threading.Thread(target=_leave_with, args=(child, asked), daemon=True).start()
    line = sys.stdin.readline().split()
    asked.set()
    if line:
        _end(child, signal.Signals[line[0]], float(line[1]))
    else:
        _end(child, signal.Signals[spec["orphan_signal"]], ORPHAN_PATIENCE_S)
        shutil.rmtree(spec["folder"], ignore_errors=True)
    return child.returncode


def _listen_again() -> None:
    # An ignored signal stays ignored in a new program, and servers are ended by these.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _leave_with(child: subprocess.Popen[bytes], asked: threading.Event) -> None:
    """End this program when the server ends by itself."""
    code = child.wait()
    if not asked.is_set():
        os._exit(code & 0xFF)


def _end(child: subprocess.Popen[bytes], number: signal.Signals, patience: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(number)
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        with contextlib.suppress(OSError):
            print("killed", flush=True)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])) & 0xFF)
