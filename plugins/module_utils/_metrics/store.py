# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import FRESH_SCRAPES, Reading, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.book import Book
from ansible_collections.tars.rollout.plugins.module_utils._metrics.books import book_for
from ansible_collections.tars.rollout.plugins.module_utils._metrics.freshness import Past
from ansible_collections.tars.rollout.plugins.module_utils._metrics.match import arms_of, matches
from ansible_collections.tars.rollout.plugins.module_utils._metrics.match import parts as parts_of
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import (
    Counters,
    RawSeries,
    pod_of,
    target_of,
)

_COUNTING = ("ratio", "latency", "count")


@dataclass(frozen=True)
class _Route:
    """Where a series goes: books with the arm it counts for, whether it is a counter for one of them, its process."""

    places: list[tuple[Book, str]]
    counts: bool
    target: tuple[str, ...]


class Store:
    """All that was read for the services of one call, as counts per objective, arm and scrape.

    ``start``: when the weight came into force (seconds since 1970 by Prometheus' clock); the judgement begins when it
    has settled. Scrape number i holds what has a time stamp in (begin + (i-1) scrape, begin + i scrape]; late samples
    still find their place.
    """

    def __init__(self, specs: Iterable[Spec], start: float) -> None:
        self._specs = list(specs)
        self._counters = Counters()
        self._books: list[dict[str, Book]] = [
            {
                slo.name: book_for(slo, spec, start + spec.settle_s, Numbering(start + spec.settle_s, spec.scrape_s))
                for slo in spec.slos
            }
            for spec in self._specs
        ]
        self._routes: dict[frozenset[tuple[str, str]], _Route] = {}
        # (service index, arm, pod) -> (time, value) of the newest sample of `up`, and the time between two of them.
        self._up: dict[tuple[int, str, str], tuple[float, float]] = {}
        self._up_interval: dict[tuple[int, str, str], float] = {}

    def add(self, batch: Iterable[RawSeries]) -> None:
        """Take in what one poll brought; samples that were seen already do no harm, nor does their order."""
        batch = list(batch)
        for series in batch:
            if series.native:
                self._see_native(series)
        batch = _merged(series for series in batch if not series.native)
        routed = [(series, self._route(series)) for series in batch if series.name != "up"]
        counters = [(series, route) for series, route in routed if route.counts]
        grown = self._counters.steps((series, route.target) for series, route in counters)
        steps = {series.key: step for (series, _route), step in zip(counters, grown, strict=True)}
        for series, route in routed:
            for book, arm in route.places:
                book.see(arm, series, steps.get(series.key, []))
        for series in batch:
            if series.name == "up":
                self._see_up(series)
                for book, arm in self._route(series).places:
                    book.see(arm, series, [])

    def readings(self, service: int, now: float) -> Mapping[str, Reading]:
        """What each objective of a service is judged by, up to the time ``now`` (seconds since 1970)."""
        return {name: book.judged(now) for name, book in self._books[service].items()}

    def past(self, service: int, slo: str, arm: str, within: float = math.inf) -> Past:
        """What an arm did in the last ``within`` seconds before the judgement began."""
        return self._books[service][slo].past(arm, within)

    def pods(self, service: int, now: float) -> Mapping[str, int]:
        """How many pods of each arm are up, by their newest sample of ``up``; one that is too old does not count."""
        spec = self._specs[service]
        found = dict.fromkeys(spec.arms, 0)
        for place, (at, value) in self._up.items():
            interval = max(spec.scrape_s, self._up_interval.get(place, 0.0))
            if place[0] == service and value == 1 and now - at <= FRESH_SCRAPES * interval:
                found[place[1]] += 1
        return found

    def _route(self, series: RawSeries) -> _Route:
        """Found once for each series: nothing of it changes from poll to poll."""
        if (found := self._routes.get(series.key)) is None:
            places = [
                (books[slo.name], arm)
                for spec, books in zip(self._specs, self._books, strict=True)
                for slo in spec.slos
                if series.name in parts_of(slo)
                for arm in arms_of(slo, spec, series.labels)
            ]
            objectives = [book.slo for book, _arm in places]
            told = {label for slo in objectives for label in slo.bad}
            found = self._routes[series.key] = _Route(
                places,
                any(slo.kind in _COUNTING for slo in objectives),
                target_of(series.name, series.labels, told),
            )
        return found

    def _see_native(self, series: RawSeries) -> None:
        for spec, books in zip(self._specs, self._books, strict=True):
            for slo in spec.slos:
                if series.name in (slo.metric, *parts_of(slo)):
                    for arm in arms_of(slo, spec, series.labels):
                        books[slo.name].see_native(arm)

    def _see_up(self, series: RawSeries) -> None:
        samples = [(at, value) for at, value in series.samples if not math.isnan(value)]
        if not samples:
            return
        for index, spec in enumerate(self._specs):
            for arm, matchers in spec.arms.items():
                if matches(series.labels, matchers):
                    place = (index, arm, pod_of(series.labels))
                    times = sorted({at for at, _value in [*samples, self._up.get(place, samples[0])]})
                    gaps = [b - a for a, b in pairwise(times)]
                    if gaps:
                        self._up_interval[place] = min([*gaps, self._up_interval.get(place, gaps[0])])
                    self._up[place] = max(samples[-1], self._up.get(place, samples[-1]))


class Numbering:
    """Which scrape a time stamp belongs to; a millisecond of jitter does not move it."""

    def __init__(self, origin: float, scrape_s: float) -> None:
        self._origin = origin
        self._scrape_s = scrape_s

    def __call__(self, at: float) -> int:
        return math.ceil((at - self._origin) / self._scrape_s - 1e-4)


def _merged(batch: Iterable[RawSeries]) -> list[RawSeries]:
    """One entry per series: a read in several parts brings the same one more than once."""
    pieces: dict[frozenset[tuple[str, str]], list[RawSeries]] = {}
    for series in batch:
        pieces.setdefault(series.key, []).append(series)
    return [
        RawSeries(parts[0].name, parts[0].labels, sorted({s for part in parts for s in part.samples}))
        if len(parts) > 1
        else parts[0]
        for parts in pieces.values()
    ]
