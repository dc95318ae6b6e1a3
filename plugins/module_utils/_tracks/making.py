# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Puts the canary track of several services beside stable: plans every object, then writes those that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._tracks import beside, changes, copying, legs, pinning
from ansible_collections.tars.rollout.plugins.module_utils._tracks.findings import track_values
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import BESIDE, KINDS, NAMES
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
from ansible_collections.tars.rollout.plugins.module_utils._tracks.reading import Objects
from ansible_collections.tars.rollout.plugins.module_utils._tracks.shape import shape
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.marks import FENCE
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import CHANGED, TRIES, passing
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock

PAUSE = 0.2


@dataclass(frozen=True)
class Ask:
    """How the canaries shall be. ``weight``: percent of the traffic that their pods must carry."""

    key: str
    release: str
    weight: int
    fence: int | None


@dataclass(frozen=True)
class Step:
    """One object: as it is (None: not there), and the patch or the whole body that makes it as wanted.

    ``again`` gives the patch anew for the object as it is after a conflict; without it the body is compared again.
    """

    key: str
    name: str
    live: Document | None
    body: Mapping[str, Any] | None
    ops: Sequence[changes.Op]
    again: Callable[[Document], Sequence[changes.Op]] | None = None

    @property
    def action(self) -> str:
        if self.live is None:
            return "created"
        return "patched" if self.ops else "unchanged"

    def __str__(self) -> str:
        return f"{NAMES[self.key]} {self.name}"


def plan(world: World, services: Sequence[Service], ask: Ask) -> list[Step]:
    """Every object of the canary track of these services, in the order in which they are written.

    TrackError when one of them cannot be copied, is somebody else's or a newer run's, or has traffic that a new
    template would disturb. Then none is written.
    """
    wrong = [finding for service in services for finding in shape(world, service, ask.key)]
    if wrong:
        raise refused(wrong)
    bodies: list[tuple[str, Mapping[str, Any]]] = []
    deployments: list[tuple[str, Mapping[str, Any]]] = []
    for service in (item for item in services if item.copied):
        live = world.named("deployments", service.name)
        track = track_of(live, ask.key) if live else None
        if live is None or track is None:
            raise AssertionError("the shape was looked at")
        replicas = 0 if service.idle else copying.copies(int(live["spec"].get("replicas") or 0), ask.weight)
        made = copying.deployment(live, service, track, ask.release, replicas)
        _refuse_disturbing(world, service, live, track, made)
        deployments.append(("deployments", made))
        if replicas > 1:
            bodies.append(("budgets", copying.budget(live, service, track, ask.release)))
        if (scaler := copying.autoscaler_of(world.all("autoscalers"), service.name)) is not None:
            bodies.append(("autoscalers", copying.autoscaler(scaler, service, track, ask.release, replicas)))
    values = track_values(world, services, ask.key)
    for key, found in beside.companions(world, ask.key, values, ask.release).items():
        bodies += [(key, body) for body in found]
    ordered = sorted(bodies, key=lambda pair: BESIDE.index(pair[0]))
    pinned = [_pin_step(pin) for pin in pinning.pins(world, services)]
    return [*pinned, *(_step(world, key, body, ask) for key, body in [*ordered, *deployments])]


def refused(findings: Sequence[Finding]) -> TrackError:
    """One error for all that was found."""
    first = findings[0]
    more = f" ({len(findings)} such findings, none of the services was touched)" if len(findings) > 1 else ""
    return TrackError(
        f"No canary track can be made: {first.seen}{more}",
        reason=first.code,
        hint=first.hint,
        details={"findings": [vars(item) for item in findings]},
    )


class Writer:
    """Writes steps, those of one kind at the same time, and answers a conflict by reading and deciding again."""

    def __init__(self, objects: Objects, clock: Clock, namespace: str, fence: int | None, *, dry_run: bool) -> None:
        self._objects = objects
        self._clock = clock
        self._namespace = namespace
        self._fence = fence
        self._dry_run = dry_run

    def write(self, steps: Sequence[Step], tell: Callable[[Step], None]) -> list[Step]:
        """The steps as they became; what is needed before the pods is written before the Deployments."""
        first = [step for step in steps if step.key != "deployments"]
        second = [step for step in steps if step.key == "deployments"]
        return [
            done for part in (first, second) for done in at_once(part, lambda step: self._one(step, tell), _unwritten)
        ]

    def _one(self, step: Step, tell: Callable[[Step], None]) -> Step:
        kind = KINDS[step.key]
        for tries in range(1, TRIES + 1):
            if step.action == "unchanged":
                break
            try:
                if step.live is None:
                    self._objects.create(kind, self._namespace, step.body or {}, dry_run=self._dry_run)
                else:
                    self._objects.json_patch(kind, self._namespace, step.name, step.ops, dry_run=self._dry_run)
                break
            except RolloutError as error:
                if (error.reason not in CHANGED and not passing(error)) or tries == TRIES:
                    raise
                if passing(error):
                    self._clock.sleep(PAUSE * tries, f"waiting to write {step} again")
            step = self._again(step)
        tell(step)
        return step

    def _again(self, step: Step) -> Step:
        """Decided again from what is there now."""
        try:
            live = self._objects.get(KINDS[step.key], self._namespace, step.name)
        except RolloutError as error:
            if error.reason != "kube_not_found":
                raise
            # To be made then; an autoscaler of stable that is gone needs no minimum.
            return replace(step, live=None if step.body else step.live, ops=())
        if step.again is not None:
            return replace(step, live=live, ops=step.again(live))
        return _decided(step.key, live, step.body or {}, self._fence)


def _pin_step(pin: pinning.Pin) -> Step:
    def again(scaler: Document) -> Sequence[changes.Op]:
        return pinning.Pin(scaler, pin.before, pin.during).operations()

    return Step("autoscalers", pin.name, pin.scaler, None, pin.operations(), again)


def give_back_step(scaler: Document, before: int) -> Step:
    """The step that gives a pinned autoscaler its minimum back."""
    ops = pinning.give_back(scaler, before)
    return Step("autoscalers", name_of(scaler), scaler, None, ops, lambda now: pinning.give_back(now, before))


def tolerating_absence(act: Callable[[], object]) -> None:
    """Do it; what is gone already need not be deleted."""
    try:
        act()
    except RolloutError as error:
        if error.reason != "kube_not_found":
            raise


def _step(world: World, key: str, body: Mapping[str, Any], ask: Ask) -> Step:
    if ask.fence is not None:
        notes = {**body["metadata"]["annotations"], FENCE: str(ask.fence)}
        body = {**body, "metadata": {**body["metadata"], "annotations": notes}}
    live = world.named(key, name_of(body))
    return Step(key, name_of(body), None, body, ()) if live is None else _decided(key, live, body, ask.fence)


def _decided(key: str, live: Document, body: Mapping[str, Any], fence: int | None) -> Step:
    what = f"{NAMES[key]} {name_of(live)}"
    if not is_canary(live):
        raise TrackError(
            f"The {what} is there and was not made by this collection",
            reason="canary_taken",
            hint="Remove or rename it: the canary needs this name",
            details={"object": what},
        )
    changes.check_fence(live, fence, f"The {what}")
    return Step(key, name_of(live), live, body, changes.operations(live, body))


def _refuse_disturbing(world: World, service: Service, live: Document, track: Track, made: Mapping[str, Any]) -> None:
    """A canary that has traffic is left as it is: pods that are replaced under traffic are not what a stage judges."""
    there = world.named("deployments", service.canary)
    if there is None or not is_canary(there) or not changes.template_differs(there, made):
        return
    stable = pod_labels(live)
    if found := legs.weighted(world, {**stable, **track.labels}, stable):
        raise TrackError(
            f"The canary of {service.name} would be changed while {found[0]} gives it weight {found[0].weight}",
            reason="canary_has_traffic",
            hint="Take its traffic away first, by a rollback or with canary_weight, and then make it anew",
            details={"service": service.name, "routes": [str(leg) for leg in found]},
        )


def _unwritten(failed: int, count: int) -> str:
    return f"{failed} of {count} objects were not written"
