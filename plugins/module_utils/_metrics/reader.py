# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import FRESH_SCRAPES, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.answer import Result
from ansible_collections.tars.rollout.plugins.module_utils._metrics.buckets import edges_for
from ansible_collections.tars.rollout.plugins.module_utils._metrics.match import arms_of, parts
from ansible_collections.tars.rollout.plugins.module_utils._metrics.prometheus import Prometheus, QueryFault, split
from ansible_collections.tars.rollout.plugins.module_utils._metrics.query import (
    Selector,
    alternatives,
    needed_bounds,
    selectors,
    stable_selectors,
    with_bounds,
)
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries
from ansible_collections.tars.rollout.plugins.module_utils._metrics.session import Poll

# One request of the history holds at most so many seconds, and all of them at most so many samples.
HISTORY_CHUNK_S = 600.0
# How far the first read looks back at least, as far as a plain selector of Prometheus does: a series that ended a few
# minutes ago is stale, not unknown.
LOOK_BACK_S = 300.0
HISTORY_SAMPLES = 150_000
MILLISECOND = 0.001
# An expression that is the name of a series and no more, such as a recorded ratio.
_PLAIN = re.compile(r"\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(\{[^{}]*\})?\s*")
# Infos may quote the question, which differs from poll to poll: so many of them are enough to read.
MOST_NOTES = 50


class Reader:
    """One raw read per poll for all services, objectives and arms; remembers up to when it has read.

    A poll that brought a fault or warnings is not remembered, so the next one reads further back and nothing is lost.
    """

    def __init__(self, prometheus: Prometheus, specs: Iterable[Spec]) -> None:
        self._prometheus = prometheus
        self._specs = list(specs)
        self._scrape_s = max(spec.scrape_s for spec in self._specs)
        self._selectors = selectors(self._specs)
        self._expressions = sorted({slo.expr for spec in self._specs for slo in spec.slos if slo.expr})
        self._read_to = -math.inf
        self.notes: list[str] = []

    @property
    def window(self) -> float:
        """Seconds that a poll looks back at least: so many that a lost scrape does not hide a series."""
        return (FRESH_SCRAPES + 1) * self._scrape_s

    def prime(self, at: float) -> list[RawSeries]:
        """The values that growth is counted from. Decides, for all polls, which buckets are needed.

        Raises QueryFault, PartialData, and RolloutError for an expression that answers more than one series.
        """
        series = self._all(at - max(self.window, LOOK_BACK_S), at)
        self._selectors = [with_bounds(s, self._bounds(s, series)) for s in self._selectors]
        for expression in self._expressions:
            result = self._checked(self._prometheus.instant(expression, at))
            if result.rows > 1:
                raise RolloutError(
                    f"The expression {expression!r} answers {result.rows} series where one value is needed",
                    reason="bad_gate_file",
                    hint="Aggregate it, for instance with max(...) or sum(...)",
                )
            series += _native(expression, result)
        series += self._without_buckets(series, at)
        self._read_to = at
        return series

    def _without_buckets(self, series: Sequence[RawSeries], at: float) -> list[RawSeries]:
        """The native histograms where a canary has no buckets: asked for once, since a poll reads only buckets."""
        found: list[RawSeries] = []
        for spec in self._specs:
            for slo in (slo for slo in spec.slos if slo.kind == "latency"):
                own = (item for item in series if item.name in parts(slo))
                if any("canary" in arms_of(slo, spec, item.labels) for item in own):
                    continue
                wanted = Selector(frozenset({slo.metric}), alternatives({**spec.arms["canary"], **slo.match}))
                try:
                    found += self._prometheus.instant(wanted.text, at).native
                except QueryFault:
                    # Only an explanation is lost.
                    continue
        return found

    def history(self, start: float, end: float, series: Sequence[RawSeries]) -> list[RawSeries]:
        """Stable's past, oldest first; shorter than asked where that would be too much. ``series``: what prime gave."""
        wanted = [with_bounds(s, self._bounds(s, series)) for s in stable_selectors(self._specs)]
        names = {name for selector in wanted for name in selector.names}
        count = sum(item.name in names for item in series)
        longest = HISTORY_SAMPLES / max(count, 1) * self._scrape_s
        found: list[RawSeries] = []
        at = max(start, end - longest)
        while at < end:
            to = min(at + HISTORY_CHUNK_S, end)
            found += self._raw(wanted, at, to)
            at = to
        return found

    def read(self, at: float) -> Poll:
        """All that is new up to ``at``; a fault of the source is an answer, not an exception."""
        prometheus = self._prometheus
        # One scrape more than what was read: some samples come late.
        start = min(at - self.window, self._read_to - self._scrape_s)
        try:
            series = self._all(start, at)
            series += [found for text in self._expressions for found in self._value(text, at)]
        except PartialData as partial:
            return Poll(fault=("PARTIAL_DATA", str(partial)), skew=prometheus.skew)
        except QueryFault as fault:
            return Poll(fault=("QUERY_ERROR", str(fault)), skew=prometheus.skew)
        self._read_to = at
        return Poll(series, skew=prometheus.skew)

    def _all(self, start: float, end: float) -> list[RawSeries]:
        return self._raw(self._selectors, start, end)

    def _raw(self, wanted: Iterable[Selector], start: float, end: float) -> list[RawSeries]:
        found: list[RawSeries] = []
        for selector in wanted:
            for result in split(self._reading(selector), start, end, self._scrape_s):
                found += (_within(series, start, end) for series in result.series)
                found += result.native
        return found

    def _reading(self, selector: Selector) -> Callable[[float, float], list[Result]]:
        def read(start: float, end: float) -> list[Result]:
            window = max(1, math.ceil((end - start) * 1000))
            return [self._checked(self._prometheus.instant(f"{selector.text}[{window}ms]", end))]

        return read

    def _checked(self, result: Result) -> Result:
        for info in result.infos:
            if info not in self.notes and len(self.notes) < MOST_NOTES:
                self.notes.append(info)
        if result.warnings:
            raise PartialData("; ".join(result.warnings))
        return result

    def _value(self, expression: str, at: float) -> list[RawSeries]:
        result = self._checked(self._prometheus.instant(expression, at))
        if result.rows > 1:
            raise QueryFault(f"the expression {expression!r} answers {result.rows} series where one value is needed")
        if result.value is None:
            return _native(expression, result)
        told = at
        if _PLAIN.fullmatch(expression):
            # Prometheus shows the last value of a recording rule for five minutes after the rule has died.
            age = self._checked(self._prometheus.instant(f"timestamp({expression})", at)).value
            told = min(at, age) if age is not None and math.isfinite(age) else at
        return [RawSeries(expression, {}, [(told, result.value)])]

    def _bounds(self, selector: Selector, series: Sequence[RawSeries]) -> frozenset[str] | None:
        """The texts of ``le`` that the limits need. None, all of them, while an arm's buckets are not known yet:

        the choice is made once, since a bucket that becomes visible later would look like a burst of requests.
        """
        texts: set[str] = set()
        needed: set[float] = set()
        for spec in self._specs:
            for slo in (slo for slo in spec.slos if slo.kind == "latency"):
                bucket = parts(slo)[0]
                if bucket not in selector.names:
                    continue
                arms: dict[str, set[float]] = {arm: set() for arm in spec.arms}
                for item in (item for item in series if item.name == bucket and "le" in item.labels):
                    for arm in arms_of(slo, spec, item.labels):
                        texts.add(item.labels["le"])
                        arms[arm] |= _numbers(item.labels["le"])
                if not arms["canary"]:
                    return None
                edges = edges_for(slo, arms["canary"], arms.get("stable", set()))
                needed |= {
                    edges.below_limit,
                    edges.above_limit,
                    edges.below_violation,
                    edges.above_violation,
                    edges.drift,
                }
        return needed_bounds(texts, needed) if needed else None


def _within(series: RawSeries, start: float, end: float) -> RawSeries:
    """The samples that were asked for, to the millisecond of the question: others have no place in any scrape."""
    low, high = start - MILLISECOND, end + MILLISECOND
    if not series.samples or (series.samples[0][0] >= low and series.samples[-1][0] <= high):
        return series
    return RawSeries(series.name, series.labels, [sample for sample in series.samples if low <= sample[0] <= high])


class PartialData(Exception):
    """The answer came with warnings: something is missing in it, and nobody knows what."""


def _native(expression: str, result: Result) -> list[RawSeries]:
    """An expression that answers a native histogram, under its own name; nothing for any other."""
    return [RawSeries(expression, {}, [], native=True)] if result.native else []


def _numbers(text: str) -> set[float]:
    try:
        return {float(text)}
    except ValueError:
        return set()
