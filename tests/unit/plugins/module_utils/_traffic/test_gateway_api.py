# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading HTTPRoutes: rules by name and by index, weights that need not sum to 100."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._traffic import planning
from ansible_collections.tars.rollout.plugins.module_utils._traffic.gateway_api import GatewayApi
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError, Wish
from mesh import apply, http_route, rule, seen, target


def test_by_name() -> None:
    split = GatewayApi().read(http_route(), rule(target()))
    assert (split.share, split.canary.pointer) == (10, "/spec/rules/0/backendRefs/1/weight")
    assert split.canary.upstream.host == "api-canary.tars-us-west-2.svc.cluster.local"


def test_by_index() -> None:
    refs = [{"name": "api", "port": 80}, {"name": "api-canary", "port": 80, "weight": 0}]
    document = http_route({"backendRefs": [{"name": "x", "port": 80}]}, {"backendRefs": refs})
    split = GatewayApi().read(document, rule(target(route="1")))
    assert (split.stable.weight, split.canary.weight) == (1, 0)


def test_another_backend_keeps_its_part() -> None:
    refs = [
        {"name": "api", "port": 80, "weight": 100},
        {"name": "api-canary", "port": 80, "weight": 0},
        {"name": "extra", "port": 80, "weight": 1},
    ]
    document = http_route({"name": "primary", "backendRefs": refs})
    done = apply(document, planning.plan(seen(document, rule(target())), Wish(30)).ops)
    assert [ref["weight"] for ref in done["spec"]["rules"][0]["backendRefs"]] == [70, 30, 1]


@pytest.mark.parametrize(
    ("route", "refs", "reason"),
    [
        ("main", [{"name": "api"}, {"name": "api-canary"}], "route_unknown"),
        ("7", [{"name": "api"}, {"name": "api-canary"}], "route_unknown"),
        ("primary", [{"name": "api-canary"}], "route_one_destination"),
        ("primary", [{"name": "other"}, {"name": "api-canary"}], "destination_unknown"),
        ("primary", [{"name": "api", "kind": "Bucket"}, {"name": "api-canary"}], "destination_unknown"),
    ],
)
def test_refused(route: str, refs: list[dict[str, str]], reason: str) -> None:
    document = http_route({"name": "primary", "backendRefs": refs})
    with pytest.raises(TrafficError) as caught:
        GatewayApi().read(document, rule(target(route=route)))
    assert caught.value.reason == reason


def test_what_keeps_a_weight_from_meaning_what_it_says() -> None:
    document = http_route()
    assert GatewayApi().doubts(document, rule(target())) == []
    condition = {"type": "ResolvedRefs", "status": "False", "message": "backend(api-canary) not found"}
    document["status"] = {"parents": [{"parentRef": {"name": "gw"}, "conditions": [condition]}]}
    document["spec"]["rules"][0]["sessionPersistence"] = {"type": "Cookie"}
    found = GatewayApi().doubts(document, rule(target()))
    assert "gw does not use HTTPRoute tars-us-west-2/api as it is: backend(api-canary) not found" in found[0]
    assert "keeps users where they are" in found[1]


@pytest.mark.parametrize("route", ["primary", "1"])
def test_a_grpc_route_is_read_where_its_rule_is_matched_by_method(route: str) -> None:
    refs = [{"name": "api", "port": 9000, "weight": 3}, {"name": "api-canary", "port": 9000, "weight": 1}]
    health = {"matches": [{"method": {"service": "tars.Health"}}], "backendRefs": [{"name": "api", "port": 9000}]}
    method = {"method": {"service": "tars.Plans", "method": "Get"}}
    document = http_route(health, {"name": "primary", "matches": [method], "backendRefs": refs})
    where = replace(rule(target(route=route)), kind="GRPCRoute")
    split = GatewayApi().read(document, where)
    assert (split.share, split.canary.pointer) == (25, "/spec/rules/1/backendRefs/1/weight")
    # A rule that has another method now is another rule, whatever its index.
    assert ("/spec/rules/1/matches", [method]) in split.guards
    ops = planning.plan(seen(document, where), Wish(10)).ops
    document["spec"]["rules"].reverse()
    with pytest.raises((ValueError, KeyError)):
        apply(document, ops)
