# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rollout whose controller is killed, and the same command again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .plan import STOP, TERM, Trial

END_S = 420.0
"""Seconds after which a run that does not end is given up."""
ORPHAN_S = 6.0
"""Seconds after which nothing of a killed run may be left; two are promised, the rest is the machine's load."""


@dataclass
class Ended:
    """What became of a trial."""

    trial: Trial
    release: str
    phase: str = ""
    outcomes: list[str] = field(default_factory=list)
    runs: int = 0
    orphans: list[str] = field(default_factory=list)
    seconds: float = 0.0
    first_s: float = 0.0
    """What the first run took, to its end or its kill."""
    struck: bool = False
    """Whether it was killed at all: a run may end before its moment."""
    as_deserved: bool = False


class Runs:
    """Starts the playbook; ``marker`` is in the environment of everything that it starts."""

    def __init__(self, root: Path, environment: Mapping[str, str], log: Path) -> None:
        self._root, self._environment, self._log = root, dict(environment), log

    def start(self, release: str, marker: str) -> subprocess.Popen[bytes]:
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/rollout_region.yml",
            "-i", "tests/chaos/inventory", "-e", f"rollout_release={release}",
        ]  # fmt: skip
        with self._log.open("ab") as log:
            log.write(f"\n== {marker}: {' '.join(command)}\n".encode())
            log.flush()
            return subprocess.Popen(
                command, cwd=self._root, env={**self._environment, "CHAOS_MARKER": marker}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def outcome(self, marker: str) -> str:
        """The OUTCOME word of a run; empty when it has none."""
        text = (
            self._log.read_text(encoding="utf-8", errors="replace").partition(f"== {marker}: ")[2].partition("\n== ")[0]
        )
        found = re.findall(r"OUTCOME (\w+)", text)
        return found[-1] if found else ""


def play(runs: Runs, trial: Trial, release: str) -> Ended:
    """Start, kill at the drawn moment, look for orphans, run the same command until it is through."""
    began = time.monotonic()
    ended = Ended(trial, release)
    marker = f"trial-{trial.number}-{trial.after_s:g}"
    process = runs.start(release, f"{marker}-0")
    try:
        process.wait(trial.after_s)
    except subprocess.TimeoutExpired:
        ended.struck = True
        _strike(process, trial)
        ended.orphans = orphans(f"{marker}-0") if trial.signal != STOP else []
    ended.first_s = time.monotonic() - began
    ended.outcomes.append(runs.outcome(f"{marker}-0") or "killed")
    for again in range(1, 4):
        if process.returncode == 0 or ended.outcomes[-1] == "rolled_back":
            break
        process = runs.start(release, f"{marker}-{again}")
        ended.runs = again
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        ended.outcomes.append(runs.outcome(f"{marker}-{again}") or "none")
    ended.orphans += [item for again in range(ended.runs + 1) for item in orphans(f"{marker}-{again}")]
    ended.seconds = time.monotonic() - began
    return ended


def _strike(process: subprocess.Popen[bytes], trial: Trial) -> None:
    if trial.signal == STOP:
        process.send_signal(signal.SIGSTOP)
        time.sleep(trial.away_s)
        process.send_signal(signal.SIGCONT)
        # It wakes up, sees that it lost its lease, and ends by itself.
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
    else:
        process.send_signal(signal.SIGTERM if trial.signal == TERM else signal.SIGKILL)
    process.wait()


def orphans(marker: str) -> list[str]:
    """Processes that carry the marker in their environment and are still there after ORPHAN_S."""
    end = time.monotonic() + ORPHAN_S
    while (found := _carrying(marker)) and time.monotonic() < end:
        time.sleep(0.25)
    return found


def _carrying(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if f"CHAOS_MARKER={marker}\0".encode() in (folder / "environ").read_bytes() + b"\0":
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
        except OSError:
            continue
    return [item for item in found if item]
