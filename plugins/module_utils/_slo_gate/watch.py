# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import ROLLBACK
from ansible_collections.tars.rollout.plugins.module_utils._metrics.prometheus import Cost, Prometheus, QueryFault
from ansible_collections.tars.rollout.plugins.module_utils._metrics.reader import PartialData, Reader
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries
from ansible_collections.tars.rollout.plugins.module_utils._metrics.session import Poll, Session
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.fuse import Fuse
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.options import Plan
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.pace import STEP, Pace
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock

# Seconds after the end of a bake at which its last samples can be read.
INGEST = 0.25


class Watch:
    """The whole of a stage in one process: prime, then poll once per scrape until it is decided.

    ``tell`` is called after every poll with the seconds since the start. ``may`` is asked before every wait for the
    next poll, and raises when this run may not act any more.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        plan: Plan,
        clock: Clock,
        tell: Callable[[Watch], None],
        fuse: Fuse | None = None,
        may: Callable[[str], None] | None = None,
    ) -> None:
        self._prometheus = prometheus
        self._plan = plan
        self._clock = clock
        self._tell = tell
        self._fuse = fuse
        self._may = may
        self._reader = Reader(prometheus, plan.specs)
        self._scrape_s = min(spec.scrape_s for spec in plan.specs)
        self._primed = False
        self.polls = 0
        self.cut: Mapping[str, Any] | None = None
        self.fault = ""
        # When the last poll was, in seconds since the start.
        self.at = 0.0
        self.begin_at = 0.0
        # When this call joined in; before that lies what it catches up with.
        self._joined = 0.0
        # What was spent before the first poll: clock, first values, history, linter.
        self.before = Cost()
        self.session: Session
        self._pace: Pace

    def begin(self) -> None:
        """Measure the clock, read the history. Raises QueryFault for what waiting cannot heal."""
        try:
            self._prometheus.measure_offset()
        except QueryFault as fault:
            self._refuse_unless_passing(fault)
        replay, since = self._plan.replay, self._plan.since
        self._joined = self._prometheus.now()
        self.begin_at = replay[0] if replay else self._joined if since is None else since - self._prometheus.skew
        if replay is None and self.begin_at > self._joined + self._scrape_s:
            raise QueryFault("since cannot be used: it lies in the future", hint="Give when the weight came into force")
        self.session = Session(self._plan.specs, self, self.begin_at)
        self._pace = Pace(self.begin_at, self._scrape_s)
        if replay and replay[1] > self._prometheus.now():
            raise QueryFault("replay cannot be used: its end lies in the future by the clock of Prometheus")
        try:
            self._prime()
        except PartialData as partial:
            self.fault = str(partial)
        except QueryFault as fault:
            self._refuse_unless_passing(fault)

    def run(self) -> None:
        """Poll and judge until it is decided."""
        self.before = replace(self._prometheus.cost)
        again = False
        while not self.session.standings or not self.session.decided:
            # Asked before the wait and not after it: between the sample and the cut it would cost time, and the cut
            # carries the fence of this run anyway.
            if self._may is not None and not again:
                self._may("judging on")
            at = self.begin_at + self.at + STEP if again else self._next()
            live = self._plan.replay is None and at >= self._joined
            if live:
                # A clock that is set back by years must not make us wait for them.
                wait = min(max(0.0, at - self._prometheus.now()), 2 * self._scrape_s)
                self._clock.sleep(wait, "judging the stage")
                at = max(at, self._prometheus.now())
            poll = self.session.step(at)
            self.polls += 1
            self.at = at - self.begin_at
            if self._fuse is not None and self.session.worst[1].verdict == ROLLBACK:
                self.cut = self._fuse.blow(self.session.worst[1].reason)
            self._tell(self)
            again = live and not again and poll.fault is None and self._pace.missed(at, _scraped(poll.series))

    def read(self, at: float) -> Poll:
        """The Source of the session. What could not be read before the start is read now, as if it had been then."""
        if not self._primed:
            try:
                self._prime()
            except PartialData as partial:
                return Poll(fault=("PARTIAL_DATA", str(partial)), skew=self._prometheus.skew)
            except QueryFault as fault:
                return Poll(fault=("QUERY_ERROR", str(fault)), skew=self._prometheus.skew)
        poll = self._reader.read(at)
        self.fault = poll.fault[1] if poll.fault else ""
        return poll

    @property
    def notes(self) -> Sequence[str]:
        """What the server wanted to be known, in any answer so far."""
        return self._reader.notes

    def _prime(self) -> None:
        series = self._reader.prime(self.begin_at)
        if self._plan.history > 0:
            series = [*self._reader.history(self.begin_at - self._plan.history, self.begin_at, series), *series]
        self.session.prime(series)
        self._pace.measure(_scraped(series))
        self._primed = True

    def _refuse_unless_passing(self, fault: QueryFault) -> None:
        # A server that starts again, or a network that is lost for a minute, is no reason to give up a stage.
        if not fault.passing:
            raise fault
        self.fault = str(fault)

    def _next(self) -> float:
        """When to poll: once per scrape, right after the samples came in, and exactly at the end of the bake."""
        scrape, start = self._scrape_s, self.begin_at
        if self._plan.replay is not None:
            return min(start + (self.polls + 1) * scrape, self._plan.replay[1])
        last = start + self.at
        # Scrapes between the start and this call are judged one by one, as they would have been.
        behind = last < self._joined - scrape
        at = self._pace.after(last + scrape / 2 if behind else max(self._prometheus.now(), last + scrape / 2))
        ends = {start + end + INGEST for spec in self._plan.specs for end in (spec.bake_s, spec.max_bake_s)}
        return min([at, *(end for end in ends if last < end < at)])


def _scraped(series: Sequence[RawSeries]) -> list[RawSeries]:
    """What a service counted by itself: expressions are as young as the question, and have no labels."""
    return [item for item in series if item.name != "up" and item.labels]
