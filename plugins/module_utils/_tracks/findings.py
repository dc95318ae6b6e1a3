# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What speaks against beginning a release in a namespace, each by a stable code. Pure: a world in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.tars.rollout.plugins.module_utils._tracks import (
    beside,
    capacity,
    copying,
    image,
    legs,
    sharing,
)
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    Finding,
    Service,
    TrackError,
    World,
    annotations_of,
    name_of,
    pod_labels,
    track_of,
)
from ansible_collections.tars.rollout.plugins.module_utils._tracks.owners import owners, scaler_owner
from ansible_collections.tars.rollout.plugins.module_utils._tracks.shape import shape


@dataclass(frozen=True)
class Wish:
    """How the canaries shall be: the label that tells tracks apart, the percent they get at most, and which tags are
    good enough. ``images``: whether it is known what they will run.
    """

    key: str
    weight: int
    mutable: bool
    images: bool


def findings(world: World, services: Sequence[Service], wish: Wish) -> list[Finding]:
    """Everything that is refused, service by service, then what concerns them together."""
    found: list[Finding] = []
    for service in services:
        found += shape(world, service, wish.key)
        deployment = world.named("deployments", service.name)
        found += owners(world, service, deployment)
        # A worker that an earlier run left with fewer pods is as this release wants it.
        if deployment is not None and sharing.WHOLE not in annotations_of(deployment):
            found += _readiness(service, deployment)
        if deployment is not None and service.copied:
            found += _scaling(world, service)
            found += _image(service, deployment, wish)
    found += _monitors(world, services, wish)
    return found + capacity.shortages(world, needs(world, services, wish.weight))


def warnings(world: World, services: Sequence[Service], wish: Wish) -> list[Finding]:
    """What does not stop a release and should be known."""
    found: list[Finding] = []
    for service in services:
        deployment = world.named("deployments", service.name)
        if deployment is not None and service.copied:
            found += [*_sticky(world, service), *_shared(service, deployment), *_siblings(service, deployment)]
            found += [*_drain(service, deployment), *_unrouted(world, service, deployment, wish)]
    return found


def needs(world: World, services: Sequence[Service], weight: int) -> list[capacity.Need]:
    """What the canaries ask for beyond what they have already."""
    found = []
    for service in services:
        deployment = world.named("deployments", service.name)
        if deployment is None or not service.copied:
            continue
        there = world.named("deployments", service.canary)
        have = int(((there or {}).get("status") or {}).get("replicas") or 0)
        pods = sharing.whole_of(deployment) if service.idle else int(deployment["spec"].get("replicas") or 0)
        wanted = copying.copies(pods, weight)
        found.append(capacity.need_of(deployment, service.name, max(0, wanted - have)))
    return found


def whole(deployment: Document) -> bool:
    """Whether every wanted pod of a Deployment is the newest and takes requests."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    wanted = int(spec.get("replicas", 1))
    told = int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
    counts = {
        int(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    }
    return told and counts == {wanted}


def _readiness(service: Service, deployment: Document) -> Iterator[Finding]:
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    if wanted == 0:
        seen = f"the Deployment {service.name} is scaled to 0"
        yield Finding("stable_scaled_to_zero", service.name, seen, "Scale stable to what its traffic needs")
    elif not whole(deployment):
        ready, new = (int(status.get(key) or 0) for key in ("availableReplicas", "updatedReplicas"))
        seen = f"{ready} of {wanted} pods of {service.name} are ready, {new} of its newest template"
        yield Finding("stable_unready", service.name, seen, "Make stable whole before a release begins")


def _scaling(world: World, service: Service) -> Iterator[Finding]:
    scaler = copying.autoscaler_of(world.all("autoscalers"), service.name)
    if scaler is not None and (owner := scaler_owner(scaler)):
        seen = f"the autoscaler {name_of(scaler)} of {service.name} belongs to the {owner}, which would undo its pin"
        yield Finding("autoscaler_owned", service.name, seen, "Pause that owner for the time of the release")


def _image(service: Service, deployment: Document, wish: Wish) -> Iterator[Finding]:
    if not wish.images:
        return
    try:
        wanted = image.wanted_image(image.image_of(deployment, image.container_of(deployment, service)), service)
    except TrackError as error:
        if error.reason != "container_unknown":
            yield Finding(error.reason, service.name, error.msg, error.hint)
        return
    if image.moves(wanted) and not wish.mutable:
        seen = f"the image {wanted} of {service.name} has no tag of a release, so it may be another one tomorrow"
        yield Finding("tag_mutable", service.name, seen, "Give the release's tag or, better, its digest")


def _monitors(world: World, services: Sequence[Service], wish: Wish) -> Iterator[Finding]:
    for name in beside.not_watched(world, wish.key, track_values(world, services, wish.key)):
        seen = f"the ServiceMonitor {name} finds the Service of a stable and, even copied, not that of its canary"
        yield Finding("monitor_misses", "", seen, "Label the canary's Service as stable's, or with the canary's value")


def track_values(world: World, services: Sequence[Service], key: str) -> Mapping[str, str]:
    """Stable's value of the track's label to the canary's, for every service that gets a canary."""
    found = {}
    for service in services:
        deployment = world.named("deployments", service.name)
        if deployment is not None and service.copied and (track := track_of(deployment, key)):
            found[track.stable] = track.canary
    return found


def _unrouted(world: World, service: Service, deployment: Document, wish: Wish) -> Iterator[Finding]:
    """Without a router requests go by pod count, and no weight means what it says: 1 % of 3 pods is 25 %."""
    labels = pod_labels(deployment)
    if service.idle:
        return
    if any(legs.reaches(leg, labels, world) for leg in legs.legs(world)):
        return
    stable = int(deployment["spec"].get("replicas") or 0)
    canary = copying.copies(stable, wish.weight)
    seen = (
        f"no route of the namespace reaches {service.name}: by pods alone {canary} of {stable + canary} "
        f"get {100 * canary / (stable + canary):.0f} % of the requests, whatever the weight"
    )
    yield Finding("no_router", service.name, seen, "Route it by a VirtualService or HTTPRoute with both tracks")


def _sticky(world: World, service: Service) -> Iterator[Finding]:
    for name in legs.sticky(world, [service.name, service.canary]):
        seen = f"the DestinationRule {name} keeps users of {service.name} at one pod by a hash"
        hint = "The share of users is not that of requests, and a changed weight moves users to other pods"
        yield Finding("consistent_hash", service.name, seen, hint)


def _shared(service: Service, deployment: Document) -> Iterator[Finding]:
    spec = deployment["spec"]["template"]["spec"]
    names = sorted(set(copying.mounted(spec)) - {("ConfigMap", name) for name in service.config_maps}
                   - {("Secret", name) for name in service.secrets})  # fmt: skip
    if names:
        seen = f"both tracks of {service.name} use {', '.join(f'{kind} {name}' for kind, name in names)}"
        hint = "Nothing may edit them before the release is promoted; give a changed one another name"
        yield Finding("shared_config", service.name, seen, hint)


def _siblings(service: Service, deployment: Document) -> Iterator[Finding]:
    try:
        name = image.container_of(deployment, service)
    except TrackError:
        return
    images = copying.container_images(deployment)
    base = image.repository(images[name])
    alike = [other for other, used in images.items() if other != name and image.repository(used) == base]
    if alike:
        seen = f"the containers {', '.join(alike)} of {service.name} share {name}'s repository and keep their image"
        yield Finding("sibling_image", service.name, seen, "Say so in the release where they have to change with it")


def _drain(service: Service, deployment: Document) -> Iterator[Finding]:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    if not any((item.get("lifecycle") or {}).get("preStop") for item in containers):
        seen = f"the pods of {service.name} have no preStop hook"
        hint = "A rollout needs none; a drained node, or a plain rollout, loses requests without one (5 s of sleep)"
        yield Finding("no_pre_stop", service.name, seen, hint)
