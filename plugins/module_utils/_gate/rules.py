# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from ansible_collections.tars.rollout.plugins.module_utils._gate import explain
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import (
    FRESH_SCRAPES,
    HOLD,
    PASS,
    ROLLBACK,
    Finding,
    Reading,
    Slo,
    Spec,
)


class GaugeJudge:
    """Hard rule: the worst pod over the limit at every scrape for ``for_s`` seconds (0: once) rolls back.

    A scrape without a value neither counts nor breaks the row; more than three samples that are missing in a row do
    break it. A gauge that is scraped more rarely than it is polled has a value every few scrapes only.
    """

    def __init__(self, slo: Slo, spec: Spec) -> None:
        self.slo = slo
        self._spec = spec
        self._broken = ""

    def look(self, reading: Reading, now: float, *, end: bool) -> Finding:
        """What stands at ``now`` seconds. ``end`` is there for the sake of a common form."""
        slo, newest = self.slo, _last(reading.values)
        self._broken = self._broken or self._break(reading)
        if self._broken:
            return Finding(slo.name, ROLLBACK, "HARD_RULE", self._broken)
        if reading.problem:
            return Finding(slo.name, HOLD, *reading.problem)
        if reading.canary.newest is None:
            return Finding(slo.name, HOLD, "NO_DATA", explain.no_data(slo, slo.arm))
        if newest is None or not reading.canary.fresh(now, self._spec.scrape_s):
            age = now - reading.canary.newest
            return Finding(slo.name, HOLD, "STALE_DATA", explain.stale(slo, slo.arm, age))
        return Finding(slo.name, PASS, "OK", explain.gauge(slo, newest))

    def _break(self, reading: Reading) -> str:
        first: int | None = None
        last, scrape_s = 0, self._spec.scrape_s
        longest = FRESH_SCRAPES * max(scrape_s, reading.canary.interval)
        for index, value in enumerate(reading.values):
            if value is None:
                continue
            if value <= self.slo.limit:
                first = None
                continue
            # Scrapes are whole: one more than half of one too long is too long.
            if first is None or (index - last - 0.5) * scrape_s > longest:
                first = index
            last = index
            if (index - first) * scrape_s >= self.slo.for_s:
                return explain.gauge_broken(self.slo, value)
        return ""


class CountJudge:
    """Hard rule: more than ``limit`` increments within the bake roll back."""

    def __init__(self, slo: Slo, spec: Spec) -> None:
        self.slo = slo
        self._spec = spec
        self._broken = ""

    def look(self, reading: Reading, now: float, *, end: bool) -> Finding:
        """What stands at ``now`` seconds. ``end`` is there for the sake of a common form."""
        slo, total = self.slo, sum(reading.counts)
        if total > slo.limit:
            self._broken = self._broken or explain.count(slo, total)
        if self._broken:
            return Finding(slo.name, ROLLBACK, "HARD_RULE", self._broken)
        if reading.problem:
            return Finding(slo.name, HOLD, *reading.problem)
        if reading.canary.newest is None:
            return Finding(slo.name, HOLD, "NO_DATA", explain.no_data(slo, slo.arm))
        if not reading.canary.fresh(now, self._spec.scrape_s):
            age = now - reading.canary.newest
            return Finding(slo.name, HOLD, "STALE_DATA", explain.stale(slo, slo.arm, age))
        return Finding(slo.name, PASS, "OK", explain.count(slo, total))


def _last(values: list[float | None] | tuple[float | None, ...]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)
