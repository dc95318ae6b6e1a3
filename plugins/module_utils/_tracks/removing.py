# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What of a canary track goes, in which order, and whether it may go at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.tars.rollout.plugins.module_utils._tracks import changes, legs
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import BESIDE, KINDS, NAMES, ROUTES
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    CANARY,
    Document,
    Service,
    TrackError,
    World,
    is_canary,
    name_of,
    pod_labels,
)

# What tells whether a route gives the canary traffic.
_PROOF = (*ROUTES, "services", "destination_rules")


@dataclass(frozen=True)
class Going:
    """The Deployments that go first, and what goes when their pods have gone, each as kind and object."""

    deployments: Sequence[Document]
    beside: Sequence[tuple[str, Document]]


def plan(world: World, services: Sequence[Service], key: str, fence: int | None) -> Going:
    """TrackError when a route still gives one of them traffic, or when that cannot be known, or a newer run acts."""
    _refuse_unread(world)
    names = {service.canary for service in services}
    gone = [item for item in world.all("deployments") if name_of(item) in names and is_canary(item)]
    workers = {service.canary for service in services if service.idle}
    for item in gone:
        _refuse_weighted(world, item, key)
        if name_of(item) in workers:
            _refuse_working(item)
    stays = [item for item in world.all("deployments") if is_canary(item) and item not in gone]
    besides = [
        (kind, item)
        for kind in BESIDE
        for item in world.all(kind)
        # Policies speak of all canaries of the namespace: the last one takes them along.
        if is_canary(item) and (name_of(item) in names if kind in ("budgets", "autoscalers") else not stays)
    ]
    for kind, item in [*(("deployments", item) for item in gone), *besides]:
        changes.check_fence(item, fence, f"The {NAMES[kind]} {name_of(item)}")
    return Going(gone, besides)


def labels(deployment: Document) -> Mapping[str, str]:
    """What its Deployment selects the pods of a canary by."""
    found: Mapping[str, str] = deployment["spec"]["selector"].get("matchLabels") or {}
    return found


def _refuse_unread(world: World) -> None:
    proof = {KINDS[key].plural for key in _PROOF}
    missing = [item for item in world.unread if item.resource in proof]
    if missing:
        first = missing[0]
        raise TrackError(
            f"Whether a route still gives the canary traffic cannot be known: {first.verb} on {first.resource} in "
            f"{first.where} is forbidden",
            reason="routes_unread",
            hint=f'Grant verb "{first.verb}" on resource "{first.resource}" of API group "{first.group}"',
            details={"unread": [vars(item) for item in missing]},
        )


def _refuse_working(deployment: Document) -> None:
    """A worker's canary that has pods has their share of the work, whatever routes say."""
    if pods := int(deployment["spec"].get("replicas") or 0):
        raise TrackError(
            f"The canary {name_of(deployment)} cannot go: {pods} pods of it still take work",
            reason="canary_has_weight",
            hint="Give its work back to stable first (canary_replicas with weight 0)",
            details={"deployment": name_of(deployment), "pods": pods},
        )


def _refuse_weighted(world: World, deployment: Document, key: str) -> None:
    canary = pod_labels(deployment)
    stable = {**canary, key: str(canary.get(key, "")).removesuffix(CANARY)}
    if found := legs.weighted(world, canary, stable):
        raise TrackError(
            f"The canary {name_of(deployment)} cannot go: {found[0]} still gives it weight {found[0].weight}",
            reason="canary_has_weight",
            hint="Set its weight to 0 first (canary_weight), see it follow, and wait for the longest request",
            details={"deployment": name_of(deployment), "routes": [f"{leg} (weight {leg.weight})" for leg in found]},
        )
