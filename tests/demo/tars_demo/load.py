# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load of the demo: a stream to each region, as much as what is done there needs.

The region whose turn it is gets what the lab's objectives were chosen for: 50 requests per second to api, about 12 to
each other service. One whose turn comes next gets enough for its preflight to know whether a stage can be decided, and
any other enough to see that it serves. Everything everywhere would be a test of two cores, not of a rollout.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tarslab.load.outcome import FAILURES

from .child import Ended

OTHERS = ("evaluation", "insight", "orchestration", "dqn", "a2c", "ppo", "ddpg", "dashboard")
RATES = {
    "at_work": {"api": 50.0, **dict.fromkeys(OTHERS, 13.0)},
    "next": {"api": 8.0, **dict.fromkeys(OTHERS, 4.0)},
    "served": {"api": 2.0, **dict.fromkeys(OTHERS, 0.5)},
}
"""Requests per second to each service of a region."""
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


@dataclass(frozen=True)
class Generator:
    """One of them: what it sends (a key of RATES), its process, and where it writes its requests down."""

    what: str
    process: subprocess.Popen[str]
    out: Path


class Load:
    """Generators that run until ``end``; each writes one line per request into the folder."""

    def __init__(self, lab: Path, folder: Path, regions: Sequence[str]) -> None:
        self._lab = lab
        self._folder = folder
        self._regions = tuple(regions)
        self._running: dict[str, Generator] = {}
        self._started = 0
        self.totals = Totals()
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def running(self) -> Iterator[Load]:
        """On from here to the end of the block, whatever ends it."""
        with ExitStack() as all_of_them:
            for region in self._regions:
                # Each ends, whatever becomes of another.
                all_of_them.callback(self._end, region)
                self.give(region, "next")
            yield self

    def give(self, region: str, what: str) -> None:
        """Send one of RATES to a region from here on, without a gap."""
        before = self._running.get(region)
        if before is not None and before.what == what:
            return
        self._running[region] = self._start(region, what)
        if before is not None:
            self._stop(before)

    def at_work(self, region: str) -> None:
        """It is this region's turn; the others have only to serve."""
        if self._running[region].what == "at_work":
            return
        for other in self._regions:
            self.give(other, "at_work" if other == region else "served")

    def after(self, region: str) -> None:
        """The turn of this region ends soon: get the one after it ready; after the last one all, for the next rollout.

        A rollout looks at all regions before the first of them moves, and at a minute of each one's past.
        """
        at = self._regions.index(region)
        for following in self._regions[at + 1 : at + 2] or self._regions[:at]:
            self.give(following, "next")

    def part(self, folder: Path) -> Totals:
        """What was counted so far. From here on all is counted anew and written to that folder, without a gap."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for region, before in list(self._running.items()):
            self._running[region] = self._start(region, "next")
            self._stop(before)
        counted, self.totals = self.totals, Totals()
        return counted

    def _end(self, region: str) -> None:
        if region in self._running:
            self._stop(self._running.pop(region))

    def _start(self, region: str, what: str) -> Generator:
        self._started += 1
        name, services = f"{region}-{self._started}-{what}", RATES[what]
        rps = sum(services.values())
        shares = ",".join(f"{service}={share:g}" for service, share in services.items())
        words = ["load", "--until-signal", "--json", "--rps", f"{rps:g}", "--services", shares]
        out = self._folder / f"{name}.jsonl"
        words += ["--regions", region, "--out", str(out), "--seed", str(self._started)]
        words += ["--new-connections", "0.1"]
        with (self._folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [str(self._lab), *words], stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        return Generator(what, process, out)

    def _stop(self, generator: Generator) -> None:
        process = generator.process
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
            if code == -signal.SIGTERM and not generator.out.exists():
                # Ended before it had begun: a rollout that is refused at once turns the load twice within a second.
                return
            raise Ended(f"The load generator ended with {code} and no summary; see {self._folder}.") from None


def counts(folder: Path) -> Iterator[tuple[float, str, str, bool]]:
    """Every request that was written down: moment (s since 1970), region, service, whether it failed."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                if entry["kind"] != "ws":
                    yield entry["at"], entry["region"], entry["service"], entry["outcome"] in FAILURES
