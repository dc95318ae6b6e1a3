# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The words of tracks: a service, its two tracks, the world they live in, what is found wrong. Pure data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError

Document = Mapping[str, Any]

CANARY = "-canary"
TRACK_MARK = {"ga.rollout/track": "canary"}
MANAGED_BY = {"app.kubernetes.io/managed-by": "tars.rollout"}
RELEASE = "ga.rollout/release"
# On a HorizontalPodAutoscaler of stable: its minimum before it was raised for the time of a rollout.
MINIMUM = "ga.rollout/min-replicas"


class TrackError(RolloutError):
    """A canary track cannot be made, is not ready, or must not be taken away yet."""


@dataclass(frozen=True)
class Service:
    """One deployable as the plan names it. ``image``, ``tag`` and ``digest`` say what its canary runs.

    ``env`` is set in the canary's container only, ``config_maps`` and ``secrets`` map names that stable mounts to those
    that the canary mounts instead.
    """

    name: str
    kind: str = "routed"
    with_stable: bool = False
    container: str = ""
    image: str = ""
    tag: str = ""
    digest: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    config_maps: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def canary(self) -> str:
        """Name of the canary's objects."""
        return f"{self.name}{CANARY}"

    @property
    def copied(self) -> bool:
        """Whether it gets a canary track; others change with stable or not at all."""
        return self.kind in ("routed", "worker") and not self.with_stable

    @property
    def idle(self) -> bool:
        """Whether its canary begins without pods: one of a worker would take work as soon as it is there."""
        return self.copied and self.kind == "worker"


@dataclass(frozen=True)
class Track:
    """The label that tells the tracks apart, with its value on either."""

    key: str
    stable: str

    @property
    def canary(self) -> str:
        return f"{self.stable}{CANARY}"

    @property
    def labels(self) -> dict[str, str]:
        """What the canary's pods carry instead of stable's."""
        return {self.key: self.canary}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or worth knowing, with a stable code, what was seen, and what to do."""

    code: str
    service: str
    seen: str
    hint: str


@dataclass(frozen=True)
class Unread:
    """A kind that this account may not read."""

    verb: str
    resource: str
    group: str
    where: str


@dataclass(frozen=True)
class World:
    """What a namespace holds, by the keys of ``kinds.KINDS``. A kind that the cluster does not have is empty."""

    namespace: str
    objects: Mapping[str, Sequence[Document]]
    unread: Sequence[Unread] = ()

    def all(self, key: str) -> Sequence[Document]:
        return self.objects.get(key, ())

    def named(self, key: str, name: str) -> Document | None:
        """The object of that kind and name in the namespace."""
        return next((item for item in self.all(key) if name_of(item) == name), None)


def name_of(document: Document) -> str:
    return str((document.get("metadata") or {}).get("name", ""))


def labels_of(document: Document) -> Mapping[str, str]:
    return (document.get("metadata") or {}).get("labels") or {}


def annotations_of(document: Document) -> Mapping[str, str]:
    return (document.get("metadata") or {}).get("annotations") or {}


def is_canary(document: Document) -> bool:
    """Whether we have made it."""
    return TRACK_MARK.items() <= labels_of(document).items()


def pod_labels(deployment: Document) -> Mapping[str, str]:
    """The labels that the pods of a Deployment carry."""
    return ((deployment["spec"]["template"].get("metadata") or {}).get("labels")) or {}


def track_of(deployment: Document, key: str) -> Track | None:
    """The tracks of a Deployment; None when it does not select its pods by that label."""
    value = (deployment["spec"].get("selector") or {}).get("matchLabels", {}).get(key)
    return Track(key, str(value)) if value else None
