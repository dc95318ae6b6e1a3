# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""VirtualService of Istio: http routes by their name, two Services or two subsets of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import (
    Arm,
    Document,
    Split,
    Target,
    TrafficError,
    Upstream,
)
from ansible_collections.tars.rollout.plugins.module_utils._traffic.plain import EVERYWHERE, any_known, outside_name


class Istio:
    """Reads VirtualServices. ``stable`` and ``canary`` name subsets where the destinations have them, else hosts."""

    kinds: Mapping[str, Kind] = {"VirtualService": Kind("networking.istio.io/v1", "virtualservices")}

    def read(self, document: Document, target: Target) -> Split:
        spec = document.get("spec") or {}
        index, route = _route(spec, target)
        entries: Sequence[Mapping[str, Any]] = route.get("route") or []
        if len(entries) < 2:
            raise _error(
                target,
                f"{target} has {'one destination' if entries else 'no destination'} and two are needed",
                "route_one_destination",
                "Add the canary as second destination with weight 0",
            )
        stable, canary = (_find(entries, wanted, target) for wanted in _names(target, entries))
        if stable == canary:
            raise _error(
                target,
                f"Stable and canary are the same destination of {target}",
                "destination_ambiguous",
                "Name the two destinations apart with stable and canary",
            )
        hosts = {str(entries[at]["destination"]["host"]) for at in (stable, canary)}
        for kind in ("tls", "tcp"):
            _refuse_beside(spec.get(kind) or [], kind, hosts, target)
        base = f"/spec/http/{index}"
        return Split(
            _arm(entries, stable, base, target),
            _arm(entries, canary, base, target),
            sum(_weight(entry) for at, entry in enumerate(entries) if at not in (stable, canary)),
            # The list as a whole: its hosts, its weights, and that nobody added a destination.
            ((f"{base}/name", route["name"]), (f"{base}/route", list(entries))),
        )

    def doubts(self, document: Document, target: Target) -> list[str]:
        spec = document.get("spec") or {}
        index, _route_found = _route(spec, target)
        found = []
        if set(spec.get("gateways") or ["mesh"]) == {"mesh"}:
            found.append(f"{target.object} names no gateway, so the requests of users do not come by it")
        # Istio takes the first route that matches.
        for earlier in (spec.get("http") or [])[:index]:
            if not earlier.get("match"):
                name = earlier.get("name") or "without a name"
                found.append(f"The http route {name} of {target.object} takes every request before {target.route} can")
        return found

    def header_host(self, document: Document, target: Target, header: str, value: str) -> str | None:
        spec = document.get("spec") or {}
        _index, weighted = _route(spec, target)
        _stable, canary = _names(target, weighted.get("route") or [])
        for route in spec.get("http") or []:
            if any(_by_header(match, header, value) for match in route.get("match") or []):
                entries = route.get("route") or []
                alone = bool(entries) and all(_is(entry, canary, target) for entry in entries)
                return _concrete(spec.get("hosts") or []) if alone else None
            if not route.get("match"):
                # Istio takes the first route that matches: none behind this one gets a request.
                return None
        return None

    def plain_host(self, document: Document, target: Target, path: str, answers: str) -> str | None:
        spec = document.get("spec") or {}
        index, weighted = _route(spec, target)
        hosts = [str(host) for host in spec.get("hosts") or []]
        host = outside_name(hosts) or ("" if "*" in hosts else None)
        if not set(spec.get("gateways") or ["mesh"]) - {"mesh"} or _writes(weighted, answers):
            return None
        for route in (spec.get("http") or [])[: index + 1]:
            takes = any_known(_matches(match, path) for match in route.get("match") or [{}])
            if takes or takes is None:
                return host if takes and route is weighted else None
        return None


def _writes(route: Mapping[str, Any], header: str) -> bool:
    """Whether the route or one of its destinations sets that header of answers."""
    for item in (route, *(route.get("route") or [])):
        response = (item.get("headers") or {}).get("response") or {}
        if header.lower() in {str(name).lower() for how in ("set", "add") for name in response.get(how) or {}}:
            return True
    return False


def _matches(match: Mapping[str, Any], path: str) -> bool | None:
    """Whether a GET of that path without headers of its own matches; None where that cannot be told from here."""
    asked = {str(name).lower() for name in match.get("headers") or {}}
    if asked - EVERYWHERE:
        return False
    if asked or set(match) - {"name", "uri", "headers"}:
        return None
    uri = match.get("uri") or {"prefix": ""}
    if "exact" in uri:
        return path == str(uri["exact"])
    return path.startswith(str(uri["prefix"])) if "prefix" in uri else None


def _by_header(match: Mapping[str, Any], header: str, value: str) -> bool:
    """Whether a match asks for this header and nothing else."""
    headers = {str(name).lower(): how for name, how in (match.get("headers") or {}).items()}
    others = {key for key in match if key not in ("headers", "name")}
    return not others and list(headers) == [header.lower()] and headers[header.lower()] == {"exact": value}


def _concrete(hosts: Sequence[Any]) -> str:
    return next((str(host) for host in hosts if "*" not in str(host)), "")


def _route(spec: Mapping[str, Any], target: Target) -> tuple[int, Mapping[str, Any]]:
    http = spec.get("http") or []
    found = [(index, route) for index, route in enumerate(http) if route.get("name") == target.route]
    if len(found) == 1:
        return found[0]
    if found:
        raise _error(
            target,
            f"{target.object} has {len(found)} http routes named {target.route}",
            "route_ambiguous",
            "Give each http route a name of its own",
        )
    others = [kind for kind in ("tls", "tcp") if spec.get(kind)]
    if not http and others:
        raise _error(
            target,
            f"{target.object} has {' and '.join(others)} routes only; the weight of http routes alone can be moved",
            "route_protocol",
            "Route the service by http, or shift it by replica count",
        )
    named = [str(route["name"]) for route in http if route.get("name")]
    unnamed = len(http) - len(named)
    there = ", ".join(named) or "none with a name"
    raise _error(
        target,
        f"{target.object} has no http route named {target.route}; there are: {there}"
        f"{f', and {unnamed} without a name' if named and unnamed else ''}",
        "route_unknown",
        "Correct route, or give the http route this name",
        routes=named,
    )


def _names(target: Target, entries: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """What the two destinations are called: as given, or by the custom of their form."""
    subsets = all((entry.get("destination") or {}).get("subset") for entry in entries)
    usual = ("stable", "canary") if subsets else (target.service, f"{target.service}-canary")
    return target.stable or usual[0], target.canary or usual[1]


def _find(entries: Sequence[Mapping[str, Any]], wanted: str, target: Target) -> int:
    found = [at for at, entry in enumerate(entries) if _is(entry, wanted, target)]
    if len(found) == 1:
        return found[0]
    there = [_label(entry) for entry in entries]
    raise _error(
        target,
        f"{target} has {len(found) or 'no'} destination{'s' if found else ''} {wanted}; there are: {', '.join(there)}",
        "destination_ambiguous" if found else "destination_unknown",
        "Name the two destinations with stable and canary",
        destinations=there,
    )


def _is(entry: Mapping[str, Any], wanted: str, target: Target) -> bool:
    destination = entry.get("destination") or {}
    host = str(destination.get("host", ""))
    if destination.get("subset"):
        return bool(destination["subset"] == wanted)
    return wanted in (host, host.partition(".")[0]) or _full(host, target) == wanted


def _label(entry: Mapping[str, Any]) -> str:
    destination = entry.get("destination") or {}
    subset = destination.get("subset")
    return f"subset {subset} of {destination.get('host')}" if subset else str(destination.get("host"))


def _full(host: str, target: Target) -> str:
    # As Istio completes names: one without a dot is a Service of the namespace of the VirtualService.
    return host if "." in host else f"{host}.{target.namespace}.svc.cluster.local"


def _weight(entry: Mapping[str, Any]) -> int:
    return int(entry.get("weight") or 0)


def _arm(entries: Sequence[Mapping[str, Any]], at: int, base: str, target: Target) -> Arm:
    destination = entries[at]["destination"]
    port = str((destination.get("port") or {}).get("number") or "")
    upstream = Upstream(_full(str(destination["host"]), target), str(destination.get("subset") or ""), port)
    return Arm(_weight(entries[at]), f"{base}/route/{at}/weight", upstream)


def _refuse_beside(routes: Sequence[Mapping[str, Any]], kind: str, hosts: set[str], target: Target) -> None:
    """A tls or tcp route to the same hosts carries traffic that the http weight does not move."""
    used = {
        str((entry.get("destination") or {}).get("host")) for route in routes for entry in route.get("route") or []
    } & hosts
    if used:
        raise _error(
            target,
            f"{target.object} also routes {kind} to {', '.join(sorted(used))}, which no http weight moves",
            "route_protocol",
            f"Take the {kind} route to this service out, or shift the service by replica count",
        )


def _error(target: Target, msg: str, reason: str, hint: str, **details: Any) -> TrafficError:
    return TrafficError(msg, reason=reason, hint=hint, details={"service": target.service, **details})
