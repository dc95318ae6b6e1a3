# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab costs: memory (PSS: shared pages are split among those who share them) and CPU of all its processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import cluster
from .daemons import alive

if TYPE_CHECKING:
    from .context import Lab
    from .engine import Engine

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Megabytes of memory (MiB, PSS), CPU in cores, number of processes."""

    memory: float
    cores: float
    processes: int


def cost(lab: Lab, engine: Engine, seconds: float) -> Cost | None:
    """Measure the lab over a span; None where its processes are not on this machine or cannot be looked at."""
    ids = [
        engine.docker("inspect", "--format", "{{.Id}}", name).strip()
        for name in cluster.nodes(lab, engine, running=True)
    ]
    notes = [lab.paths.run / f"{name}.json" for name in ("containerd", "dockerd", "forward")]
    own = {pid for note in notes if (pid := alive(note)) is not None}
    before = {pid: _cpu(pid) for pid in _members(ids, own, lab)}
    if not before:
        return None
    start = time.monotonic()
    time.sleep(seconds)
    members = _members(ids, own, lab)
    spent = sum(_cpu(pid) - before.get(pid, 0.0) for pid in members)
    return Cost(sum(_pss(pid) for pid in members), spent / (time.monotonic() - start), len(members))


def _members(containers: Iterable[str], own: set[int], lab: Lab) -> list[int]:
    """Return the processes in the nodes' control groups, the engine's and those that the engine started."""
    wanted, run = list(containers), str(lab.paths.run)
    found = []
    for pid in (int(p) for p in os.listdir("/proc") if p.isdigit()):
        groups, command = _read(pid, "cgroup"), _read(pid, "cmdline")
        if (
            pid in own
            or any(i in groups for i in wanted)
            or (run in command and "shim" in command)
            or _proxies(command, lab)
        ):
            found.append(pid)
    return found


def _proxies(command: str, lab: Lab) -> bool:
    words = command.split("\0")
    return "docker-proxy" in words[0] and any(str(port) in words for port in lab.ports.values())


def _cpu(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if len(fields) > 12 else 0.0


def _pss(pid: int) -> float:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(pid: int, name: str) -> str:
    # A process may end between two looks, and another user's may not be looked at.
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
