# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How far a canary is, and why a pod of it is not ready. Pure: a Deployment and its pods in, a sentence out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, name_of

# Nothing but another image name or another object helps.
_FINAL = {
    "InvalidImageName": "image_invalid",
    "ErrImageNeverPull": "image_not_pulled",
}
# May pass: a registry answers again, a Secret comes, a program starts at its second try.
_PERHAPS = {
    "ErrImagePull": "image_not_pulled",
    "ImagePullBackOff": "image_not_pulled",
    "RegistryUnavailable": "image_not_pulled",
    "CreateContainerConfigError": "container_not_made",
    "CreateContainerError": "container_not_made",
    "RunContainerError": "container_not_made",
    "CrashLoopBackOff": "crash_loop",
}
# A program that ended so often does not start.
_CRASHES = 2


@dataclass(frozen=True)
class Fault:
    """Why a canary will not become ready. ``final``: no waiting helps."""

    reason: str
    seen: str
    final: bool


@dataclass(frozen=True)
class Progress:
    """One look at a canary."""

    ready: bool
    available: int
    wanted: int
    seen: str
    fault: Fault | None = None


def progress(deployment: Document | None, pods: Sequence[Document], wanted: int) -> Progress:
    """Ready is: the controller has seen this spec, and updated = all = available = wanted pods."""
    if deployment is None:
        return Progress(False, 0, wanted, "its Deployment is not there")
    status = deployment.get("status") or {}
    wanted = max(wanted, int(deployment["spec"].get("replicas") or 0))
    available = int(status.get("availableReplicas") or 0)
    counts = {int(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    told = int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
    if told and counts == {wanted}:
        return Progress(True, available, wanted, f"{available}/{wanted} ready")
    fault = next(_faults(deployment, pods), None)
    why = fault.seen if fault else next(_waiting(pods), "")
    return Progress(False, available, wanted, f"{available}/{wanted} ready{f'; {why}' if why else ''}", fault)


def pods_of(pods: Sequence[Document], labels: Mapping[str, str]) -> list[Document]:
    """The pods with these labels that are not about to go."""
    return [
        item
        for item in pods
        if labels.items() <= (item["metadata"].get("labels") or {}).items()
        and not item["metadata"].get("deletionTimestamp")
    ]


def _faults(deployment: Document, pods: Sequence[Document]) -> Iterator[Fault]:
    """The gravest first."""
    found = [fault for pod in pods for fault in _of_pod(pod)]
    yield from (fault for fault in found if fault.final)
    yield from found
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        said = f"{name_of(deployment)}: {condition.get('message', '')}"
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            yield Fault("pods_refused", said, False)


def _of_pod(pod: Document) -> Iterator[Fault]:
    name, status = name_of(pod), pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        why = waiting.get("reason", "")
        if why in _FINAL:
            yield Fault(_FINAL[why], _told(name, container, waiting), True)
        elif why == "CrashLoopBackOff":
            ended = (container.get("lastState") or {}).get("terminated") or {}
            times, why = int(container.get("restartCount") or 0), ended.get("reason")
            seen = (
                f"{name}: {container.get('name')} ended {times} times, last with code {ended.get('exitCode', '?')}"
                f"{f' ({why})' if why not in (None, 'Error', 'Completed') else ''}"
            )
            yield Fault("crash_loop", seen, times >= _CRASHES)
        elif why in _PERHAPS:
            yield Fault(_PERHAPS[why], _told(name, container, waiting), False)


def _waiting(pods: Sequence[Document]) -> Iterator[str]:
    """What a pod without a fault waits for."""
    for pod in pods:
        name = name_of(pod)
        conditions = {item.get("type"): item for item in (pod.get("status") or {}).get("conditions") or []}
        scheduled = conditions.get("PodScheduled") or {}
        if scheduled.get("status") == "False":
            yield f"{name}: {scheduled.get('reason', 'not scheduled')}, {scheduled.get('message', '')}".rstrip(", ")
    for pod in pods:
        conditions = {item.get("type"): item for item in (pod.get("status") or {}).get("conditions") or []}
        ready = conditions.get("Ready") or {}
        if ready.get("status") != "True":
            restarts = sum(
                int(item.get("restartCount") or 0) for item in (pod.get("status") or {}).get("containerStatuses") or []
            )
            again = f", restarted {restarts} times" if restarts else ""
            yield f"{name_of(pod)}: {ready.get('reason') or 'starting'}{again}"


def _told(pod: str, container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    said = " ".join(str(waiting.get("message") or "").split())
    said = said if len(said) <= 160 else f"{said[:157]}..."
    return f"{pod}: {container.get('name')} {waiting.get('reason')}{f', {said}' if said else ''}"
