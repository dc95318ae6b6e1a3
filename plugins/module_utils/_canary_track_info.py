# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of canary_track_info: read a namespace, judge it, tell. Ansible's options in, its result out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._errors import MASK, Scrubber, is_secret_name
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._tracks import changes, findings, owners, pinning, stable
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import NAMES, ROUTES
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    Finding,
    Service,
    World,
    annotations_of,
    is_canary,
    name_of,
)
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import services
from ansible_collections.tars.rollout.plugins.module_utils._tracks.reading import Reader
from ansible_collections.tars.rollout.plugins.module_utils._traffic.marks import CUT, parse_cut
from ansible_collections.tars.rollout.plugins.module_utils._values import number


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    params = call.params
    wanted = services(params)
    images = any(service.image or service.tag or service.digest for service in wanted)
    weight = number("weight", params["weight"], 1, 100) or 100
    wish = findings.Wish(params["track_label"], weight, params["mutable_tags"], images)
    world = Reader(client or _cluster.connect(call), call.clock, params["namespace"]).world()
    return {
        "changed": False,
        "live": {name_of(item): _shown(item, call.scrubber) for item in _live(world, wanted)},
        "canaries": {
            name_of(item): _shown(item, call.scrubber) for item in world.all("deployments") if is_canary(item)
        },
        "autoscalers": [_shown(item, call.scrubber) for item in _autoscalers(world, wanted)],
        "helm": {name_of(item): owners.helm_release(item) for item in world.all("deployments") if not is_canary(item)},
        "pins": {pin.name: pin.before for pin in pinning.pins(world, wanted)},
        "fence_floor": max((changes.fence_there(item) for item in _fenced(world)), default=0),
        "cuts": list(_cuts(world)),
        "findings": _told(findings.findings(world, wanted, wish)),
        "notices": _told(findings.warnings(world, wanted, wish)),
        "unread": [asdict(item) for item in world.unread],
        "stable_lacks": stable.lacks(world, [item.name for item in wanted], params["track_label"], params["tag"] or ""),
    }


def _live(world: World, wanted: Sequence[Service]) -> Iterator[Document]:
    for service in wanted:
        if (found := world.named("deployments", service.name)) is not None:
            yield found


def _autoscalers(world: World, wanted: Sequence[Service]) -> Iterator[Document]:
    names = {service.name for service in wanted}
    for item in world.all("autoscalers"):
        if (item["spec"].get("scaleTargetRef") or {}).get("name") in names:
            yield item


def _fenced(world: World) -> list[Document]:
    """Whatever may carry a fence: the routes, and what a canary track consists of."""
    return [item for key in (*ROUTES, "deployments") for item in world.all(key)]


def _cuts(world: World) -> Iterator[dict[str, str]]:
    for key in ROUTES:
        for item in world.all(key):
            if (text := annotations_of(item).get(CUT)) is not None:
                yield {"object": f"{NAMES[key]} {world.namespace}/{name_of(item)}", **asdict(parse_cut(text))}


def _told(found: Sequence[Finding]) -> list[dict[str, str]]:
    return [asdict(item) for item in found]


def _shown(document: Document, scrubber: Scrubber) -> dict[str, Any]:
    """The object as read, without who wrote which field, and without values of variables that may be secret."""
    metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    shown = {**document, "metadata": metadata}
    template = (document.get("spec") or {}).get("template")
    if not template:
        return shown
    pod = dict(template["spec"])
    for key in ("initContainers", "containers"):
        if pod.get(key):
            pod[key] = [_masked(item, scrubber) for item in pod[key]]
    return {**shown, "spec": {**document["spec"], "template": {**template, "spec": pod}}}


def _masked(container: Mapping[str, Any], scrubber: Scrubber) -> Mapping[str, Any]:
    if not container.get("env"):
        return container
    env = [
        {**item, "value": MASK if is_secret_name(item["name"]) and item["value"] else scrubber.text(item["value"])}
        if "value" in item
        else item
        for item in container["env"]
    ]
    return {**container, "env": env}
