# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The share of workers: whoever takes work from a queue gets it by number, so pods are the only weight there is. Pure.

How many pods stable had stands in an annotation of it for as long as it has fewer, so neither a lost record nor a
killed run forgets it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import changes, copying
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    Service,
    TrackError,
    World,
    annotations_of,
    is_canary,
    name_of,
)
from ansible_collections.tars.rollout.plugins.module_utils._traffic.marks import FENCE

WHOLE = "ga.rollout/replicas"


@dataclass(frozen=True)
class Counts:
    """Pods of either track."""

    stable: int
    canary: int

    @property
    def share(self) -> float | None:
        """Percent of the work that the canary gets; None where nobody works."""
        total = self.stable + self.canary
        return 100 * self.canary / total if total else None


@dataclass(frozen=True)
class Ask:
    """What is wanted. ``weight`` None: stable whole again, and the canary as it is.

    ``fence`` None: the one that is there, for a cut the next one.
    """

    weight: int | None
    fence: int | None = None
    cut: bool = False


@dataclass(frozen=True)
class Worker:
    """One worker as it is and as it shall be; ``whole`` is what stable has when there is no release."""

    service: Service
    stable: Document
    canary: Document | None
    whole: int
    before: Counts
    wanted: Counts
    fence: int | None

    @property
    def parts(self) -> list[tuple[Document, int, int]]:
        """The Deployments with their pods before and as wanted."""
        found = [(self.stable, self.before.stable, self.wanted.stable)]
        if self.canary is not None:
            found.append((self.canary, self.before.canary, self.wanted.canary))
        return found

    def operations(self, live: Document, replicas: int) -> Sequence[changes.Op]:
        """The patch that gives one of its Deployments so many pods; TrackError when a newer run has written it."""
        changes.check_fence(live, self.fence, f"The Deployment {name_of(live)}")
        notes = {} if self.fence is None else {FENCE: str(self.fence)}
        gone: list[str] = []
        noted = annotations_of(live).get(WHOLE)
        right = int(live["spec"].get("replicas") or 0) == replicas
        if name_of(live) == self.service.name and not self.wanted.canary:
            gone, right = [WHOLE], right and noted is None
        elif name_of(live) == self.service.name:
            notes[WHOLE], right = str(self.whole), right and noted == str(self.whole)
        # What is as it shall be is not written for the fence alone.
        return [] if right else changes.annotated(live, notes, {"replicas": replicas}, gone)


def counts(whole: int, weight: int) -> Counts:
    """Pods for a weight: the canary's by its share, stable as many as that leaves it, and never none before 100.

    Together they are never fewer than ``whole``. So few pods cannot express every weight: 1 % of 4 is 1 of 5.
    """
    if not weight:
        return Counts(whole, 0)
    canary = copying.copies(whole, weight)
    if weight == 100:
        return Counts(0, canary)
    left = math.floor(canary * (100 - weight) / weight + 0.5)
    return Counts(min(whole, max(1, left, whole - canary)), canary)


def whole_of(stable: Document) -> int:
    """How many pods stable has when there is no release."""
    noted = annotations_of(stable).get(WHOLE, "")
    return int(noted) if noted.isascii() and noted.isdigit() else int(stable["spec"].get("replicas") or 0)


def plan(world: World, services: Sequence[Service], ask: Ask) -> list[Worker]:
    """Every worker of a call, or TrackError for the first that cannot be shared; then none is touched."""
    return [_worker(world, service, ask) for service in services]


def doubts(workers: Sequence[Worker], weight: int | None) -> list[str]:
    """Where the pods cannot express the weight."""
    found = []
    for worker in workers:
        share = worker.wanted.share
        if weight is not None and share is not None and abs(share - weight) >= 1:
            pods = f"{worker.wanted.canary} of {worker.wanted.stable + worker.wanted.canary} pods"
            found.append(f"The canary of {worker.service.name} cannot have {weight} %: {pods} are {share:.0f} %")
    return found


def _worker(world: World, service: Service, ask: Ask) -> Worker:
    stable = world.named("deployments", service.name)
    if stable is None:
        raise TrackError(
            f"There is no Deployment {service.name} in {world.namespace}",
            reason="deployment_missing", hint="Correct the name of the worker",
        )  # fmt: skip
    canary = world.named("deployments", service.canary)
    if canary is not None and not is_canary(canary):
        raise TrackError(
            f"The Deployment {service.canary} is there and was not made by this collection",
            reason="canary_taken", hint="Remove or rename it",
        )  # fmt: skip
    before = Counts(_replicas(stable), _replicas(canary) if canary else 0)
    whole = whole_of(stable)
    if not whole:
        raise TrackError(
            f"The worker {service.name} is scaled to 0, so no share of it can be given",
            reason="stable_scaled_to_zero", hint="Scale stable to what its work needs",
        )  # fmt: skip
    wanted = Counts(whole, before.canary) if ask.weight is None else counts(whole, ask.weight)
    if wanted.canary and canary is None:
        raise TrackError(
            f"The worker {service.name} has no canary that could work",
            reason="canary_missing", hint="Make the canary first (canary_track)",
        )  # fmt: skip
    return Worker(service, stable, canary, whole, before, wanted, _fence(ask, stable, canary))


def _fence(ask: Ask, stable: Document, canary: Document | None) -> int | None:
    if ask.fence is not None or not ask.cut:
        return ask.fence
    return 1 + max(changes.fence_there(item) for item in (stable, canary) if item is not None)


def _replicas(deployment: Mapping[str, Any]) -> int:
    return int(deployment["spec"].get("replicas") or 0)
