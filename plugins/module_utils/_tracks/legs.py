# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Where the routes of a namespace send requests, and which pods a destination reaches. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import selectors
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import NAMES
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, World, name_of

_LOCAL = ".svc.cluster.local"


@dataclass(frozen=True)
class Leg:
    """One destination of one route. ``everyone``: requests get there without a header that asks for it."""

    object: str
    route: str
    host: str
    subset: str
    weight: int
    everyone: bool

    def __str__(self) -> str:
        """For instance: route primary of VirtualService tars-us-west-2/api."""
        return f"route {self.route} of {self.object}"


def legs(world: World) -> list[Leg]:
    """Every destination of every route of the namespace."""
    found = [leg for item in world.all("virtual_services") for leg in _istio(item, world.namespace)]
    for key in ("http_routes", "grpc_routes"):
        found += [leg for item in world.all(key) for leg in _gateway_api(item, key, world.namespace)]
    return found


def reaches(leg: Leg, labels: Mapping[str, str], world: World) -> bool:
    """Whether pods with these labels are behind that destination."""
    subset: Mapping[str, Any] = {}
    if leg.subset:
        rules = [item for item in world.all("destination_rules") if _full(_host(item), world.namespace) == leg.host]
        named = [part for item in rules for part in item["spec"].get("subsets") or [] if part.get("name") == leg.subset]
        if not named:
            return False
        subset = named[0].get("labels") or {}
    services = [item for item in world.all("services") if _full(name_of(item), world.namespace) == leg.host]
    return any(
        selectors.service_matches(item["spec"].get("selector"), labels) and subset.items() <= labels.items()
        for item in services
    )


def weighted(world: World, canary: Mapping[str, str], stable: Mapping[str, str]) -> list[Leg]:
    """Destinations that give the canary's pods, and not stable's, a part of everybody's requests."""
    return [
        leg
        for leg in legs(world)
        if leg.everyone and leg.weight > 0 and reaches(leg, canary, world) and not reaches(leg, stable, world)
    ]


def mixed(world: World, canary: Mapping[str, str], stable: Mapping[str, str]) -> list[Document]:
    """Services whose selector takes the pods of both tracks."""
    return [
        item
        for item in world.all("services")
        if all(selectors.service_matches(item["spec"].get("selector"), labels) for labels in (canary, stable))
    ]


def bare(world: World, service: Document) -> tuple[list[Leg], list[Leg]]:
    """The destinations that name this Service: those with a subset, and those without."""
    host = _full(name_of(service), world.namespace)
    to_it = [leg for leg in legs(world) if leg.host == host]
    return [leg for leg in to_it if leg.subset], [leg for leg in to_it if not leg.subset]


def sticky(world: World, hosts: Sequence[str]) -> list[str]:
    """Names of DestinationRules that keep a user's requests at one pod of these hosts (consistent hash)."""
    wanted = {_full(host, world.namespace) for host in hosts}
    return [
        name_of(item)
        for item in world.all("destination_rules")
        if _full(_host(item), world.namespace) in wanted and any(map(_hashes, _policies(item["spec"])))
    ]


def _istio(document: Document, namespace: str) -> Iterator[Leg]:
    spec, where = document.get("spec") or {}, f"VirtualService {namespace}/{name_of(document)}"
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(spec.get(kind) or []):
            entries = route.get("route") or []
            asked = kind == "http" and len(entries) == 1 and _asks(route.get("match"))
            for entry in entries:
                target = entry.get("destination") or {}
                weight = entry.get("weight", 100 if len(entries) == 1 else 0)
                yield Leg(
                    where, str(route.get("name") or f"{kind}[{index}]"), _full(str(target.get("host", "")), namespace),
                    str(target.get("subset") or ""), int(weight or 0), not asked,
                )  # fmt: skip


def _gateway_api(document: Document, key: str, namespace: str) -> Iterator[Leg]:
    where = f"{NAMES[key]} {namespace}/{name_of(document)}"
    for index, rule in enumerate((document.get("spec") or {}).get("rules") or []):
        refs = rule.get("backendRefs") or []
        asked = len(refs) == 1 and _asks(rule.get("matches"))
        for ref in refs:
            weight = ref.get("weight")
            yield Leg(
                where, str(rule.get("name") or index), f"{ref.get('name')}.{ref.get('namespace') or namespace}{_LOCAL}",
                "", 1 if weight is None else int(weight), not asked,
            )  # fmt: skip


def _asks(matches: Any) -> bool:
    """Whether every way into the route asks for a header."""
    return bool(matches) and all(item.get("headers") for item in matches)


def _policies(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for owner in (spec, *(spec.get("subsets") or [])):
        policy = owner.get("trafficPolicy") or {}
        yield policy
        yield from policy.get("portLevelSettings") or []


def _hashes(policy: Mapping[str, Any]) -> bool:
    return bool((policy.get("loadBalancer") or {}).get("consistentHash"))


def _host(rule: Document) -> str:
    return str(rule["spec"].get("host", ""))


def _full(host: str, namespace: str) -> str:
    """As Istio completes names; the shorter forms of a Service of the cluster as well."""
    if "." not in host:
        return f"{host}.{namespace}{_LOCAL}"
    name, _dot, rest = host.partition(".")
    if rest.endswith(".svc"):
        return f"{host}.cluster.local"
    return f"{name}.{rest}{_LOCAL}" if "." not in rest else host
