# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that outlive a command: found again by pid and start time, so that a reused pid is never taken for ours."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import files, proc
from .errors import LabError


def started_at(pid: int) -> int | None:
    """Return when a live process started, in clock ticks since boot; None for one that is gone or a zombie."""
    try:
        # The name in the second field may hold spaces and brackets: count from its end.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def start(note: Path, argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> int:
    """Start a process and write down in `note` which one it is; return its pid."""
    pid = proc.spawn(argv, log, env)
    files.write_json(note, {"pid": pid, "started": started_at(pid) or 0})
    return pid


def alive(note: Path) -> int | None:
    """Return the pid of the process in `note` if it is still that very process."""
    known = files.read_json(note)
    pid = known.get("pid")
    return pid if isinstance(pid, int) and started_at(pid) == known.get("started") else None


def stop(note: Path, patience: float = 15.0) -> None:
    """End the process in `note`: a request first, force after `patience` seconds. One that is gone is no error."""
    pid = alive(note)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        if not _gone(note, patience):
            _signal(pid, signal.SIGKILL)
            if not _gone(note, 5.0):
                raise LabError(f"Process {pid} of the lab (see {note}) does not end, not even by SIGKILL.")
    note.unlink(missing_ok=True)


def wait_until(ready: Path | None, note: Path, check: Sequence[str | Path], log: Path, seconds: float) -> None:
    """Wait until a started process answers: its socket `ready` exists and the program `check` succeeds.

    Raises LabError with the end of the log when the process dies or does not answer within `seconds`.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if alive(note) is None:
            raise LabError(f"The lab's {note.stem} ended right after its start; its log {log} says:\n    {tail(log)}")
        if (ready is None or ready.exists()) and (not check or proc.succeeds(check, timeout=10)):
            return
        time.sleep(0.2)
    raise LabError(f"The lab's {note.stem} did not answer within {seconds:.0f} s; its log {log} says:\n    {tail(log)}")


def tail(log: Path, lines: int = 8) -> str:
    """Return the last lines of a log, indented."""
    try:
        return "\n    ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(nothing)"


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone(note: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid = alive(note)
        if pid is None:
            return True
        # A child of this very command stays a zombie until somebody asks for it.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)
    return False
