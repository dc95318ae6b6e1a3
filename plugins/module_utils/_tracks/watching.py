# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Waits for the pods of all canaries together: until all take requests, or until none is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._tracks import changes, copying, readiness
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import KINDS
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    CANARY,
    TRACK_MARK,
    Document,
    TrackError,
    name_of,
)
from ansible_collections.tars.rollout.plugins.module_utils._tracks.readiness import Progress
from ansible_collections.tars.rollout.plugins.module_utils._tracks.reading import Objects
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import passing
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

Say = Callable[[str, str, str], None]
_MARK = ",".join(f"{key}={value}" for key, value in TRACK_MARK.items())


@dataclass(frozen=True)
class Patience:
    """Seconds: in all, between two looks, and for a fault that may pass; ``bears``: faults that may pass as well."""

    budget: float
    interval: float = 1.0
    fault: float = 10.0
    bears: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Canary:
    """One that is waited for, as it was wanted."""

    name: str
    body: Document

    @property
    def replicas(self) -> int:
        return int(self.body["spec"]["replicas"])


class Watch:
    """Two reads per look, however many canaries there are. ``mark``: labels of the Deployments that are looked at."""

    def __init__(
        self, objects: Objects, clock: Clock, namespace: str, patience: Patience, fence: int | None, mark: str = _MARK
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._namespace = namespace
        self._patience = patience
        self._fence = fence
        self._mark = mark
        self._since: dict[tuple[str, str], float] = {}

    def ready(self, canaries: Sequence[Canary], key: str, say: Say) -> dict[str, Progress]:
        """All of them as they became ready. TrackError as soon as one cannot, and when the time is over."""
        deadline = Deadline(self._clock, self._patience.budget)
        last: dict[str, Progress] = {}
        while canaries:
            final = deadline.over
            for name, look in self._look(canaries, key, last, deadline).items():
                if name not in last or last[name].seen != look.seen:
                    say(name, look.seen, "READY" if look.ready else "WAITING")
                last[name] = look
            if all(look.ready for look in last.values()) and len(last) == len(canaries):
                break
            self._give_up(last, deadline)
            if final:
                raise _not_ready(last, f"after {self._patience.budget:g} s", "canary_not_ready")
            self._clock.sleep(min(self._patience.interval, deadline.remaining), "waiting for the canaries to be ready")
        return last

    def _look(
        self, canaries: Sequence[Canary], key: str, last: Mapping[str, Progress], deadline: Deadline
    ) -> dict[str, Progress]:
        try:
            deployments = self._objects.list(KINDS["deployments"], self._namespace, labels=self._mark)
            there = {name_of(item): item for item in deployments}
            pods = self._objects.list(KINDS["pods"], self._namespace, labels=_selector(canaries, key))
        except RolloutError as error:
            if deadline.over or not passing(error):
                raise
            return dict(last)
        found = {}
        for canary in canaries:
            live = there.get(canary.name)
            if live is not None:
                changes.check_fence(live, self._fence, f"The Deployment {canary.name}")
            images = set(copying.container_images(canary.body).values())
            # Without such labels its pods are not told from others: its own counts decide, and no fault is named.
            labels = canary.body["spec"]["selector"].get("matchLabels")
            mine = [pod for pod in readiness.pods_of(pods, labels) if images <= _images(pod)] if labels else []
            found[canary.name] = readiness.progress(live, mine, canary.replicas)
        return found

    def _give_up(self, last: Mapping[str, Progress], deadline: Deadline) -> None:
        """Raise for a fault that no waiting cures, or that has lasted."""
        for name, look in last.items():
            if look.fault is None:
                continue
            since = self._since.setdefault((name, look.fault.reason), deadline.elapsed)
            final = look.fault.final and look.fault.reason not in self._patience.bears
            if final or deadline.elapsed - since >= self._patience.fault:
                raise _not_ready(last, f"after {deadline.elapsed:.0f} s", look.fault.reason, name)
        there = {(name, look.fault.reason) for name, look in last.items() if look.fault}
        self._since = {key: at for key, at in self._since.items() if key in there}


class Gone:
    """Waits until nothing is left of what was deleted."""

    def __init__(self, objects: Objects, clock: Clock, namespace: str, patience: Patience) -> None:
        self._objects = objects
        self._clock = clock
        self._namespace = namespace
        self._patience = patience

    def wait(self, canaries: Sequence[tuple[str, Mapping[str, str]]], say: Say) -> None:
        """``canaries``: names and the labels of their pods."""
        deadline = Deadline(self._clock, self._patience.budget)
        told: dict[str, int] = {}
        while canaries:
            final = deadline.over
            left = {name: self._pods(labels, deadline) for name, labels in canaries}
            for name, pods in left.items():
                if told.get(name) != len(pods):
                    say(name, f"{len(pods)} pods left", "WAITING" if pods else "GONE")
                told[name] = len(pods)
            if not any(left.values()):
                return
            if final:
                names = [pod for pods in left.values() for pod in pods]
                raise TrackError(
                    f"{len(names)} pods of the canaries are still there after {self._patience.budget:g} s: "
                    f"{', '.join(names)}",
                    reason="canary_not_gone",
                    hint="They may be ending their last requests: look at their grace period, then run this again",
                    details={"pods": names},
                )
            self._clock.sleep(min(self._patience.interval, deadline.remaining), "waiting for the canaries to be gone")

    def _pods(self, labels: Mapping[str, str], deadline: Deadline) -> list[str]:
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        try:
            return sorted(name_of(item) for item in self._objects.list(KINDS["pods"], self._namespace, labels=selector))
        except RolloutError as error:
            if deadline.over or not passing(error):
                raise
            return ["(the API server does not answer)"]


def _selector(canaries: Sequence[Canary], key: str) -> str:
    """What finds the pods of all of them; nothing, which finds all pods, where one does not select by that label."""
    values = [item.body["spec"]["selector"].get("matchLabels", {}).get(key) for item in canaries]
    return f"{key} in ({','.join(sorted(map(str, values)))})" if all(values) else ""


def _images(pod: Document) -> set[str]:
    spec = pod["spec"]
    return {str(item["image"]) for part in ("initContainers", "containers") for item in spec.get(part) or []}


def _not_ready(last: Mapping[str, Progress], when: str, reason: str, first: str = "") -> TrackError:
    late = {name: look.seen for name, look in last.items() if not look.ready}
    name = first or next(iter(late))
    more = f" ({len(late)} of {len(last)} canaries are not ready)" if len(last) > 1 else ""
    what = "canary" if name.endswith(CANARY) else "Deployment"
    return TrackError(
        f"The {what} {name} is not ready {when}: {late[name]}{more}",
        reason=reason,
        hint=_HINTS.get(reason, "Look at its pods and their events; it has no traffic, and stable is untouched"),
        details={"not_ready": late},
    )


_HINTS: Mapping[str, Any] = {
    "image_not_pulled": "Push the image, or correct tag, digest and pull secret; the canary has no traffic",
    "image_invalid": "Correct the image; the canary has no traffic",
    "crash_loop": "Look at the log of its last run; the canary has no traffic, and stable is untouched",
    "container_not_made": "Look whether everything that it mounts is there; the canary has no traffic",
    "pods_refused": "Look at quota, limits and admission of the namespace; the canary has no traffic",
}
