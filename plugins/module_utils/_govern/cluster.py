# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What a cluster must be before a release may come: room for the canaries, rights, and ages of what is secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

_SUFFIX = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30,
    "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:[eE][0-9]+)?)([A-Za-z]*)")
_PRIMARY = ("cpu", "memory")


class Right(NamedTuple):
    """One thing that the run must be allowed to do. An empty namespace means in the whole cluster."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    subresource: str = ""

    @property
    def said(self) -> str:
        below = f"/{self.subresource}" if self.subresource else ""
        what = f"{self.resource}{below}{f'.{self.group}' if self.group else ''}"
        return f"{self.verb} {what} in {self.namespace or 'the cluster'}"

    def review(self) -> dict[str, Any]:
        """The body of a SelfSubjectAccessReview."""
        attributes = {key: value for key, value in self._asdict().items() if value}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }


NEEDED: tuple[tuple[str, str, str], ...] = (
    ("get list create patch delete", "deployments", "apps"),
    ("get list create patch delete", "horizontalpodautoscalers", "autoscaling"),
    ("get list create patch delete", "poddisruptionbudgets", "policy"),
    ("get list create patch delete", "networkpolicies", "networking.k8s.io"),
    ("get create patch", "configmaps", ""),
    ("get create patch", "leases", "coordination.k8s.io"),
    ("get list create update delete", "secrets", ""),
    ("get list", "pods", ""),
    ("list", "services", ""),
    ("list", "resourcequotas", ""),
    ("list", "statefulsets", "apps"),
)
"""What the roles of this collection do in the namespace of a region: verbs, resource, API group. Secrets: Helm keeps
its releases there."""
BY_ROUTE: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "VirtualService": (
        ("get list patch", "virtualservices", "networking.istio.io"),
        ("list", "destinationrules", "networking.istio.io"),
    ),
    "HTTPRoute": (("get list patch", "httproutes", "gateway.networking.k8s.io"),),
    "GRPCRoute": (("get list patch", "grpcroutes", "gateway.networking.k8s.io"),),
}
"""What moving the traffic of a route of that kind takes beside."""
READ_WHEN_THERE = frozenset({
    "peerauthentications", "authorizationpolicies", "servicemonitors", "podmonitors", "canaries", "rollouts", "nodes",
})  # fmt: skip
"""What is looked at where the cluster has it and this login may see it, and else told as not seen."""


def rights(namespace: str, more: Sequence[Mapping[str, Any]] = (), routes: Iterable[str] = ()) -> list[Right]:
    """Each right that is needed, once. ``more``: verbs, resource, group, namespace and subresource as users give
    them; ``routes``: the kinds of the plan's routes."""
    wanted = [*NEEDED, *(item for kind in routes for item in BY_ROUTE.get(kind, ()))]
    found = [Right(verb, resource, group, namespace) for verbs, resource, group in wanted for verb in verbs.split()]
    for item in more:
        verbs = item.get("verbs") or []
        if not verbs or not item.get("resource") or isinstance(verbs, str):
            raise RolloutError(
                f"The right {dict(item)!r} cannot be used: it has no verbs or no resource", reason="right_invalid",
                hint="Give verbs (a list), resource, and where they are meant group, subresource and namespace",
            )  # fmt: skip
        where = str(item.get("namespace", namespace))
        found += [
            Right(
                str(verb),
                str(item["resource"]),
                str(item.get("group") or ""),
                where,
                str(item.get("subresource") or ""),
            )
            for verb in verbs
        ]
    return list(dict.fromkeys(found))


def quantity(text: Any) -> float:
    """A Kubernetes quantity as a number: cores, bytes or pieces."""
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None or match[2] not in _SUFFIX:
        raise RolloutError(
            f"The quantity {text!r} is none of Kubernetes", reason="quantity_invalid", hint="Such as 250m or 512Mi"
        )
    return float(match[1]) * _SUFFIX[match[2]]


def requests(pod: Mapping[str, Any]) -> dict[str, float]:
    """What the scheduler counts for a pod: its containers together, or one container that runs before if that is
    more."""
    spec = pod.get("spec") or {}
    found = {}
    for key in _PRIMARY:
        own = sum(_request(container, key) for container in spec.get("containers") or ())
        before = max((_request(container, key) for container in spec.get("initContainers") or ()), default=0.0)
        found[key] = max(own, before)
    return found


@dataclass(frozen=True)
class Need:
    """What the canaries of the release take: ``pods`` of each service with what one of them asks for."""

    service: str
    pods: int
    each: Mapping[str, float]


def needs(deployments: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Need]:
    """The canary of each service is a copy of what is live, as many pods as there are."""
    live = {item["metadata"]["name"]: item for item in deployments}
    return [
        Need(
            name,
            int((live[name].get("spec") or {}).get("replicas", 1)),
            requests((live[name].get("spec") or {}).get("template") or {}),
        )
        for name in names
        if name in live
    ]


def quota(wanted: Sequence[Need], quotas: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Sentences on what of the namespace's quotas the canaries would exceed."""
    total = {key: sum(need.pods * need.each[key] for need in wanted) for key in _PRIMARY}
    asked = {
        "requests.cpu": total["cpu"], "cpu": total["cpu"], "requests.memory": total["memory"],
        "memory": total["memory"],
        "pods": float(sum(need.pods for need in wanted)), "count/deployments.apps": float(len(wanted)),
    }  # fmt: skip
    for item in quotas:
        status = item.get("status") or {}
        for key, hard in (status.get("hard") or {}).items():
            used = quantity((status.get("used") or {}).get(key, "0"))
            if key in asked and used + asked[key] > quantity(hard):
                seen = f"in use {_plain(used)}, the canaries need {_plain(asked[key])} more"
                yield f"the quota {item['metadata']['name']} allows {key} {hard}, {seen}"


def room(
    wanted: Sequence[Need], nodes: Sequence[Mapping[str, Any]], pods: Sequence[Mapping[str, Any]], most: float
) -> Iterator[str]:
    """Sentences on canaries that find no node, and on nodes that would be fuller than ``most`` (0..1) in all.

    Pods are placed largest first, each where it leaves the most room; affinities and taints are not looked at beyond
    nodes that take no pods at all.
    """
    free: dict[str, dict[str, float]] = {}
    size = dict.fromkeys(_PRIMARY, 0.0)
    for node in nodes:
        ready = any(
            item.get("type") == "Ready" and item.get("status") == "True"
            for item in (node.get("status") or {}).get("conditions") or ()
        )
        if not ready:
            yield f"the node {node['metadata']['name']} is not ready"
        if ready and not (node.get("spec") or {}).get("unschedulable"):
            allocatable = {
                key: quantity((node["status"].get("allocatable") or {}).get(key, "0")) for key in (*_PRIMARY, "pods")
            }
            free[node["metadata"]["name"]] = allocatable
            size = {key: size[key] + allocatable[key] for key in _PRIMARY}
    for pod in pods:
        place = free.get((pod.get("spec") or {}).get("nodeName", ""))
        if place is not None and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            for key, value in {**requests(pod), "pods": 1.0}.items():
                place[key] -= value
    homeless: dict[str, int] = {}
    for need in sorted(wanted, key=lambda need: (need.each["memory"], need.each["cpu"]), reverse=True):
        for _pod in range(need.pods):
            fitting = [
                place
                for place in free.values()
                if place["pods"] >= 1 and all(place[key] >= need.each[key] for key in _PRIMARY)
            ]
            if not fitting:
                homeless[need.service] = homeless.get(need.service, 0) + 1
                continue
            best = max(fitting, key=lambda place: place["memory"])
            for key in _PRIMARY:
                best[key] -= need.each[key]
            best["pods"] -= 1
    if homeless:
        told = ", ".join(f"{count} of {service}" for service, count in homeless.items())
        yield f"no node has room for the canaries ({told})"
    for key in _PRIMARY:
        left = sum(place[key] for place in free.values())
        used = 1 - left / size[key] if size[key] else 1.0
        if used > most and not homeless:
            seen = f"with the canaries {100 * used:.0f} % of the nodes' {key} would be asked for"
            yield f"{seen}, at most {100 * most:.0f} % may be"


def valid(what: str, not_after: float, now: float, days: float) -> str:
    """A sentence when a certificate does not live long enough, else empty."""
    left = (not_after - now) / 86400
    if left >= days:
        return ""
    seen = f"is valid for {left:.0f} days more" if left > 0 else "has expired"
    return f"the certificate {what} {seen}, {days:g} days are asked for"


def young(secret: Mapping[str, Any], now: float, most: float, annotation: str = "") -> str:
    """A sentence when a secret was renewed too long ago, else empty.

    Renewed: what the annotation says, else the last write of its data, else when it was made.
    """
    meta = secret.get("metadata") or {}
    told = (meta.get("annotations") or {}).get(annotation) if annotation else None
    written = [
        entry.get("time") for entry in meta.get("managedFields") or () if "f:data" in (entry.get("fieldsV1") or {})
    ]
    moments = [told] if told else [*filter(None, written)] or [meta.get("creationTimestamp")]
    try:
        at = max(seconds_of(str(moment)) for moment in moments)
    except ValueError:
        return f"of the secret {meta.get('name')} nobody knows when it was renewed ({moments[0]!r})"
    days = (now - at) / 86400
    return (
        ""
        if now - at <= most
        else f"the secret {meta.get('name')} was renewed {days:.0f} days ago, at most {most / 86400:g} are allowed"
    )


def _request(container: Mapping[str, Any], key: str) -> float:
    resources = container.get("resources") or {}
    # A limit without a request is the request, as the API server has it.
    given = (resources.get("requests") or {}).get(key, (resources.get("limits") or {}).get(key, "0"))
    return quantity(given)


def _plain(value: float) -> str:
    return f"{value / 2**30:.2f}Gi" if value >= 2**28 else f"{value:g}"
