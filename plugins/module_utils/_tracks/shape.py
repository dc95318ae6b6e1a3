# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What makes a copy of a service wrong or impossible, each by name. Pure.

These hold before a canary is made, whoever asks; what only matters before a release begins is in ``findings``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import copying, legs, selectors
from ansible_collections.tars.rollout.plugins.module_utils._tracks.image import container_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    Finding,
    Service,
    Track,
    TrackError,
    World,
    is_canary,
    name_of,
    pod_labels,
    track_of,
)

LONGEST = 63  # of a label's value, and of a name that becomes part of a pod's


def shape(world: World, service: Service, key: str) -> Iterator[Finding]:
    """Everything about one service for which no canary is made."""
    if world.named("statefulsets", service.name):
        seen = f"{service.name} is a StatefulSet"
        yield Finding(
            "stateful_set", service.name, seen, "Its pods have names and volumes: it is never copied, see with_stable"
        )
        return
    if service.kind == "singleton" or (service.kind == "worker" and service.with_stable):
        # A singleton works alone: a second one beside it is what it must not have.
        if not service.with_stable:
            seen = f"{service.name} is a {service.kind} and cannot have a second one beside it"
            hint = "Set with_stable where it may change when stable is rolled"
            yield Finding(f"{service.kind}_unhandled", service.name, seen, hint)
        return
    deployment = world.named("deployments", service.name)
    if deployment is None:
        seen = f"there is no Deployment {service.name} in {world.namespace}"
        yield Finding("deployment_missing", service.name, seen, "Correct the name of the service, or install it first")
    elif not service.with_stable:
        yield from _of_deployment(world, service, deployment, key)


def _of_deployment(world: World, service: Service, deployment: Document, key: str) -> Iterator[Finding]:
    try:
        container_of(deployment, service)
    except TrackError as error:
        yield Finding(error.reason, service.name, error.msg, error.hint)
    yield from _volumes(service, deployment["spec"]["template"]["spec"])
    track = track_of(deployment, key)
    if track is None:
        seen = f"the Deployment {service.name} does not select its pods by {key}"
        hint = "A copy would be taken for stable: choose another track_label, one of the selector's"
        yield Finding("track_unselected", service.name, seen, hint)
        return
    if any(item.get("key") == key for item in deployment["spec"]["selector"].get("matchExpressions") or []):
        seen = f"the Deployment {service.name} selects {key} by an expression as well"
        yield Finding(
            "track_expression", service.name, seen, "Choose another track_label: a copy needs another value of it"
        )
    if max(len(track.canary), len(service.canary)) > LONGEST:
        seen = f"{service.canary} or the value {track.canary} of {key} is longer than {LONGEST} characters"
        yield Finding("name_too_long", service.name, seen, "Use a shorter name, or another track_label")
    scaler = copying.autoscaler_of(world.all("autoscalers"), service.name)
    if service.idle and scaler is not None:
        seen = f"the autoscaler {name_of(scaler)} sets how many pods the worker {service.name} has, which is its share"
        hint = "Take it away for the time of releases, or set with_stable where it may change when stable is rolled"
        yield Finding("worker_autoscaled", service.name, seen, hint)
    yield from _taken(world, service)
    yield from _both(world, service, deployment, track)


def _volumes(service: Service, spec: Mapping[str, Any]) -> Iterator[Finding]:
    claims = [
        (volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in spec.get("volumes") or []
        if "persistentVolumeClaim" in volume
    ]  # fmt: skip
    if claims:
        seen = (
            f"{service.name} mounts the PersistentVolumeClaim {', '.join(map(str, claims))}, which a copy would share"
        )
        yield Finding("volume_claim", service.name, seen, "Roll it out with with_stable, or keep its data elsewhere")


def _taken(world: World, service: Service) -> Iterator[Finding]:
    there = world.named("deployments", service.canary)
    if there is not None and not is_canary(there):
        seen = f"there is a Deployment {service.canary} which this collection has not made"
        yield Finding("canary_taken", service.name, seen, "Remove or rename it: the canary needs this name")


def _both(world: World, service: Service, deployment: Document, track: Track) -> Iterator[Finding]:
    stable = pod_labels(deployment)
    canary = {**stable, **track.labels}
    for item in legs.mixed(world, canary, stable):
        split, whole = legs.bare(world, item)
        name = name_of(item)
        if not split:
            seen = f"the Service {name} would take pods of both tracks of {service.name}"
            hint = f"Let its selector name {track.key}, or split its routes by subsets"
            yield Finding("service_mixed", service.name, seen, hint)
        elif whole:
            seen = f"{whole[0]} sends requests to {name} without a subset, so they would reach both tracks by pod count"
            yield Finding("bare_host", service.name, seen, "Let every route to this host name a subset")
    for item in world.all("budgets"):
        selector = (item.get("spec") or {}).get("selector")
        if not is_canary(item) and all(selectors.matches(selector, labels) for labels in (canary, stable)):
            seen = f"the PodDisruptionBudget {name_of(item)} would count the pods of both tracks of {service.name}"
            hint = f"Let its selector name {track.key}: all of stable might be evicted while the canary is there"
            yield Finding("budget_mixed", service.name, seen, hint)
