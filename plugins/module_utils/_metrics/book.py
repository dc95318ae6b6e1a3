# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.tars.rollout.plugins.module_utils._gate import explain
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Arm, Reading, Slo, Spec, Tally
from ansible_collections.tars.rollout.plugins.module_utils._metrics.freshness import Freshness, Past
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries, Step

# Scrapes are numbered from 1; number 0 and below happened before the judgement began.
Number = Callable[[float], int]


class Book:
    """What one objective needs, added up per scrape. Scrapes that changed since the last reading are remembered."""

    def __init__(self, slo: Slo, spec: Spec, origin: float, number: Number) -> None:
        self.slo = slo
        self._spec = spec
        self._origin = origin
        self._number = number
        self._fresh: dict[str, Freshness] = defaultdict(Freshness)
        self._changed = 1
        # How bursty stable is follows from its last hour.
        self._hour_ago = 1 - int(3600 // spec.scrape_s)
        self._tallies: list[Tally] = []
        # The arms in which the metric is a native histogram.
        self._native: set[str] = set()

    def see_native(self, arm: str) -> None:
        """Take in that a series of an arm is a native histogram, which cannot be read."""
        self._native.add(arm)

    def judged(self, now: float) -> Reading:
        """The reading, and that there is none because of native histograms where that is so."""
        found, arm = self.reading(now), "canary" if self.slo.is_share else self.slo.arm
        if found.canary.newest is not None or arm not in self._native:
            return found
        return replace(found, problem=("NO_DATA", explain.native(self.slo, arm)))

    def see(self, arm: str, series: RawSeries, steps: list[Step]) -> None:
        """Take in what is new of one series of one arm."""
        self._fresh[arm].see(series, self._origin)

    def reading(self, now: float) -> Reading:
        """All up to the time ``now``. Each call gives ``changed`` relative to the call before."""
        raise NotImplementedError

    def past(self, arm: str, within: float = math.inf) -> Past:
        """What an arm did in the last ``within`` seconds before the judgement began; for shares also how many requests.

        What was read further back than asked for would spread the traffic of now over hours without any.
        """
        fresh = self._fresh[arm]
        cells = {i: cell for i, cell in self._cells_before(arm).items() if (1 - i) * self._spec.scrape_s <= within}
        interval = fresh.interval if fresh.interval < math.inf else 0.0
        length = (1 - min(cells)) * self._spec.scrape_s if cells else 0.0
        columns = zip(*cells.values(), strict=True) if cells else ((), (), ())
        bad, over, total = (float(sum(column)) for column in columns)
        return Past(bad, over, total, length, len(fresh.series), interval)

    def _cells_before(self, arm: str) -> dict[int, tuple[float, float, float]]:
        """(bad, over, all) by number of scrape, for those up to 0."""
        return {}

    def _touch(self, index: int) -> None:
        self._changed = min(self._changed, max(index, 1))

    def _since(self, scrapes: int, make: Callable[[int], Tally]) -> int:
        """Make the tallies that changed anew; gives the index of the first of them.

        ``scrapes`` is below 1 before it has settled: there is none to judge yet.
        """
        scrapes = max(scrapes, 0)
        first = min(self._changed, len(self._tallies) + 1) - 1
        del self._tallies[first:]
        self._tallies += [make(index) for index in range(first + 1, scrapes + 1)]
        self._changed = scrapes + 1
        return first

    def _arm(self, arm: str) -> Arm:
        return self._fresh[arm].arm(self._origin)

    def _stable(self) -> Arm | None:
        return self._arm("stable") if self._spec.has_stable else None
