# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The minimum of stable's autoscalers: raised to what is live for the time of a rollout, and given back after it. Pure.

Stable without traffic would be scaled down, and could not take its users back at once. What the minimum was stands in
an annotation of the autoscaler as well as in the record, so neither a lost record nor a killed run forgets it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import changes, copying
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    MINIMUM,
    Document,
    Service,
    World,
    annotations_of,
    name_of,
)


@dataclass(frozen=True)
class Pin:
    """One autoscaler: its minimum before the rollout, and the one during it."""

    scaler: Document
    before: int
    during: int

    @property
    def name(self) -> str:
        return name_of(self.scaler)

    def operations(self) -> list[changes.Op]:
        """The patch that pins it; empty where it is pinned so."""
        note = json.dumps({"before": self.before, "during": self.during})
        return changes.annotated(self.scaler, {MINIMUM: note}, {"minReplicas": self.during})


def noted(scaler: Document) -> tuple[int, int] | None:
    """The minimum before and during a rollout, as the annotation tells; None where there is none that can be read."""
    try:
        data = json.loads(annotations_of(scaler)[MINIMUM])
        return int(data["before"]), int(data["during"])
    except (KeyError, ValueError, TypeError):
        return None


def pins(world: World, services: Sequence[Service]) -> list[Pin]:
    """The autoscalers to pin, or pinned already, of the services that get a canary."""
    found = []
    for service in services:
        deployment = world.named("deployments", service.name)
        scaler = copying.autoscaler_of(world.all("autoscalers"), service.name)
        if deployment is None or scaler is None or not service.copied:
            continue
        live, now, note = int(deployment["spec"].get("replicas") or 0), copying.minimum(scaler), noted(scaler)
        before = note[0] if note else now
        during = max(now, min(live, int(scaler["spec"].get("maxReplicas", live))))
        if before < during:
            found.append(Pin(scaler, before, during))
    return found


def released(
    world: World, services: Sequence[Service], recorded: Mapping[str, int]
) -> tuple[list[tuple[Document, list[changes.Op]]], list[str]]:
    """The patches that give each autoscaler its minimum back, and a sentence for each that is left as it is.

    ``recorded`` is what a record says; where it is silent the annotation is asked. A minimum that somebody has changed
    since it was pinned stays.
    """
    patches: list[tuple[Document, list[changes.Op]]] = []
    left = [
        f"The autoscaler {name} is not there any more, so its minimum of {value} was not restored"
        for name, value in recorded.items() if world.named("autoscalers", name) is None
    ]  # fmt: skip
    names = {service.name for service in services}
    for scaler in world.all("autoscalers"):
        name, note = name_of(scaler), noted(scaler)
        mine = (scaler["spec"].get("scaleTargetRef") or {}).get("name") in names
        if name not in recorded and not (mine and note):
            continue
        before = recorded.get(name, note[0] if note else 0)
        changed = note is not None and copying.minimum(scaler) != note[1]
        if changed:
            left.append(
                f"The minimum of the autoscaler {name} was changed to {copying.minimum(scaler)} meanwhile and stays so"
            )
        spec: dict[str, Any] = {} if changed else {"minReplicas": before}
        if ops := changes.annotated(scaler, {}, spec, gone=[MINIMUM]):
            patches.append((scaler, ops))
    return patches, left
