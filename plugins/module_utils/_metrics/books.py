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

    A series without the label that tells bad from good is good where only bad ones have it, such as ``error``. Where
    good ones have it as well it is neither: Envoy, for one, keeps the same requests by code, by class of code and in
    all, under one name.
    """

    def __init__(self, slo: Slo, spec: Spec, origin: float, number: Number) -> None:
        super().__init__(slo, spec, origin, number)
        self._bad: dict[tuple[str, int], float] = defaultdict(float)
        self._all: dict[tuple[str, int], float] = defaultdict(float)
        # Those of series without the label, and whether good ones have it.
        self._untold: dict[tuple[str, int], float] = defaultdict(float)
        self._told = False
        self._verdicts: dict[frozenset[tuple[str, str]], bool | None] = {}
        self._strata: dict[tuple[int, str], list[float]] = {}
        self._untold_strata: dict[tuple[int, str], list[float]] = {}

    def see(self, arm: str, series: RawSeries, steps: list[Step]) -> None:
        super().see(arm, series, steps)
        if series.key not in self._verdicts:
            told = any(name in series.labels or matches({}, {name: text}) for name, text in self.slo.bad.items())
            self._verdicts[series.key] = matches(series.labels, self.slo.bad) if told else None
        bad = self._verdicts[series.key]
        if bad is False and not self._told:
            self._told = True
            self._touch(1)
        for step in steps:
            if not step.grown:
                continue
            cell = (arm, self._number(step.at))
            (self._untold if bad is None else self._all)[cell] += step.grown
            if bad:
                self._bad[cell] += step.grown
            self._touch(cell[1])
            if self._spec.strata:
                place = (cell[1], series.labels.get(self._spec.strata, ""))
                strata = self._untold_strata if bad is None else self._strata
                pair = strata.setdefault(place, [0.0] * 4)
                first = 0 if arm == "canary" else 2
                pair[first + 1] += step.grown
                pair[first] += step.grown if bad else 0.0

    def reading(self, now: float) -> Reading:
        changed = self._since(self._number(now), self._tally)
        first = max(min((cell[1] for cell in self._cells()), default=1), self._hour_ago)
        cells = [("stable", i) for i in range(first, 1)]
        history = [(self._bad.get(cell, 0.0), self._total(cell)) for cell in cells]
        return Reading(
            self._arm("canary"),
            self._stable(),
            tallies=self._tallies,
            changed=changed,
            history=history,
            problem=self._problem(),
            strata=self._by_stratum(len(self._tallies)) if self._spec.strata else (),
        )

    def _cells(self) -> set[tuple[str, int]]:
        return {*self._all} if self._told else {*self._all, *self._untold}

    def _total(self, cell: tuple[str, int]) -> float:
        return self._all.get(cell, 0.0) + (0.0 if self._told else self._untold.get(cell, 0.0))

    def _by_stratum(self, scrapes: int) -> list[tuple[Pair, ...]]:
        found: list[list[Pair]] = [[] for _scrape in range(scrapes)]
        untold = {} if self._told else self._untold_strata
        for place in {**self._strata, **untold}:
            if 1 <= place[0] <= scrapes:
                parts = [strata[place] for strata in (self._strata, untold) if place in strata]
                found[place[0] - 1].append(Pair(*map(sum, zip(*parts, strict=True))))
        return [tuple(pairs) for pairs in found]

    def _cells_before(self, arm: str) -> dict[int, tuple[float, float, float]]:
        cells = [cell for cell in self._cells() if cell[0] == arm and cell[1] < 1]
        return {cell[1]: (self._bad.get(cell, 0.0), self._bad.get(cell, 0.0), self._total(cell)) for cell in cells}

    def _tally(self, index: int) -> Tally:
        bad = self._bad.get(("canary", index), 0.0)
        return Tally(
            self._total(("canary", index)),
            *(bad,) * 5,
            m=self._total(("stable", index)),
            base=self._bad.get(("stable", index), 0.0),
        )

    def _problem(self) -> tuple[str, str] | None:
        """A label that no series has would make every request good: that is missing data, not health."""
        fresh = self._fresh["canary"]
        # Where only bad ones have it a canary without any has it nowhere, and stable tells that it is no mistake.
        labels = fresh.labels if self._told else fresh.labels | self._fresh["stable"].labels
        wanted = [name for name, text in self.slo.bad.items() if name not in labels and not matches({}, {name: text})]
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
