# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import (
    Around,
    Pair,
    Reading,
    Slo,
    Spec,
    Tally,
)
from ansible_collections.tars.rollout.plugins.module_utils._metrics.book import Book, Number
from ansible_collections.tars.rollout.plugins.module_utils._metrics.buckets import Edges, Over, edges_for, share_over
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import Labels, RawSeries, Step


@dataclass
class _Histogram:
    """Growth of the buckets of one arm: per scrape and boundary, and the boundaries that every process has.

    ``counts``: growth of ``_count`` per scrape and process, which stands in where a process has no bucket +Inf.
    """

    cells: dict[int, dict[float, float]]
    counts: dict[int, dict[tuple[str, ...], float]]
    bounds: dict[tuple[str, ...], set[float]]
    # The boundary of each series and its process, read off its labels once.
    known: dict[frozenset[tuple[str, str]], tuple[float | None, tuple[str, ...]]]

    # The processes that have a ``_count``.
    counted: set[tuple[str, ...]] = field(default_factory=set)

    def edges(self) -> set[float]:
        sets = list(self.bounds.values())
        return set.intersection(*sets) if sets else set()


class LatencyBook(Book):
    """Requests slower than the limit and than the violation, read off the buckets on both sides of each."""

    def __init__(self, slo: Slo, spec: Spec, origin: float, number: Number) -> None:
        super().__init__(slo, spec, origin, number)
        self._arms = {arm: _Histogram({}, {}, {}, {}) for arm in ("canary", "stable")}
        self._edges: Edges | None = None
        # One for each number of a tally that is read off a boundary.
        self._over = [Over() for _number in range(6)]
        # The same for each stratum by itself.
        self._strata: dict[str, LatencyBook] = {}

    def see(self, arm: str, series: RawSeries, steps: list[Step]) -> None:
        super().see(arm, series, steps)
        if self._spec.strata:
            self._stratum(series.labels.get(self._spec.strata, "")).see(arm, series, steps)
        histogram = self._arms[arm]
        bucket = series.name.endswith("_bucket")
        if series.key not in histogram.known:
            bound = _bound(series.labels) if bucket else None
            process = tuple(f"{k}={v}" for k, v in sorted(series.labels.items()) if k != "le")
            histogram.known[series.key] = bound, process
            if not bucket:
                histogram.counted.add(process)
            if bound is not None:
                histogram.bounds.setdefault(process, set()).add(bound)
        bound, process = histogram.known[series.key]
        if bucket and bound is None:
            return
        for step in steps:
            index = self._number(step.at)
            if bound is None:
                counts = histogram.counts.setdefault(index, {})
                counts[process] = counts.get(process, 0.0) + step.grown
            else:
                cell = histogram.cells.setdefault(index, {})
                cell[bound] = cell.get(bound, 0.0) + step.grown
            self._touch(index)

    def reading(self, now: float) -> Reading:
        canary, stable = self._arms["canary"], self._arms["stable"]
        # A canary that is not there yet will have the buckets that stable has.
        edges = edges_for(self.slo, canary.edges() or stable.edges(), stable.edges())
        changed = self._count(now, edges)
        known = [*stable.cells, *stable.counts]
        history = [
            (share_over(stable.cells.get(i, {}), _total(stable, i), edges.drift), _total(stable, i))
            for i in range(max(min(known, default=1), self._hour_ago), 1)
        ]
        return Reading(
            self._arm("canary"),
            self._stable(),
            tallies=self._tallies,
            changed=changed,
            history=history,
            exact=edges.exact,
            around=Around(edges.below_limit, edges.above_limit, edges.below_violation, edges.above_violation),
            problem=self._problem(canary, stable, edges),
            strata=self._by_stratum(now, edges),
        )

    def _count(self, now: float, edges: Edges) -> int:
        """Make the tallies up to ``now``; gives the first one that changed."""
        if edges != self._edges:
            self._edges = edges
            self._touch(1)
        return self._since(self._number(now), lambda index: self._tally(index, edges))

    def _stratum(self, name: str) -> LatencyBook:
        if name not in self._strata:
            whole = replace(self._spec, strata="")
            self._strata[name] = LatencyBook(self.slo, whole, self._origin, self._number)
        return self._strata[name]

    def _by_stratum(self, now: float, edges: Edges) -> list[tuple[Pair, ...]]:
        for book in self._strata.values():
            book._count(now, edges)
        rows = zip(*(book._tallies for book in self._strata.values()), strict=True)
        return [tuple(Pair(tally.drift, tally.n, tally.base, tally.m) for tally in row) for row in rows]

    def _cells_before(self, arm: str) -> dict[int, tuple[float, float, float]]:
        if arm not in self._arms:
            return {}
        histogram = self._arms[arm]
        limit, violation = (self._edges.drift, self._edges.below_violation) if self._edges else (math.inf, math.inf)
        found = {}
        for i in (i for i in {*histogram.cells, *histogram.counts} if i < 1):
            cell, total = histogram.cells.get(i, {}), _total(histogram, i)
            found[i] = (share_over(cell, total, limit), share_over(cell, total, violation), total)
        return found

    def _tally(self, index: int, edges: Edges) -> Tally:
        canary, stable = self._arms["canary"], self._arms["stable"]
        cell, n = canary.cells.get(index, {}), _total(canary, index)
        base, m = stable.cells.get(index, {}), _total(stable, index)
        limit, low, over, under, drift, at_stable = self._over
        return Tally(
            n,
            limit.put(index, cell, n, edges.above_limit),
            low.put(index, cell, n, edges.below_limit),
            over.put(index, cell, n, edges.below_violation),
            under.put(index, cell, n, edges.above_violation),
            drift.put(index, cell, n, edges.drift),
            m,
            at_stable.put(index, base, m, edges.drift),
        )

    def _problem(self, canary: _Histogram, stable: _Histogram, edges: Edges) -> tuple[str, str] | None:
        if any(math.inf not in own and process not in canary.counted for process, own in canary.bounds.items()):
            text = (
                f"{self.slo.metric} has neither a bucket +Inf nor a _count: nobody knows how many requests there were"
            )
            return "BUCKETS_TOO_COARSE", text
        if canary.counts and not canary.bounds:
            return "BUCKETS_TOO_COARSE", f"{self.slo.metric} has a _count but no buckets"
        if self.slo.max_drift is not None and stable.bounds and edges.drift == math.inf > edges.above_limit:
            return "BASELINE_MISSING", f"stable has no bucket of {self.slo.metric} that tells what is over the limit"
        return None


def _bound(labels: Labels) -> float | None:
    """The boundary of a bucket as a number: "0.50" and "0.5" are the same. None when it is none."""
    try:
        return float(labels.get("le", ""))
    except ValueError:
        return None


def _total(histogram: _Histogram, index: int) -> float:
    """Requests of one scrape: of each process its bucket +Inf, or its ``_count`` where it has none."""
    counted = histogram.counts.get(index, {}).items()
    rest = sum(grown for process, grown in counted if math.inf not in histogram.bounds.get(process, ()))
    return histogram.cells.get(index, {}).get(math.inf, 0.0) + rest
