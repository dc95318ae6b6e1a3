# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Moves many routes in one go: read all, plan all, and only when all plans stand patch all, each at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import (
    Cut,
    Plan,
    Seen,
    Target,
    TrafficError,
    Wish,
)
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Provider
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

TRIES = 5
PAUSE = 0.1
# More keep each other waiting, since each wants the processor for its connection: on two cores with the API server
# beside, ten routes were cut in 0.41 to 0.57 s by ten and in 0.28 to 0.33 s by five. Far away ten cost two turns more.
WRITERS = 5
# Somebody wrote between our read and our write: nothing has happened, and only a new look tells what to do now.
CHANGED = frozenset({"kube_patch_test_failed", "kube_conflict"})
# The server is busy, restarting or out of reach for a moment. Whether a write has arrived shows in the next read.
PASSING = frozenset({"kube_busy", "kube_timeout", "kube_unreachable", "kube_broken"})


@dataclass(frozen=True)
class Moved:
    """What became of one route: the plan that held in the end, what was written, seconds since the start."""

    plan: Plan
    after: Seen | None
    reads: int
    patches: int
    patched_after: float


@dataclass(frozen=True)
class Wanted:
    """One route with what it shall say."""

    target: Target
    wish: Wish


def cut_one(
    provider: Provider, clock: Clock, target: Target, cut: Cut, budget: float = 10, fence: int | None = None,
    seen: Seen | None = None,
) -> Moved:  # fmt: skip
    """Take the canary of a route out of the traffic now: for whoever decides, before anybody else hears of it.

    ``fence``: written under that one, and refused by a route with a newer one; None takes the next one of the route.
    ``seen``: the route as it was read before, which saves the read. Has it changed since, the API server refuses the
    patch, and it is read after all.
    """
    wanted = Wanted(target, Wish(0, fence, cut.release, cut))
    mover = Mover(provider, clock, budget)
    plan = provider.plan(seen, wanted.wish) if seen is not None else None
    # Without anything to write nobody would say that the route has changed.
    return mover.write(wanted, plan if plan is not None and plan.ops else mover.look(wanted))


class Mover:
    """``budget``: seconds within which a conflict or a busy server is answered with a new try."""

    def __init__(self, provider: Provider, clock: Clock, budget: float) -> None:
        self._provider = provider
        self._clock = clock
        self._deadline = Deadline(clock, budget)

    def plan(self, wanted: Sequence[Wanted]) -> list[Plan]:
        """One read and one plan per route, or one error that tells of all routes which cannot be planned."""
        return at_once(wanted, self.look, _unplanned, WRITERS)

    def patch(
        self, wanted: Sequence[Wanted], plans: Sequence[Plan], tell: Callable[[Moved], None] = lambda moved: None
    ) -> list[Moved]:
        """Write all plans at once. When some fail the error says which were moved and which were not.

        ``tell`` hears of each route as soon as it is done, from several threads.
        """

        def write(pair: tuple[Wanted, Plan]) -> Moved:
            moved = self.write(*pair)
            tell(moved)
            return moved

        return at_once(list(zip(wanted, plans, strict=True)), write, _unwritten, WRITERS)

    def see(self, target: Target) -> Seen:
        """A route as it is now; a server that is busy is asked again."""
        return self._patiently(lambda: self._provider.observe(target))

    def look(self, wanted: Wanted) -> Plan:
        """One read and one plan of one route."""
        return self._provider.plan(self.see(wanted.target), wanted.wish)

    def write(self, wanted: Wanted, plan: Plan) -> Moved:
        """Write one plan; where the route has changed since, what is planned for it then."""
        first, reads, patches = plan, 1, 0
        while plan.ops:
            patches += 1
            try:
                after = self._provider.patch(plan)
                return Moved(_since(first, plan), after, reads, patches, self._deadline.elapsed)
            except RolloutError as error:
                if error.reason not in CHANGED and not passing(error):
                    raise
                busy = passing(error)
                if patches >= TRIES or self._deadline.over:
                    raise _gave_up(wanted.target, error, patches) from None
            # At once after a conflict: the other write is through. A busy server gets a moment.
            if busy:
                self._clock.sleep(PAUSE * patches, f"waiting to write {wanted.target} again")
            reads += 1
            plan = self.look(wanted)
        return Moved(_since(first, plan), None, reads, patches, self._deadline.elapsed)

    def _patiently(self, look: Callable[[], Seen]) -> Seen:
        for tries in range(1, TRIES + 1):
            try:
                return look()
            except RolloutError as error:
                if not passing(error) or tries == TRIES or self._deadline.over:
                    raise
            self._clock.sleep(PAUSE * tries, "waiting to read a route again")
        raise AssertionError("the last try returns or raises")


def passing(error: RolloutError) -> bool:
    """Whether the API server may well answer in a moment: it is busy, starts again, or was out of reach."""
    return error.reason in PASSING or int(error.details.get("status") or 0) >= 500


def _unplanned(failed: int, count: int) -> str:
    return f"{failed} of {count} routes cannot be planned, so none was changed"


def _unwritten(failed: int, count: int) -> str:
    rest = f", the other {count - failed} say what was wanted" if failed < count else ""
    return f"{failed} of {count} routes were not changed{rest}"


def _gave_up(target: Target, error: RolloutError, tries: int) -> TrafficError:
    return TrafficError(
        f"{target} could not be written in {tries} tries: {error.msg}",
        reason="conflict" if error.reason in CHANGED else error.reason,
        hint="Find out who writes this object all the time" if error.reason in CHANGED else error.hint,
        details={"service": target.service, **error.details, "tries": tries},
    )


def _since(first: Plan, last: Plan) -> Plan:
    """The plan that held, told from where the call began."""
    return replace(last, before=first.before, ops=first.ops, diff_before=first.diff_before)
