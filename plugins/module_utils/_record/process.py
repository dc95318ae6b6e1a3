# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Which process acts: the controller of a run by its pid and start, and whether it is alive, stopped or provably dead.

A pid alone proves nothing: it is given again. Pid, start and boot together name one process for ever; in another pid
namespace (a container) the same pid is somebody else, so nothing is proven there.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ALIVE, STOPPED, DEAD, UNKNOWN = "alive", "stopped", "dead", "unknown"


@dataclass(frozen=True)
class Controller:
    """A process by what never changes of it. ``boot`` and ``pids`` (the pid namespace) are empty where unknown."""

    host: str
    boot: str
    pids: str
    pid: int
    start: str

    def data(self) -> dict[str, Any]:
        return asdict(self)


def controller(pid: int) -> Controller:
    """The process of that pid as it is now; ValueError when there is none."""
    seen = _look(pid)
    if seen is None:
        raise ValueError(f"there is no process {pid}")
    return Controller(socket.gethostname(), _boot(), _pids(), pid, seen[0])


def from_data(data: Mapping[str, Any]) -> Controller | None:
    """The reverse of ``data``; None for anything else, which then proves nothing."""
    try:
        return Controller(str(data["host"]), str(data["boot"]), str(data["pids"]), int(data["pid"]), str(data["start"]))
    except (KeyError, TypeError, ValueError):
        return None


def state_of(other: Controller | None) -> str:
    """ALIVE, STOPPED (SIGSTOP, Ctrl-Z) or DEAD when that can be known here, else UNKNOWN."""
    if other is None or not other.boot or (other.boot, other.pids) != (_boot(), _pids()):
        return UNKNOWN
    return state(other.pid, other.start)


def state(pid: int, start: str) -> str:
    """The same for a process of this machine and pid namespace."""
    seen = _look(pid)
    if seen is None or seen[0] != start or seen[1] in "ZXx":
        return DEAD
    return STOPPED if seen[1] in "Tt" else ALIVE


def _look(pid: int) -> tuple[str, str] | None:
    """Start and state letter of a process, None when there is none."""
    if os.path.isdir("/proc/self"):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                # The name in brackets may hold anything; what follows the last bracket does not.
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return None
        return fields[19], fields[0]
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=5
    )
    letter, _blank, start = done.stdout.strip().partition(" ")
    return (start.strip(), letter[:1]) if letter else None


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _pids() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
