# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading VirtualServices: which destinations are meant, and what is refused with which sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._traffic.istio import Istio
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError, Upstream
from mesh import destination, target, virtual_service


def primary(*route: Any, name: str = "primary") -> dict[str, Any]:
    return {"name": name, "route": list(route)}


def refused(document: dict[str, Any], **changes: str) -> TrafficError:
    with pytest.raises(TrafficError) as caught:
        Istio().read(document, target(**changes))
    return caught.value


def test_two_services() -> None:
    split = Istio().read(virtual_service(), target())
    assert split.share == 10
    assert split.canary.pointer == "/spec/http/1/route/1/weight"
    assert split.canary.upstream == Upstream("api-canary.tars-us-west-2.svc.cluster.local", "", "80")


def test_two_subsets_of_one_host() -> None:
    route = primary(destination("api", 75, "stable"), destination("api", 25, "canary"))
    split = Istio().read(virtual_service(route), target())
    assert (split.share, split.canary.upstream.subset) == (25, "canary")
    assert split.canary.upstream.matches("outbound|80|canary|api.tars-us-west-2.svc.cluster.local")
    assert not split.canary.upstream.matches("outbound|80|stable|api.tars-us-west-2.svc.cluster.local")


@pytest.mark.parametrize("host", ["api-canary", "api-canary.tars-us-west-2.svc.cluster.local", "api-canary.other"])
def test_the_canary_by_short_and_by_full_name(host: str) -> None:
    route = primary(destination("api", 100), destination(host, 0))
    assert Istio().read(virtual_service(route), target(canary=host)).share == 0


def test_destinations_in_any_order_and_beside_others() -> None:
    route = primary(destination("other", 30), destination("api-canary", 7), destination("api", 63))
    split = Istio().read(virtual_service(route), target())
    assert (split.share, split.others) == (10, 30)


def test_a_missing_weight_is_zero_beside_others() -> None:
    route = primary(destination("api", 100), destination("api-canary"))
    assert Istio().read(virtual_service(route), target()).share == 0


def test_an_unknown_route_lists_those_that_exist() -> None:
    error = refused(virtual_service(), route="main")
    assert error.reason == "route_unknown"
    assert "has no http route named main; there are: canary-header, primary" in error.msg


def test_routes_without_a_name_are_counted() -> None:
    document = virtual_service(primary(destination("api"), name="a"), {"route": [destination("api")]})
    assert "there are: a, and 1 without a name" in refused(document).msg


def test_an_ambiguous_route() -> None:
    assert refused(virtual_service(primary(), primary())).reason == "route_ambiguous"


def test_one_destination() -> None:
    error = refused(virtual_service(primary(destination("api"))))
    assert error.reason == "route_one_destination"
    assert "has one destination and two are needed" in error.msg


def test_a_redirect_has_none() -> None:
    assert "has no destination" in refused(virtual_service({"name": "primary", "redirect": {"uri": "/"}})).msg


def test_an_unknown_destination_lists_those_that_exist() -> None:
    error = refused(virtual_service(), canary="api-next")
    assert error.reason == "destination_unknown"
    assert "no destination api-next; there are: api, api-canary" in error.msg


def test_an_ambiguous_destination() -> None:
    route = primary(destination("api", 50), destination("api-canary", 25), destination("api-canary.tars", 25))
    assert refused(virtual_service(route)).reason == "destination_ambiguous"


def test_stable_and_canary_are_one() -> None:
    assert refused(virtual_service(), stable="api-canary").reason == "destination_ambiguous"


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_only_tcp_or_tls(kind: str) -> None:
    document = virtual_service(**{kind: [{"route": [destination("api")]}]})
    document["spec"]["http"] = []
    error = refused(document)
    assert error.reason == "route_protocol"
    assert f"has {kind} routes only" in error.msg


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_tcp_beside_http_counts_when_it_goes_to_the_same_host(kind: str) -> None:
    assert refused(virtual_service(**{kind: [{"route": [destination("api")]}]})).reason == "route_protocol"
    assert Istio().read(virtual_service(**{kind: [{"route": [destination("redis")]}]}), target()).share == 10


def test_what_keeps_a_weight_from_meaning_what_it_says() -> None:
    def doubts(*routes: Any, **spec: Any) -> list[str]:
        return Istio().doubts(virtual_service(*routes, **spec), target())

    everything = {"name": "legacy", "route": [destination("old")]}
    primary = {"name": "primary", "route": [destination("api", 90), destination("api-canary", 10)]}
    usual = {"gateways": ["istio-system/tars"]}
    assert doubts(**usual) == [] and doubts(primary, everything, **usual) == []
    assert "takes every request before primary can" in doubts(everything, primary, **usual)[0]
    for gateways in ([], ["mesh"]):
        assert "names no gateway" in doubts(gateways=gateways)[0]
