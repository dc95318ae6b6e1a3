# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The words of traffic: which route is meant, what it says, what it shall say. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind

Document = Mapping[str, Any]


class TrafficError(RolloutError):
    """A route is not as it must be for its weight to be moved, or the gateways do not follow."""


@dataclass(frozen=True)
class Target:
    """One route of one object. ``stable`` and ``canary`` name the two destinations: hosts or subsets, see Dialect."""

    service: str
    provider: str
    kind: str
    namespace: str
    name: str
    route: str
    stable: str = ""
    canary: str = ""

    @property
    def object(self) -> str:
        """For sentences: VirtualService tars-us-west-2/api."""
        return f"{self.kind} {self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"route {self.route} of {self.object}"


@dataclass(frozen=True)
class Upstream:
    """A destination as the gateways count it. An empty port means any: the object does not say it."""

    host: str
    subset: str = ""
    port: str = ""

    def matches(self, cluster: str) -> bool:
        """Whether that is the Envoy cluster ``outbound|80|subset|host`` which Istio makes for this destination."""
        parts = cluster.split("|")
        if len(parts) != 4 or parts[0] != "outbound":
            return False
        return parts[2] == self.subset and parts[3] == self.host and self.port in ("", parts[1])


@dataclass(frozen=True)
class Arm:
    """One destination of a route: its weight as the object means it, and the JSON pointer to write another one."""

    weight: int
    pointer: str
    upstream: Upstream


@dataclass(frozen=True)
class Split:
    """What a route says. ``guards``: pointers and the values read there; if one has changed, no write is right.

    ``others`` is the sum of the weights of destinations that are none of ours; they keep their part.
    """

    stable: Arm
    canary: Arm
    others: int
    guards: tuple[tuple[str, Any], ...]

    @property
    def share(self) -> float | None:
        """Percent of what the two arms get together that goes to the canary; None when both have weight 0."""
        total = self.stable.weight + self.canary.weight
        return 100 * self.canary.weight / total if total else None


class Dialect(Protocol):
    """How one kind of route is read: everything about a provider that is not the same for all. Pure.

    A new provider is one file with one of these, an entry in ``provider.DIALECTS``, and its docs.
    """

    kinds: Mapping[str, Kind]
    """Names of the kinds of objects, the usual one first, and where the API has them."""

    def read(self, document: Document, target: Target) -> Split:
        """The split of the target's route, or TrafficError with what is there instead."""

    def doubts(self, document: Document, target: Target) -> list[str]:
        """Sentences about why a weight in this route may not mean what it says; empty for a usual one."""

    def header_host(self, document: Document, target: Target, header: str, value: str) -> str | None:
        """A host at which requests with this header reach the canary alone, whatever the weights are.

        Empty where the object takes any host; None where it has no such route.
        """

    def plain_host(self, document: Document, target: Target, path: str, answers: str) -> str | None:
        """A host at which a GET of that path, without headers of its own, is routed by the target's route.

        Empty where the object takes any host; None where another route takes it, where the object writes the header
        ``answers`` of answers itself, or where that cannot be told. Other objects with the same host are not known.
        """


@dataclass(frozen=True)
class Cut:
    """Why the canary was taken out of the traffic: written on the route, so that a resumed run finds the verdict."""

    release: str
    time: str
    reason: str


@dataclass(frozen=True)
class Wish:
    """What a route shall say. ``fence`` None: keep the one that is there, for a cut take the next one.

    ``cut``: mark the route as cut, with weight 0. ``release`` is whose traffic this is; a mark of another release goes
    when weight is given again, a mark of the same one only with ``lift_cut``. ``tolerated``: owners of the route that
    are known to leave the weights alone, see ``writers.OWNERS``.
    """

    weight: int
    fence: int | None = None
    release: str = ""
    cut: Cut | None = None
    lift_cut: bool = False
    tolerated: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Seen:
    """A route as it was read at one moment."""

    target: Target
    split: Split
    document: Document
    doubts: tuple[str, ...] = ()

    @property
    def annotations(self) -> Mapping[str, str]:
        return (self.document.get("metadata") or {}).get("annotations") or {}


@dataclass(frozen=True)
class Plan:
    """The JSON Patch that makes a route say what is wished; without ``ops`` it says so already."""

    target: Target
    before: float | None
    wanted: int
    split: Split
    ops: tuple[Mapping[str, Any], ...]
    diff_before: Mapping[str, Any]
    diff_after: Mapping[str, Any]
    doubts: tuple[str, ...] = ()
