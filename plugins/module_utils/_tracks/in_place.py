# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Stable's image in the canary's own pods, for when no weight reaches the gateways. Pure.

A pod's image may be changed while the pod stays, and with it its address: so the stale list of a gateway that hears
nothing of its control plane stays right. Nothing but the image changes, and the pod no longer is what its ReplicaSet
says; the canary is taken away when the weight has been proven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import copying, readiness
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    Service,
    TrackError,
    World,
    is_canary,
    name_of,
)


@dataclass(frozen=True)
class Restored:
    """One canary with its pods that are to change, and the image that each container gets."""

    service: Service
    images: Mapping[str, str]
    pods: Sequence[Document]


def plan(world: World, services: Sequence[Service], pods: Sequence[Document]) -> list[Restored]:
    """What to change of each service; no pods where there is no canary, or where it runs stable's image already."""
    found = []
    for service in services:
        stable = world.named("deployments", service.name)
        if stable is None:
            raise TrackError(
                f"There is no Deployment {service.name} in {world.namespace}, so there is no image to go back to",
                reason="deployment_missing", hint="Correct the name of the service; nothing was changed",
            )  # fmt: skip
        canary = world.named("deployments", service.canary)
        images = copying.container_images(stable)
        mine: list[Document] = []
        if canary is not None and is_canary(canary):
            mine = readiness.pods_of(pods, canary["spec"]["selector"]["matchLabels"])
        found.append(Restored(service, images, [pod for pod in mine if operations(pod, images)]))
    return found


def operations(pod: Document, images: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """The patch of one pod, led by what it runs now; empty where it runs all of these already."""
    tests: list[Mapping[str, Any]] = []
    writes: list[Mapping[str, Any]] = []
    for at, container in enumerate(pod["spec"]["containers"]):
        wanted = images.get(container["name"])
        if wanted is not None and container["image"] != wanted:
            path = f"/spec/containers/{at}/image"
            tests += [
                {"op": "test", "path": f"/spec/containers/{at}/name", "value": container["name"]},
                {"op": "test", "path": path, "value": container["image"]},
            ]
            writes.append({"op": "replace", "path": path, "value": wanted})
    return [*tests, *writes]


def restarts(pod: Document) -> Mapping[str, int]:
    """How often each container has begun anew."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return {str(item.get("name")): int(item.get("restartCount") or 0) for item in statuses}


def ready(pod: Document, before: Document) -> bool:
    """Whether it takes requests again, each changed container in a new life."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    now, then = restarts(pod), restarts(before)
    old = {item["name"]: item["image"] for item in before["spec"]["containers"]}
    changed = [item["name"] for item in pod["spec"]["containers"] if old.get(item["name"]) != item["image"]]
    anew = all(now.get(name, 0) > then.get(name, 0) for name in changed)
    return anew and any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def why_not(pod: Document) -> str:
    """What a pod that is not ready says."""
    for item in (pod.get("status") or {}).get("containerStatuses") or []:
        state = item.get("state") or {}
        if waiting := state.get("waiting"):
            said = " ".join(str(waiting.get("message") or "").split())[:160]
            return f"{name_of(pod)}: {item.get('name')} {waiting.get('reason', 'waits')}{f', {said}' if said else ''}"
    return f"{name_of(pod)} does not take requests yet"
