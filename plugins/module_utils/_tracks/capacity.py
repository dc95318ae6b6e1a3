# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Whether the second track fits: what its pods ask for, against quotas and against the room on the nodes. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, Finding, World, name_of

Amounts = Mapping[str, Fraction]

_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
# What a node gives out that pods ask for; extended resources are looked at when a pod names one.
_ROOM = ("cpu", "memory", "pods")


@dataclass(frozen=True)
class Need:
    """What the pods of one canary ask for, each: requests and limits, and how many more of them there will be."""

    service: str
    requests: Amounts
    limits: Amounts
    pods: int


def quantity(text: Any) -> Fraction:
    """A quantity of Kubernetes as a number: 100m is 1/10, 64Mi is 67108864. ValueError for anything else."""
    found = _QUANTITY.fullmatch(str(text).strip())
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    number, exponent, suffix = found.groups()
    if exponent:
        return Fraction(f"{number}e{exponent}")
    if suffix in _BINARY:
        return Fraction(number) * (1 << 10 * _BINARY[suffix])
    return Fraction(f"{number}e{_DECIMAL.get(suffix or '', 0)}")


def asked(pod_spec: Mapping[str, Any], what: str = "requests") -> dict[str, Fraction]:
    """What a pod asks for: the sum of its containers, or more where what runs before them needs more."""
    running = [item for item in pod_spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    before = [item for item in pod_spec.get("initContainers") or [] if item.get("restartPolicy") != "Always"]
    total = _sum([_of(item, what) for item in [*running, *(pod_spec.get("containers") or [])]])
    beside = _sum([_of(item, what) for item in running])
    for item in before:
        for name, amount in _sum([_of(item, what), beside]).items():
            total[name] = max(total.get(name, Fraction(0)), amount)
    return _sum([total, {name: quantity(value) for name, value in (pod_spec.get("overhead") or {}).items()}])


def shortages(world: World, needs: Sequence[Need]) -> list[Finding]:
    """Where the pods would not fit: a quota that is too small, or no node with room for one of them."""
    wanted = [need for need in needs if need.pods > 0]
    return [*_over_quota(world, wanted), *_no_room(world, wanted)]


def _over_quota(world: World, needs: Sequence[Need]) -> list[Finding]:
    found = []
    more = _sum([_for_quota(need) for need in needs])
    for quota in world.all("quotas"):
        # A quota with scopes counts some pods only; which ones is more than can be said from outside.
        if (quota.get("spec") or {}).get("scopes") or (quota.get("spec") or {}).get("scopeSelector"):
            continue
        status = quota.get("status") or {}
        for name, hard in (status.get("hard") or {}).items():
            used = quantity((status.get("used") or {}).get(name, 0))
            if more.get(name) and used + more[name] > quantity(hard):
                seen = (
                    f"the ResourceQuota {name_of(quota)} allows {_text(name, quantity(hard))} of {name}, "
                    f"{_text(name, used)} is used and the canaries ask for {_text(name, more[name])} more"
                )
                found.append(
                    Finding("capacity_quota", "", seen, "Raise the quota, or roll out fewer services at a time")
                )
    return found


def _no_room(world: World, needs: Sequence[Need]) -> list[Finding]:
    """Places pod by pod where most is free, the largest first, as a scheduler that spreads would."""
    nodes = _free(world)
    if not nodes:
        return []
    pods = sorted(
        ((need.requests.get("cpu", Fraction(0)), need) for need in needs for _pod in range(need.pods)),
        key=lambda pair: pair[0],
        reverse=True,
    )
    lost: dict[str, int] = {}
    for _cpu, need in pods:
        fitting = [node for node in nodes if all(node.get(key, 0) >= value for key, value in _one(need).items())]
        if not fitting:
            lost[need.service] = lost.get(need.service, 0) + 1
            continue
        node = max(fitting, key=lambda item: item.get("cpu", Fraction(0)))
        for key, value in _one(need).items():
            node[key] -= value
    by_name = {need.service: need for need in needs}
    return [_unplaced(by_name[service], count) for service, count in lost.items()]


def _unplaced(need: Need, count: int) -> Finding:
    each = ", ".join(f"{_text(key, value)} of {key}" for key, value in need.requests.items()) or "nothing"
    return Finding(
        "capacity_nodes",
        need.service,
        f"{count} of {need.pods} pods of the canary of {need.service} find no room on the nodes; each asks for {each}",
        "Add nodes, or roll out cohort by cohort",
    )


def _free(world: World) -> list[dict[str, Fraction]]:
    """What each node that takes pods has left, as far as its pods may be read."""
    rooms = []
    for node in world.all("nodes"):
        spec = node.get("spec") or {}
        if spec.get("unschedulable") or any(item.get("effect") == "NoSchedule" for item in spec.get("taints") or []):
            continue
        room = {key: quantity(value) for key, value in ((node.get("status") or {}).get("allocatable") or {}).items()}
        for pod in world.all("pods"):
            if pod["spec"].get("nodeName") == name_of(node) and (pod.get("status") or {}).get("phase") in (
                "Pending",
                "Running",
            ):
                for key, value in {**asked(pod["spec"]), "pods": Fraction(1)}.items():
                    room[key] = room.get(key, Fraction(0)) - value
        rooms.append(room)
    return rooms


def _one(need: Need) -> dict[str, Fraction]:
    return {**need.requests, "pods": Fraction(1)}


def _for_quota(need: Need) -> dict[str, Fraction]:
    """Under the names that a quota counts by; the short names of requests among them."""
    total = {"pods": Fraction(need.pods), "count/pods": Fraction(need.pods), "count/deployments.apps": Fraction(1)}
    for name, value in need.requests.items():
        total[f"requests.{name}"] = value * need.pods
        if name in _ROOM:
            total[name] = value * need.pods
    return {**total, **{f"limits.{name}": value * need.pods for name, value in need.limits.items()}}


def _of(container: Mapping[str, Any], what: str) -> dict[str, Fraction]:
    resources = container.get("resources") or {}
    # Where only a limit is given it is what is asked for as well.
    found = (
        {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        if what == "requests"
        else resources.get("limits")
    )
    return {name: quantity(value) for name, value in (found or {}).items()}


def _sum(parts: Sequence[Amounts]) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, Fraction(0)) + value
    return total


def _text(name: str, value: Fraction) -> str:
    """For people: memory in MiB, cores with three digits, the rest as it is."""
    if name.rpartition(".")[2] == "memory":
        return f"{math.ceil(value / 1024**2)} MiB"
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def need_of(deployment: Document, service: str, pods: int) -> Need:
    """What ``pods`` more pods like those of this Deployment ask for."""
    spec = deployment["spec"]["template"]["spec"]
    return Need(service, asked(spec), asked(spec, "limits"), pods)
