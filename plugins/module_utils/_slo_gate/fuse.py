# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import Bug, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic import request
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Cut, Seen, Target, Wish
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import WRITERS, Moved, Mover, cut_one
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Provider
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline


class Fuse(Protocol):
    """Takes the canary out of the traffic in the moment of the decision."""

    def check(self) -> Sequence[str]:
        """Before the bake: whether it could cut; writes nothing. Raises RolloutError with what keeps it from it, for
        every route by itself; gives what nobody could tell."""

    def blow(self, reason: str) -> Mapping[str, Any]:
        """Cut now; tells what became of it and never raises: the verdict stands whatever happens here."""


class RouteFuse:
    """Cuts routes through a traffic provider: weight 0, the next fence, and the reason on the route."""

    def __init__(
        self,
        provider: Provider,
        clock: Clock,
        services: Sequence[Mapping[str, Any]],
        release: str,
        budget: float = 10.0,
        fence: int | None = None,
    ) -> None:
        """``fence``: under which the cut is written; a route with a newer one refuses. None: the next one is taken."""
        self._provider = provider
        self._clock = clock
        self._targets = [request.target(service) for service in services]
        self._release = release
        self._budget = budget
        self._fence = fence
        # What check() has read. Nobody else writes in a bake; if somebody did, the patch is refused and we read anew.
        self._seen: dict[str, Seen] = {}

    def check(self) -> Sequence[str]:
        wish = Wish(0, self._fence, self._release, self._cut("check"))

        def one(target: Target) -> str:
            seen = Mover(self._provider, self._clock, self._budget).see(target)
            self._provider.plan(seen, wish)
            self._seen[str(target)] = seen
            try:
                fault = self._provider.may_patch(target)
            except RolloutError as error:
                # Who may not even ask may still be allowed to write.
                return f"whether {target.object} may be patched could not be asked: {error.msg}"
            if fault is not None:
                raise fault
            return ""

        told = at_once(
            self._targets, one, lambda failed, count: f"{failed} of {count} routes could not be cut", WRITERS
        )
        return [text for text in told if text]

    def blow(self, reason: str) -> Mapping[str, Any]:
        watch = Deadline(self._clock, self._budget)
        routes, cut = [str(target) for target in self._targets], self._cut(reason)

        def one(target: Target) -> Moved:
            seen = self._seen.get(str(target))
            return cut_one(self._provider, self._clock, target, cut, self._budget, self._fence, seen)

        try:
            # Each route by itself: one that cannot be cut must not keep the others from it.
            moved = at_once(
                self._targets, one, lambda failed, count: f"{failed} of {count} routes were not cut", WRITERS
            )
        except Exception as error:
            # Whatever it is: the verdict is what must not be lost now.
            fault = error if isinstance(error, RolloutError) else Bug(error)
            told = {"error": str(fault), "details": fault.details}
            return {"done": False, "routes": routes, "after_s": round(watch.elapsed, 3), **told}
        patches = sum(item.patches for item in moved)
        return {"done": True, "routes": routes, "after_s": round(watch.elapsed, 3), "patches": patches}

    def _cut(self, reason: str) -> Cut:
        return Cut(self._release, moment(self._clock.now()), reason)
