# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The port of traffic: read a route, plan its next split, write it, cut it. One per kind of object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._traffic import access, planning
from ansible_collections.tars.rollout.plugins.module_utils._traffic.gateway_api import GatewayApi
from ansible_collections.tars.rollout.plugins.module_utils._traffic.istio import Istio
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import (
    Cut,
    Dialect,
    Plan,
    Seen,
    Target,
    TrafficError,
    Wish,
)

DIALECTS: Mapping[str, Dialect] = {"istio": Istio(), "gateway_api": GatewayApi()}


class Objects(Protocol):
    """What is needed of the API server; ``_kube.Client`` is one. Faults are KubeErrors."""

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is."""

    def json_patch(self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The object after the patch, which is applied as a whole or not at all."""

    def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the server makes of it; here only of questions, which are not stored."""


class Provider(Protocol):
    """Moves traffic. Fence and cut are part of every patch, so nobody can forget them."""

    def observe(self, target: Target) -> Seen:
        """One read of the route as it is now."""

    def plan(self, seen: Seen, wish: Wish) -> Plan:
        """What to write, from what was read. No I/O; TrafficError when it must not be written."""

    def patch(self, plan: Plan) -> Seen:
        """One write, of exactly the plan. KubeError ``kube_patch_test_failed`` when the route changed meanwhile."""

    def cut(self, target: Target, cut: Cut) -> Seen:
        """Weight 0 for the canary now, with the reason on the route and the next fence: read, plan, patch, once."""

    def may_patch(self, target: Target) -> TrafficError | None:
        """What keeps this login from writing the route, if anything; asks, writes nothing. KubeError: nobody tells."""


class Kubernetes:
    """The Provider of everything that is an object of the API server."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def observe(self, target: Target) -> Seen:
        return self._seen(target, self._objects.get(self._kind(target), target.namespace, target.name))

    def plan(self, seen: Seen, wish: Wish) -> Plan:
        return planning.plan(seen, wish)

    def patch(self, plan: Plan) -> Seen:
        target = plan.target
        document = self._objects.json_patch(self._kind(target), target.namespace, target.name, plan.ops)
        return self._seen(target, document)

    def cut(self, target: Target, cut: Cut) -> Seen:
        seen = self.observe(target)
        plan = self.plan(seen, Wish(0, release=cut.release, cut=cut))
        return self.patch(plan) if plan.ops else seen

    def may_patch(self, target: Target) -> TrafficError | None:
        kind = self._kind(target)
        return access.refusal(kind, target, self._objects.create(access.REVIEWS, "", access.review(kind, target)))

    def _kind(self, target: Target) -> Kind:
        return DIALECTS[target.provider].kinds[target.kind]

    def _seen(self, target: Target, document: Mapping[str, Any]) -> Seen:
        dialect = DIALECTS[target.provider]
        return Seen(target, dialect.read(document, target), document, tuple(dialect.doubts(document, target)))
