# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from collections import defaultdict

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Pair, Reading, Slo, Spec, Tally
from ansible_collections.tars.rollout.plugins.module_utils._metrics.book import Book, Number
from ansible_collections.tars.rollout.plugins.module_utils._metrics.latency_book import LatencyBook
from ansible_collections.tars.rollout.plugins.module_utils._metrics.match import matches
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries, Step


class RatioBook(Book):
    """Bad and all requests per scrape and arm.

    A series without the label that tells bad from good is neither: Envoy, for one, keeps the same requests by code, by
    class of code and in all, under one name.
    """

    def __init__(self, slo: Slo, spec: Spec, origin: float, number: Number) -> None:
        super().__init__(slo, spec, origin, number)
        self._bad: dict[tuple[str, int], float] = defaultdict(float)
        self._all: dict[tuple[str, int], float] = defaultdict(float)
        self._verdicts: dict[frozenset[tuple[str, str]], bool | None] = {}
        self._strata: dict[tuple[int, str], list[float]] = {}

    def see(self, arm: str, series: RawSeries, steps: list[Step]) -> None:
        super().see(arm, series, steps)
        if series.key not in self._verdicts:
            told = all(name in series.labels or matches({}, {name: text}) for name, text in self.slo.bad.items())
            self._verdicts[series.key] = matches(series.labels, self.slo.bad) if told else None
        bad = self._verdicts[series.key]
        for step in steps:
            if bad is None or not step.grown:
                continue
            cell = (arm, self._number(step.at))
            self._all[cell] += step.grown
            if bad:
                self._bad[cell] += step.grown
            self._touch(cell[1])
            if self._spec.strata:
                place = (cell[1], series.labels.get(self._spec.strata, ""))
                pair = self._strata.setdefault(place, [0.0] * 4)
                first = 0 if arm == "canary" else 2
                pair[first + 1] += step.grown
                pair[first] += step.grown if bad else 0.0

    def reading(self, now: float) -> Reading:
        changed = self._since(self._number(now), self._tally)
        first = min((cell[1] for cell in self._all), default=1)
        cells = [("stable", i) for i in range(first, 1)]
        history = [(self._bad.get(cell, 0.0), self._all.get(cell, 0.0)) for cell in cells]
        return Reading(
            self._arm("canary"),
            self._stable(),
            tallies=self._tallies,
            changed=changed,
            history=history,
            problem=self._problem(),
            strata=self._by_stratum(len(self._tallies)) if self._spec.strata else (),
        )

    def _by_stratum(self, scrapes: int) -> list[tuple[Pair, ...]]:
        found: list[list[Pair]] = [[] for _scrape in range(scrapes)]
        for (index, _stratum), pair in self._strata.items():
            if 1 <= index <= scrapes:
                found[index - 1].append(Pair(*pair))
        return [tuple(pairs) for pairs in found]

    def _cells_before(self, arm: str) -> dict[int, tuple[float, float, float]]:
        cells = {i: (self._bad.get((a, i), 0.0), total) for (a, i), total in self._all.items() if a == arm and i < 1}
        return {i: (bad, bad, total) for i, (bad, total) in cells.items()}

    def _tally(self, index: int) -> Tally:
        bad = self._bad.get(("canary", index), 0.0)
        return Tally(
            self._all.get(("canary", index), 0.0),
            *(bad,) * 5,
            m=self._all.get(("stable", index), 0.0),
            base=self._bad.get(("stable", index), 0.0),
        )

    def _problem(self) -> tuple[str, str] | None:
        """A label that no series has would make every request good: that is missing data, not health."""
        fresh = self._fresh["canary"]
        wanted = [
            name for name, text in self.slo.bad.items() if name not in fresh.labels and not matches({}, {name: text})
        ]
        if not fresh.series or not wanted:
            return None
        has = ", ".join(sorted(fresh.labels - {"__name__"}))
        return "NO_DATA", f"{self.slo.metric} has no label {wanted[0]}, so nothing tells bad requests; it has {has}"


class GaugeBook(Book):
    """The worst value per scrape."""

    def __init__(self, slo: Slo, spec: Spec, origin: float, number: Number) -> None:
        super().__init__(slo, spec, origin, number)
        self._worst: dict[int, float] = {}

    def see(self, arm: str, series: RawSeries, steps: list[Step]) -> None:
        super().see(arm, series, steps)
        for at, value in series.samples:
            index = self._number(at)
            if index >= 1 and not math.isnan(value):
                self._worst[index] = max(self._worst.get(index, -math.inf), value)

    def reading(self, now: float) -> Reading:
        values = [self._worst.get(index) for index in range(1, self._number(now) + 1)]
        return Reading(self._arm(self.slo.arm), values=values)


class CountBook(Book):
    """Increments per scrape over all pods that were ever seen."""

    def __init__(self, slo: Slo, spec: Spec, origin: float, number: Number) -> None:
        super().__init__(slo, spec, origin, number)
        self._counts: dict[int, float] = defaultdict(float)

    def see(self, arm: str, series: RawSeries, steps: list[Step]) -> None:
        super().see(arm, series, steps)
        for step in steps:
            self._counts[self._number(step.at)] += step.grown

    def reading(self, now: float) -> Reading:
        counts = [self._counts.get(index, 0.0) for index in range(1, self._number(now) + 1)]
        return Reading(self._arm(self.slo.arm), counts=counts)


def book_for(slo: Slo, spec: Spec, origin: float, number: Number) -> Book:
    """The right book for the kind of the objective."""
    kinds: dict[str, type[Book]] = {"ratio": RatioBook, "latency": LatencyBook, "count": CountBook}
    return kinds.get(slo.kind, GaugeBook)(slo, spec, origin, number)
