# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Policies and monitors that select pods by the track's label: the same for the canary, or why not. Pure.

A NetworkPolicy only ever allows more when another one is added, so one copy that says "stable or canary" wherever the
original says "stable" gives each canary what its stable has, as target and as peer, and takes nothing from anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import selectors
from ansible_collections.tars.rollout.plugins.module_utils._tracks.copying import metadata
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import KINDS, NAMES
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    CANARY,
    Document,
    World,
    is_canary,
    name_of,
)

WORKLOADS = ("peer_authentications", "authorization_policies")
"""Kinds of Istio whose ``spec.selector.matchLabels`` names the pods that they are about."""


def companions(world: World, key: str, values: Mapping[str, str], release: str) -> dict[str, list[dict[str, Any]]]:
    """Copies by kind for the canaries of ``values`` (stable's value of the label ``key`` to the canary's)."""
    found = {
        "network_policies": [
            _network_policy(item, world.namespace, key, values) for item in _others(world, "network_policies")
        ],
        **{kind: [_by_selector(item, key, values) for item in _others(world, kind)] for kind in WORKLOADS},
        "pod_monitors": [_by_selector(item, key, values) for item in _others(world, "pod_monitors")],
        "service_monitors": [_service_monitor(item, world, key, values) for item in _others(world, "service_monitors")],
    }
    return {
        kind: [_object(kind, name, spec, world.namespace, release) for name, spec in filter(None, specs)]
        for kind, specs in found.items()
    }


def not_watched(world: World, key: str, values: Mapping[str, str]) -> list[str]:
    """ServiceMonitors that find the Service of a stable and, even as a copy, not that of its canary."""
    missed = []
    for item in _others(world, "service_monitors"):
        selector = (item.get("spec") or {}).get("selector") or {}
        if _misses(world, selector, key, values) and _misses(
            world, selectors.moved(selector, key, values), key, values
        ):
            missed.append(name_of(item))
    return missed


def _others(world: World, kind: str) -> list[Document]:
    return [item for item in world.all(kind) if not is_canary(item)]


def _object(kind: str, name: str, spec: Mapping[str, Any], namespace: str, release: str) -> dict[str, Any]:
    return {
        "apiVersion": KINDS[kind].api_version,
        "kind": NAMES[kind],
        "metadata": metadata(f"{name}{CANARY}", namespace, {}, release),
        "spec": dict(spec),
    }


def _network_policy(
    item: Document, namespace: str, key: str, values: Mapping[str, str]
) -> tuple[str, Mapping[str, Any]] | None:
    spec = dict(item.get("spec") or {})
    wide = {**spec, "podSelector": selectors.widened(spec.get("podSelector") or {}, key, values)}
    for direction, side in (("ingress", "from"), ("egress", "to")):
        if rules := spec.get(direction):
            wide[direction] = [_rule(rule, side, namespace, key, values) for rule in rules]
    return (name_of(item), wide) if wide != spec else None


def _rule(rule: Mapping[str, Any], side: str, namespace: str, key: str, values: Mapping[str, str]) -> Mapping[str, Any]:
    if not rule.get(side):
        return rule
    peers = [
        {**peer, "podSelector": selectors.widened(peer["podSelector"], key, values)}
        if peer.get("podSelector") and _here(peer, namespace)
        else peer
        for peer in rule[side]
    ]
    return {**rule, side: peers}


def _here(peer: Mapping[str, Any], namespace: str) -> bool:
    """Whether a peer may be a pod of this namespace. One of another is somebody else's, whatever its labels."""
    spaces = peer.get("namespaceSelector")
    return spaces is None or selectors.matches(spaces, {"kubernetes.io/metadata.name": namespace})


def _by_selector(item: Document, key: str, values: Mapping[str, str]) -> tuple[str, Mapping[str, Any]] | None:
    spec = item.get("spec") or {}
    selector = spec.get("selector")
    if not selector:
        return None
    changed = selectors.moved(selector, key, values)
    return (name_of(item), {**spec, "selector": changed}) if changed != selector else None


def _service_monitor(
    item: Document, world: World, key: str, values: Mapping[str, str]
) -> tuple[str, Mapping[str, Any]] | None:
    """Needed only where it does not find the canary's Service already, by whatever labels that has."""
    copy = _by_selector(item, key, values)
    return copy if copy and _misses(world, (item.get("spec") or {}).get("selector") or {}, key, values) else None


def _misses(world: World, selector: Mapping[str, Any], key: str, values: Mapping[str, str]) -> bool:
    """Whether it finds a Service of a stable, or names one, and not the Service of its canary."""
    services = world.all("services")
    for stable, canary in values.items():
        own, twin = (
            [item for item in services if (item["spec"].get("selector") or {}).get(key) == value]
            for value in (stable, canary)
        )
        found_own = any(selectors.matches(selector, item["metadata"].get("labels") or {}) for item in own)
        found_twin = any(selectors.matches(selector, item["metadata"].get("labels") or {}) for item in twin)
        if found_own and not found_twin:
            return True
    return False
