# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ansible_collections.tars.rollout.plugins.module_utils._gate.gate import Gate, Standing, View
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import FRESH_SCRAPES, HOLD, PASS, ROLLBACK, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries
from ansible_collections.tars.rollout.plugins.module_utils._metrics.store import Store


@dataclass(frozen=True)
class Poll:
    """One answer of the data source: raw series, or a fault (reason, sentence) and nothing that may be used.

    ``skew``: seconds that the clock here is ahead of Prometheus' clock.
    """

    series: Sequence[RawSeries] = ()
    fault: tuple[str, str] | None = None
    skew: float = 0.0
    notes: tuple[str, ...] = field(default=())


class Source(Protocol):
    """Where raw samples come from: Prometheus, or a recording."""

    def read(self, at: float) -> Poll:
        """All samples up to ``at`` (seconds since 1970 by Prometheus' clock) that may be new; never raises for faults
        of the source."""


class Session:
    """Judges the services of one call: every ``step`` is one poll, one reading, one look of every gate.

    ``start``: when the weight of the stage came into force, by Prometheus' clock.
    """

    def __init__(self, specs: Iterable[Spec], source: Source, start: float) -> None:
        self.specs = list(specs)
        self._source = source
        self._start = start
        self.gates = [Gate(spec) for spec in self.specs]
        self.store = Store(self.specs, start)
        self.standings: list[Standing] = []

    def prime(self, series: Iterable[RawSeries]) -> None:
        """Take in what lies before the start: the history of stable, and the values that growth is counted from."""
        self.store.add(series)

    def step(self, at: float) -> Poll:
        """Poll at ``at`` and judge; ``standings`` and ``verdict`` tell what stands then."""
        poll = self._source.read(at)
        fault = poll.fault or self._skewed(poll.skew)
        if fault is None:
            self.store.add(poll.series)
        now = at - self._start
        self.standings = [
            gate.look(
                View(now, fault=fault)
                if fault
                else View(now, self.store.readings(index, at), self.store.pods(index, at))
            )
            for index, gate in enumerate(self.gates)
        ]
        return poll

    @property
    def decided(self) -> bool:
        """Whether the call is over: one service rolls back, or all have come to their end."""
        return any(s.verdict == ROLLBACK for s in self.standings) or all(s.decided for s in self.standings)

    @property
    def worst(self) -> tuple[int, Standing]:
        """The service whose standing is the verdict of the whole call: rollback before hold before pass."""
        order = (ROLLBACK, HOLD, PASS)
        index = min(range(len(self.standings)), key=lambda i: order.index(self.standings[i].verdict))
        return index, self.standings[index]

    def _skewed(self, skew: float) -> tuple[str, str] | None:
        allowed = FRESH_SCRAPES * max(spec.scrape_s for spec in self.specs)
        if abs(skew) <= allowed:
            return None
        where = "ahead of" if skew > 0 else "behind"
        text = f"the clock here is {abs(skew):.0f} s {where} that of Prometheus, more than {allowed:g} s"
        return "CLOCK_SKEW", f"{text}; set one of them right"
