# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Stable's Deployments made another release where they stand: image, variables, names of what they mount. Pure.

For Deployments that nobody but their manifests makes. What was there before is kept by its fields, so that it can be
put back without the revisions of a ReplicaSet, which somebody may have used or cleared away meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import is_secret_name
from ansible_collections.tars.rollout.plugins.module_utils._tracks import changes, copying
from ansible_collections.tars.rollout.plugins.module_utils._tracks.image import container_of, image_of, wanted_image
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, Service, TrackError, name_of
from ansible_collections.tars.rollout.plugins.module_utils._traffic.marks import FENCE

# What of a container may change; of a pod its volumes as well.
_PARTS = ("image", "env", "envFrom")


@dataclass(frozen=True)
class Target:
    """What one Deployment shall be: the image of one container, and its variables by name, None for one that goes.

    ``config_maps`` and ``secrets``: other names for what its pods mount, by the names that they mount now.
    """

    container: str
    image: str
    env: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    config_maps: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


def target(live: Document, service: Service) -> Target:
    """What the service asks for. TrackError where its container or image is not clear."""
    container = container_of(live, service)
    env = {name: {"name": name, "value": value} for name, value in service.env.items()}
    image = wanted_image(image_of(live, container), service)
    return Target(container, image, env, service.config_maps, service.secrets)


def kept(data: Any, name: str) -> Target:
    """A target as ``before`` has written it; TrackError for anything else. ``name``: the service, for sentences."""
    if isinstance(data, Mapping) and all(isinstance(data.get(key), str) for key in ("container", "image")):
        parts = [data.get(key) or {} for key in ("env", "config_maps", "secrets")]
        if all(isinstance(part, Mapping) for part in parts):
            return Target(data["container"], data["image"], *parts)
    raise TrackError(
        f"What {name} was before is not as this collection writes it down",
        reason="before_invalid",
        hint="It is in the record of the region, in the field before: somebody has edited it",
        details={"service": name},
    )


def before(live: Document, wanted: Target) -> dict[str, Any]:
    """What a Deployment is in all that the target would change, for the record. TrackError where that is a secret."""
    there = {item["name"]: item for item in _container(live, wanted.container).get("env") or []}
    env = {name: there.get(name) for name, item in wanted.env.items() if there.get(name) != item}
    if found := [name for name, item in env.items() if item and is_secret_name(name) and _tells(item.get("value"))]:
        raise TrackError(
            f"The variable {found[0]} of {name_of(live)} would be changed, and what it is now must not be written down",
            reason="env_secret",
            hint="Take it from a Secret, and give the service another Secret with the release",
            details={"deployment": name_of(live), "variable": found[0]},
        )
    mounts = copying.mounted(live["spec"]["template"]["spec"])
    return {
        "container": wanted.container,
        "image": image_of(live, wanted.container),
        "env": env,
        "config_maps": {new: old for old, new in wanted.config_maps.items() if ("ConfigMap", old) in mounts},
        "secrets": {new: old for old, new in wanted.secrets.items() if ("Secret", old) in mounts},
    }


def _tells(value: Any) -> bool:
    """Whether a value could be a secret; the one of a switch is none, whatever its name (PASSWORDLESS_LOGIN)."""
    return bool(value) and str(value).lower() not in ("true", "false", "yes", "no", "on", "off", "0", "1")


def operations(live: Document, wanted: Target, fence: int | None) -> Sequence[changes.Op]:
    """The patch of one Deployment, led by tests of what must not have changed meanwhile; empty where it is so already.

    TrackError ``fence_lost`` when a newer run has written it.
    """
    changes.check_fence(live, fence, f"The Deployment {name_of(live)}")
    writes = list(_writes(live["spec"]["template"]["spec"], replaced(live, wanted)["spec"]["template"]["spec"]))
    return changes.guarded(live, writes, {} if fence is None else {FENCE: str(fence)}) if writes else []


def replaced(live: Document, wanted: Target) -> dict[str, Any]:
    """The Deployment as it shall be."""
    spec = live["spec"]["template"]["spec"]
    _container(live, wanted.container)
    mounts = Service(name_of(live), config_maps=wanted.config_maps, secrets=wanted.secrets)
    pod = copying.renamed(spec, mounts)
    pod["containers"] = [
        {**_with_env(item, wanted.env), "image": wanted.image} if item["name"] == wanted.container else item
        for item in pod["containers"]
    ]
    template = {**live["spec"]["template"], "spec": pod}
    return {**live, "spec": {**live["spec"], "template": template}}


def _container(live: Document, name: str) -> Mapping[str, Any]:
    for item in live["spec"]["template"]["spec"]["containers"]:
        if item["name"] == name:
            found: Mapping[str, Any] = item
            return found
    raise TrackError(
        f"The Deployment {name_of(live)} has no container {name} any more",
        reason="container_missing",
        hint="Somebody has changed it: put image and variables right by hand, the record has what they were",
        details={"deployment": name_of(live), "container": name},
    )


def _with_env(container: Mapping[str, Any], env: Mapping[str, Mapping[str, Any] | None]) -> Mapping[str, Any]:
    """Each variable in the place of the one of its name: later ones may be made of it."""
    have = container.get("env") or []
    names = {item["name"] for item in have}
    made = [env.get(item["name"], item) for item in have]
    made += [item for name, item in env.items() if name not in names]
    return {**container, "env": [item for item in made if item is not None]}


def _writes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[changes.Op]:
    root = "/spec/template/spec"
    yield from _write(f"{root}/volumes", live.get("volumes"), wanted.get("volumes"))
    for part in ("initContainers", "containers"):
        for at, (now, then) in enumerate(zip(live.get(part) or [], wanted.get(part) or [], strict=True)):
            for key in _PARTS:
                yield from _write(f"{root}/{part}/{at}/{key}", now.get(key), then.get(key))


def _write(path: str, now: Any, then: Any) -> Iterator[changes.Op]:
    if (now or None) == (then or None):
        return
    yield {"op": "add", "path": path, "value": then} if then else {"op": "remove", "path": path}
