# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a call: what is taken, and every refusal in its sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic import request


def service(name: str = "api", **changes: Any) -> dict[str, Any]:
    place = {"namespace": "tars", "name": None, "kind": None}
    return {"name": name, "provider": "istio", "object": place, "route": "primary", **changes}


def params(**changes: Any) -> dict[str, Any]:
    given = {
        "weight": 10,
        "cut": None,
        "fence": None,
        "release": None,
        "lift_cut": False,
        "tolerate": [],
        "observe": None,
    }
    return {"services": [service()], **given, **changes}


def refused(**changes: Any) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        request.wanted(params(**changes), 0)
    return caught.value


def test_defaults() -> None:
    (wanted,) = request.wanted(params(), 0)
    assert str(wanted.target) == "route primary of VirtualService tars/api"
    assert (wanted.wish.weight, wanted.wish.fence, wanted.wish.cut) == (10, None, None)


@pytest.mark.parametrize("weight", [0, 100, "0", "7", "100"])
def test_whole_numbers_are_taken(weight: Any) -> None:
    assert request.wish(params(weight=weight), 0).weight == int(weight)


@pytest.mark.parametrize(
    ("weight", "seen"),
    [
        (True, "weight is True, which is a boolean"),
        (False, "weight is False, which is a boolean"),
        ("true", "weight is 'true', which is a text"),
        ("10%", "weight is '10%', which is a text"),
        (" 10", "weight is ' 10', which is a text"),
        ("1e1", "weight is '1e1', which is a text"),
        ("-1", "weight is '-1', which is a text"),
        ("\u0663", "weight is '\u0663', which is a text"),
        (9.5, "weight is 9.5, which is no whole number"),
        ([10], "weight is [10], which is no number"),
        (101, "weight is 101"),
        (-1, "weight is -1"),
        ("1000", "weight is 1000"),
    ],
)
def test_anything_else_is_refused(weight: Any, seen: str) -> None:
    error = refused(weight=weight)
    assert (error.reason, error.msg) == ("weight_invalid", seen)
    assert "whole number from 0 to 100" in error.hint


def test_a_fence_is_a_number_too() -> None:
    assert refused(fence=True).reason == "fence_invalid"
    assert refused(fence=0).reason == "fence_invalid"
    assert request.wish(params(fence="7"), 0).fence == 7


def test_a_service_twice() -> None:
    error = refused(services=[service(), service("b"), service()])
    assert (error.reason, error.msg) == ("service_twice", "The service api is named twice in one call")


def test_a_route_twice() -> None:
    place = {"namespace": "tars", "name": "api", "kind": None}
    error = refused(services=[service(), service("b", object=place)])
    assert error.reason == "service_twice"
    assert error.msg == "The route route primary of VirtualService tars/api is named twice in one call, by api and b"


def test_the_proof_needs_the_name_of_a_rule() -> None:
    by_index = service(provider="gateway_api", route="0")
    assert request.wanted(params(services=[by_index]), 0)
    assert refused(services=[by_index], observe={}).reason == "rule_unnamed"


def test_no_service() -> None:
    assert refused(services=[]).reason == "no_services"


def test_neither_weight_nor_cut() -> None:
    assert refused(weight=None).reason == "weight_missing"


def test_a_cut() -> None:
    wish = request.wish(params(weight=None, cut={"reason": "slo"}, release="2.1"), 0)
    assert wish.cut is not None
    assert (wish.weight, wish.cut.time, wish.cut.release) == (0, "1970-01-01T00:00:00.000Z", "2.1")
    assert refused(weight=10, cut={"reason": "slo"}, release="2.1").reason == "weight_and_cut"
    assert refused(weight=0, cut={"reason": "slo"}).reason == "release_missing"


def test_a_kind_that_the_provider_does_not_know() -> None:
    place = {"namespace": "tars", "name": None, "kind": "Gateway"}
    error = refused(services=[service(provider="gateway_api", object=place)])
    assert error.reason == "kind_unknown"
    assert "HTTPRoute and GRPCRoute" in error.hint


@pytest.mark.parametrize("kind", ["TCPRoute", "TLSRoute", "UDPRoute"])
def test_connections_are_refused_by_name(kind: str) -> None:
    place = {"namespace": "tars", "name": None, "kind": kind}
    error = refused(services=[service(provider="gateway_api", object=place)])
    assert error.reason == "route_protocol" and f"names a {kind}" in error.msg
