# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load of the demo: a steady stream to all regions, and more to the one that is being rolled out.

All regions get enough for their preflight to know whether a stage can be decided; the region whose turn it is gets
what the lab's objectives were chosen for: 50 requests per second to api, about 12 to each other service. Everything at
once in every region would be a test of two cores, not of a rollout.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tarslab.load.outcome import FAILURES

from .child import Ended

OTHERS = ("evaluation", "insight", "orchestration", "dqn", "a2c", "ppo", "ddpg", "dashboard")
STEADY = {"api": 8.0, **dict.fromkeys(OTHERS, 4.0)}
"""Requests per second to each service of each region, all the time."""
MORE = {"api": 42.0, **dict.fromkeys(OTHERS, 8.0)}
"""Requests per second on top of that to the region at work."""
END_S = 60.0


@dataclass
class Totals:
    """What the generators counted together."""

    requests: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    cuts: int = 0
    """WebSockets that were ended by the other side with a close frame or without one."""
    too_slow: list[str] = field(default_factory=list)
    """Why a generator's own run says little, when it does."""

    def add(self, summary: dict[str, Any]) -> None:
        """Add the summary of one generator, as `lab load --json` prints it."""
        self.requests += summary["requests"]
        self.failed += summary["failed"]
        for name, number in summary["failures"].items():
            self.failures[name] = self.failures.get(name, 0) + number
        self.cuts += summary["ws"]["cuts"]
        if summary["too_slow"]:
            self.too_slow.append(summary["too_slow"])


class Load:
    """Generators that run until ``end``; each writes one line per request into the folder."""

    def __init__(self, lab: Path, folder: Path, regions: Sequence[str]) -> None:
        self._lab = lab
        self._folder = folder
        self._regions = tuple(regions)
        self._steady: subprocess.Popen[str] | None = None
        self._more: subprocess.Popen[str] | None = None
        self.at_work = ""
        """The region that gets more; empty when none does."""
        self.totals = Totals()
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def running(self) -> Iterator[Load]:
        """On from here to the end of the block, whatever ends it."""
        self._steady = self._start("steady", STEADY, self._regions)
        try:
            yield self
        finally:
            self.follow("")
            self._stop(self._steady)

    def follow(self, region: str) -> None:
        """Give this region more, and the one before no more than the others."""
        if region == self.at_work:
            return
        if self._more is not None:
            self._stop(self._more)
            self._more = None
        if region:
            self._more = self._start(region, MORE, (region,), seed=2 + self._regions.index(region))
        self.at_work = region

    def _start(
        self, name: str, services: dict[str, float], regions: Sequence[str], seed: int = 1
    ) -> subprocess.Popen[str]:
        rps = sum(services.values()) * len(regions)
        shares = ",".join(f"{service}={share:g}" for service, share in services.items())
        words = ["load", "--until-signal", "--json", "--rps", f"{rps:g}", "--services", shares]
        words += ["--regions", ",".join(regions), "--out", str(self._folder / f"{name}.jsonl"), "--seed", str(seed)]
        words += ["--new-connections", "0.1"]
        with (self._folder / f"{name}.log").open("a") as log:
            return subprocess.Popen(
                [str(self._lab), *words], stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    def _stop(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            text, _nothing = process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Ended(f"The load generator did not end within {END_S:.0f} s; see {self._folder}.") from None
        try:
            self.totals.add(json.loads(text))
        except ValueError:
            code = process.returncode
            raise Ended(f"The load generator ended with {code} and no summary; see {self._folder}.") from None


def counts(folder: Path) -> Iterator[tuple[float, str, str, bool]]:
    """Every request that was written down: moment (s since 1970), region, service, whether it failed."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                if entry["kind"] != "ws":
                    yield entry["at"], entry["region"], entry["service"], entry["outcome"] in FAILURES
