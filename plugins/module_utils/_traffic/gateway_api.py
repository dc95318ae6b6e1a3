# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""HTTPRoute and GRPCRoute of the Gateway API: rules by name or index, backendRefs that are Services. Pure."""

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


class GatewayApi:
    """Reads HTTPRoutes and GRPCRoutes. ``route`` is a rule's name or its index; weights need not sum to 100."""

    kinds: Mapping[str, Kind] = {
        "HTTPRoute": Kind("gateway.networking.k8s.io/v1", "httproutes"),
        "GRPCRoute": Kind("gateway.networking.k8s.io/v1", "grpcroutes"),
    }

    def read(self, document: Document, target: Target) -> Split:
        index, rule = _rule((document.get("spec") or {}).get("rules") or [], target)
        refs: Sequence[Mapping[str, Any]] = rule.get("backendRefs") or []
        if len(refs) < 2:
            raise _error(
                target,
                f"{target} has {'one backend' if refs else 'no backend'} and two are needed",
                "route_one_destination",
                "Add the canary as second backend with weight 0",
            )
        stable = _find(refs, target.stable or target.service, target)
        canary = _find(refs, target.canary or f"{target.service}-canary", target)
        if stable == canary:
            raise _error(
                target,
                f"Stable and canary are the same backend of {target}",
                "destination_ambiguous",
                "Name the two backends apart with stable and canary",
            )
        base = f"/spec/rules/{index}"
        # Rules may lack a name; what they match tells them apart as well.
        same = tuple((f"{base}/{key}", rule[key]) for key in ("name", "matches") if rule.get(key))
        return Split(
            _arm(refs, stable, base, target),
            _arm(refs, canary, base, target),
            sum(_weight(ref) for at, ref in enumerate(refs) if at not in (stable, canary)),
            (*same, (f"{base}/backendRefs", list(refs))),
        )

    def doubts(self, document: Document, target: Target) -> list[str]:
        _index, rule = _rule((document.get("spec") or {}).get("rules") or [], target)
        found = _parents(document, target)
        if rule.get("sessionPersistence"):
            found.append(f"{target} keeps users where they are, so the share of requests follows a weight slowly")
        return found

    def header_host(self, document: Document, target: Target, header: str, value: str) -> str | None:
        spec = document.get("spec") or {}
        canary = target.canary or f"{target.service}-canary"
        for rule in spec.get("rules") or []:
            if any(_by_header(match, header, value) for match in rule.get("matches") or []):
                refs = rule.get("backendRefs") or []
                if refs and all(canary in (ref.get("name"), _host(ref, target)) for ref in refs):
                    return next((str(host) for host in spec.get("hostnames") or [] if "*" not in str(host)), "")
        return None

    def plain_host(self, document: Document, target: Target, path: str, answers: str) -> str | None:
        spec = document.get("spec") or {}
        rules = spec.get("rules") or []
        index, found = _rule(rules, target)
        takes = [any_known(_matches(match, path) for match in rule.get("matches") or [{}]) for rule in rules]
        # The most exact rule wins, wherever it stands: which one that is, is not guessed.
        if target.kind != "HTTPRoute" or None in takes or not takes[index] or sum(map(bool, takes)) > 1:
            return None
        hosts = [str(host) for host in spec.get("hostnames") or []]
        return None if _writes(found, answers) else outside_name(hosts) or (None if hosts else "")


def _writes(rule: Mapping[str, Any], header: str) -> bool:
    """Whether the rule or one of its backends sets that header of answers."""
    for item in (rule, *(rule.get("backendRefs") or [])):
        for kept in item.get("filters") or []:
            modifier = kept.get("responseHeaderModifier") or {}
            names = [entry.get("name") for how in ("set", "add") for entry in modifier.get(how) or []]
            if header.lower() in {str(name).lower() for name in names}:
                return True
    return False


def _matches(match: Mapping[str, Any], path: str) -> bool | None:
    """Whether a GET of that path without headers of its own matches; None where that cannot be told from here."""
    asked = {str(item.get("name")).lower() for item in match.get("headers") or []}
    if asked - EVERYWHERE or match.get("queryParams") or match.get("method", "GET") != "GET":
        return False
    where = match.get("path") or {}
    kind, value = where.get("type", "PathPrefix"), str(where.get("value", "/"))
    if asked or kind not in ("PathPrefix", "Exact"):
        return None
    if kind == "Exact":
        return path == value
    return path == value.rstrip("/") or path.startswith(f"{value.rstrip('/')}/")


def _by_header(match: Mapping[str, Any], header: str, value: str) -> bool:
    """Whether a match asks for this header and, but for the path that every request has, for nothing else."""
    headers = [(str(item.get("name")).lower(), item.get("value")) for item in match.get("headers") or []
               if item.get("type", "Exact") == "Exact"]  # fmt: skip
    everything = match.get("path") in (None, {"type": "PathPrefix", "value": "/"})
    exact = headers == [(header.lower(), value)] and len(match.get("headers") or []) == 1
    return exact and everything and not match.get("method") and not match.get("queryParams")


def _parents(document: Document, target: Target) -> list[str]:
    """What the gateways that the route names say of it, where they say anything."""
    parents = (document.get("status") or {}).get("parents") or []
    found = []
    for parent in parents:
        name = (parent.get("parentRef") or {}).get("name")
        for condition in parent.get("conditions") or []:
            if condition.get("type") in ("Accepted", "ResolvedRefs") and condition.get("status") == "False":
                said = condition.get("message") or condition.get("reason") or "no reason"
                found.append(f"The gateway {name} does not use {target.object} as it is: {said}")
    return found


def _rule(rules: Sequence[Mapping[str, Any]], target: Target) -> tuple[int, Mapping[str, Any]]:
    found = [(index, rule) for index, rule in enumerate(rules) if rule.get("name") == target.route]
    if len(found) > 1:
        raise _error(
            target,
            f"{target.object} has {len(found)} rules named {target.route}",
            "route_ambiguous",
            "Give each rule a name of its own, or give its index",
        )
    if found:
        return found[0]
    if target.route.isascii() and target.route.isdigit() and int(target.route) < len(rules):
        return int(target.route), rules[int(target.route)]
    there = [f"{index} ({rule['name']})" if rule.get("name") else str(index) for index, rule in enumerate(rules)]
    raise _error(
        target,
        f"{target.object} has no rule {target.route}; there are: {', '.join(there) or 'none'}",
        "route_unknown",
        "Give the name of a rule or its index, counted from 0",
        routes=there,
    )


def _find(refs: Sequence[Mapping[str, Any]], wanted: str, target: Target) -> int:
    found = [at for at, ref in enumerate(refs) if wanted in (ref.get("name"), _host(ref, target))]
    if len(found) == 1:
        return found[0]
    there = [str(ref.get("name")) for ref in refs]
    raise _error(
        target,
        f"{target} has {len(found) or 'no'} backend{'s' if found else ''} {wanted}; there are: {', '.join(there)}",
        "destination_ambiguous" if found else "destination_unknown",
        "Name the two backends with stable and canary",
        destinations=there,
    )


def _weight(ref: Mapping[str, Any]) -> int:
    # The standard's default is 1, and 0 is a weight.
    weight = ref.get("weight")
    return 1 if weight is None else int(weight)


def _host(ref: Mapping[str, Any], target: Target) -> str:
    return f"{ref.get('name')}.{ref.get('namespace') or target.namespace}.svc.cluster.local"


def _arm(refs: Sequence[Mapping[str, Any]], at: int, base: str, target: Target) -> Arm:
    ref = refs[at]
    if ref.get("kind", "Service") != "Service":
        raise _error(
            target,
            f"The backend {ref.get('name')} of {target} is a {ref['kind']} and no Service",
            "destination_unknown",
            "Only Services can be counted at the gateway: route to Services",
        )
    upstream = Upstream(_host(ref, target), "", str(ref.get("port") or ""))
    return Arm(_weight(ref), f"{base}/backendRefs/{at}/weight", upstream)


def _error(target: Target, msg: str, reason: str, hint: str, **details: Any) -> TrafficError:
    return TrafficError(msg, reason=reason, hint=hint, details={"service": target.service, **details})
