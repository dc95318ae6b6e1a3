# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""From the options of a call to routes and wishes. Pure; every refusal is a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Cut, Target, TrafficError, Wish
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import Wanted
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, number

SERVICE_OPTIONS: Mapping[str, Any] = {
    "name": {"type": "str", "required": True},
    "provider": {"type": "str", "choices": list(DIALECTS), "default": "istio"},
    "object": {
        "type": "dict",
        "required": True,
        "options": {
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str"},
            "kind": {"type": "str"},
        },
    },
    "route": {"type": "str", "required": True},
    "stable": {"type": "str"},
    "canary": {"type": "str"},
}
"""What names a routed service, for the argument_spec of every module that takes some."""


PLAIN = ("TCPRoute", "TLSRoute", "UDPRoute")
"""Kinds that split connections: a weight of them says nothing of requests, and an open connection never moves."""


def wanted(params: Mapping[str, Any], now: float) -> list[Wanted]:
    """The routes of a call, each with what it shall say; ``now`` is the moment of a cut."""
    targets = [target(service) for service in params["services"]]
    if not targets:
        raise _refuse("No service is named in services, so there is nothing to do", "no_services", "Name at least one")
    _refuse_twice(targets, "service", [item.service for item in targets])
    _refuse_twice(targets, "route", [str(item) for item in targets])
    if params["observe"] is not None:
        _refuse_unnamed(targets)
    return [Wanted(item, wish(params, now)) for item in targets]


def target(service: Mapping[str, Any]) -> Target:
    """One route from an entry of ``services``."""
    place = service["object"]
    kinds = list(DIALECTS[service["provider"]].kinds)
    kind = place.get("kind") or kinds[0]
    if kind in PLAIN:
        raise _refuse(
            f"The service {service['name']} names a {kind}: such connections are not requests, and no weight is moved",
            "route_protocol",
            "Route the service by http or grpc, or let it change with stable",
        )
    if kind not in kinds:
        raise _refuse(
            f"The service {service['name']} names an object of kind {kind} with the provider {service['provider']}",
            "kind_unknown",
            f"This provider knows {' and '.join(kinds)}",
        )
    return Target(
        service["name"],
        service["provider"],
        kind,
        place["namespace"],
        place.get("name") or service["name"],
        service["route"],
        service.get("stable") or "",
        service.get("canary") or "",
    )


def wish(params: Mapping[str, Any], now: float) -> Wish:
    """What every route of the call shall say."""
    cut, release = params["cut"], params["release"] or ""
    weight = number("weight", params["weight"], 0, 100)
    if cut is None and weight is None:
        raise _refuse("Neither weight nor cut is given", "weight_missing", "Give a weight from 0 to 100, or cut")
    if cut is not None and weight:
        raise _refuse(
            f"A cut means weight 0 and weight is {weight}", "weight_and_cut", "Leave weight out where cut is given"
        )
    if cut is not None and not release:
        raise _refuse(
            "A cut without a release cannot be told from one of another release", "release_missing", "Give release"
        )
    return Wish(
        weight or 0,
        number("fence", params["fence"], 1, 2**53),
        release,
        Cut(release, moment(now), cut["reason"]) if cut else None,
        bool(params["lift_cut"]),
        frozenset(params["tolerate"]),
    )


def _refuse_unnamed(targets: Sequence[Target]) -> None:
    """The gateways know rules by their names only; an index means nothing to them."""
    for item in targets:
        if item.provider == "gateway_api" and item.route.isdigit():
            raise _refuse(
                f"{item.object} is given by the index {item.route} of its rule, and what the gateways do with a rule "
                "can be told by its name only",
                "rule_unnamed",
                "Give the rule a name and route that name, or leave observe out",
            )


def _refuse_twice(targets: Sequence[Target], what: str, names: Sequence[str]) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            first = targets[names.index(name)].service
            raise _refuse(
                f"The {what} {name} is named twice in one call"
                f"{f', by {first} and {targets[at].service}' if what == 'route' else ''}",
                "service_twice",
                "Name each service and each route once",
            )


def _refuse(msg: str, reason: str, hint: str) -> TrafficError:
    return TrafficError(msg, reason=reason, hint=hint)
