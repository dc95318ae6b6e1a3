# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Proof that traffic follows a weight: the gateways have the route, then the requests go where they should.

The second half takes counter differences since a baseline taken after the first half. Never a rate: it mixes old and
new as long as its window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.tars.rollout.plugins.module_utils._traffic import envoy
from ansible_collections.tars.rollout.plugins.module_utils._traffic.gateways import Source
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Arm, Plan
from ansible_collections.tars.rollout.plugins.module_utils._traffic.route_proof import AWAY, RouteProof
from ansible_collections.tars.rollout.plugins.module_utils._traffic.share import Share, Watch
from ansible_collections.tars.rollout.plugins.module_utils._traffic.watching import Watching
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

# Looks with new requests after which the share of a route that did not move is told.
ENOUGH = 2


@dataclass(frozen=True)
class Patience:
    """Seconds: until all gateways must have the route, until the share must show, between looks, of no requests, and of
    no control plane.
    """

    route: float = 12.0
    share: float = 30.0
    interval: float = 0.5
    quiet: float = 3.0
    away: float = AWAY


@dataclass(frozen=True)
class Followed:
    """What was seen of one route.

    ``state``: proven, unchanged, undecided, not_followed, no_traffic, not_counted; probed where no gateway was asked.
    """

    plan: Plan
    gateways: int
    route_after: float
    state: str
    share: Share
    share_after: float


class Follower:
    """Watches all routes of a call in one loop."""

    def __init__(self, gateways: Source, clock: Clock, patience: Patience) -> None:
        self._watching = Watching(gateways, clock)
        self._routes = RouteProof(self._watching, clock)
        self._clock = clock
        self._patience = patience
        self.in_force_at: float | None = None
        """Seconds since 1970 UTC: when the last gateway was seen to use the new routes. None until then."""

    def prepare(self, plans: Sequence[Plan]) -> None:
        """To be called before the routes are written; see RouteProof."""
        self._routes.prepare(plans)

    def follow(self, plans: Sequence[Plan], tell: Callable[[Followed], None]) -> list[Followed]:
        """Both halves for all plans, in their order; ``tell`` hears of each route when it is done.

        TrafficError when a gateway does not take the new routes.
        """
        arrived = self._routes.wait(plans, self._patience.route, self._patience.away)
        self.in_force_at = self._clock.now()
        deadline = Deadline(self._clock, self._patience.share)
        start = self._watching.counts(deadline)
        looks = {plan.target.service: _Look(plan, start, self._watching.shows_routes) for plan in plans}
        done: dict[str, Followed] = {}
        while len(done) < len(plans):
            self._clock.sleep(self._patience.interval, "counting requests at the gateways")
            now = self._watching.counts(deadline)
            for service, look in looks.items():
                if service not in done and (state := look.take(now, deadline, self._patience)):
                    done[service] = Followed(
                        look.plan, len(now), arrived[service], state, look.watch.last, deadline.elapsed
                    )
                    tell(done[service])
        return [done[plan.target.service] for plan in plans]


class _Look:
    """The requests of one route since the baseline."""

    def __init__(self, plan: Plan, start: Mapping[str, envoy.Counts], shown: bool) -> None:
        """``shown``: whether the gateways show their routes, so that these are proven already."""
        self.plan = plan
        self._shown = shown
        self._quiet = 0
        self.watch = Watch(plan.before, plan.wanted)
        self._start = start
        self._fresh = 0

    def take(self, now: Mapping[str, envoy.Counts], deadline: Deadline, patience: Patience) -> str:
        """What is known of the share by now; empty: look again."""
        before, canary_before = self.watch.last.total, self.watch.last.canary
        stable, canary = self._since(now, self.plan.split.stable), self._since(now, self.plan.split.canary)
        if stable is None and canary is None:
            return "not_counted"
        proven = self.watch.look(stable or 0, canary or 0)
        fresh = self.watch.last.total > before
        self._fresh += fresh
        if fresh:
            self._quiet = self._quiet + 1 if self.watch.last.canary == canary_before else 0
        if proven:
            return "proven"
        if self.watch.last.total == 0 and deadline.elapsed >= min(patience.quiet, patience.share):
            return "no_traffic"
        if not self.watch.moves and not self._shown and self.plan.wanted == 0:
            # Nothing was written, so no new route was taken either: only that the canary gets no more requests tells.
            if self._quiet >= ENOUGH:
                return "unchanged"
            return "not_followed" if deadline.over else ""
        if not self.watch.moves and (self._fresh >= ENOUGH or deadline.over):
            return "unchanged"
        if deadline.over:
            return "not_followed" if self.watch.contradicts else "undecided"
        return ""

    def _since(self, now: Mapping[str, envoy.Counts], arm: Arm) -> int | None:
        """Requests of an arm over all gateways; None when no gateway counts it."""
        found = []
        for name, counts in now.items():
            value = counts.of(arm.upstream)
            # A gateway that was not there, or started anew, counts from zero: all of that came after the baseline.
            before = (self._start[name].of(arm.upstream) if name in self._start else None) or 0
            if value is not None:
                found.append(value - before if value >= before else value)
        return sum(found) if found else None
