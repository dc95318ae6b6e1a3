# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a canary before users meet it, and by which way: pure parts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic import smoke
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS
from mesh import destination, http_route, rule, target, virtual_service

SOCKET = smoke.Request("/ws", websocket=True)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TAKEN = {"upgrade": "WebSocket", "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}


def test_the_answer_to_a_key_is_that_of_the_rfc() -> None:
    assert smoke.accepted(KEY) == TAKEN["sec-websocket-accept"]


@pytest.mark.parametrize(
    ("request_", "status", "headers", "seen"),
    [
        (smoke.Request("/"), 200, {}, ""),
        (smoke.Request("/"), 302, {}, ""),
        (smoke.Request("/"), 404, {}, "answered 404, wanted 200 to 399"),
        (smoke.Request("/", status=(401, 403)), 403, {}, ""),
        (smoke.Request("/", status=(401, 403)), 200, {}, "answered 200, wanted 401 or 403"),
        (smoke.Request("/", expect={"X-Version": "2"}), 200, {"x-version": "2"}, ""),
        (smoke.Request("/", expect={"X-Version": "2"}), 200, {"x-version": "1"}, "with X-Version 1, wanted 2"),
        (smoke.Request("/", expect={"X-Version": "2"}), 200, {}, "with X-Version missing, wanted 2"),
        (SOCKET, 101, TAKEN, ""),
        (SOCKET, 200, TAKEN, "answered 200, wanted 101"),
        (SOCKET, 101, {**TAKEN, "upgrade": "h2c"}, "switched to h2c, wanted websocket"),
        (SOCKET, 101, {**TAKEN, "sec-websocket-accept": "x"}, "does not belong to the key"),
    ],
)
def test_what_an_answer_says(request_: smoke.Request, status: int, headers: dict[str, str], seen: str) -> None:
    found = smoke.judge(request_, status, headers, KEY)
    assert seen in found if seen else found == ""


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("/health", "are str and no list"),
        ([{"path": "health"}], "no path that begins with /"),
        ([{"path": "/", "method": "PUT"}], "has method; known are path"),
        ([{"path": "/", "status": "ok"}], "wants the status 'ok'"),
        ([{"path": "/", "expect": "2.0.0"}], "expects no headers by name"),
        ([{"path": "/", "seconds": 0}], "may take 0 seconds"),
    ],
)
def test_requests_that_cannot_be_asked_are_refused(raw: Any, seen: str) -> None:
    with pytest.raises(RolloutError, match="of api") as caught:
        smoke.parse(raw, "api")
    assert seen in caught.value.msg and caught.value.reason == "smoke_invalid"


def istio(document: dict[str, Any], header: str = "x-canary") -> str | None:
    return DIALECTS["istio"].header_host(document, target(), header, "true")


def header_route(match: dict[str, Any], host: str = "api-canary") -> list[dict[str, Any]]:
    return [
        {"name": "by-header", "match": [match], "route": [destination(host)]},
        {"name": "primary", "route": [destination("api", 100), destination("api-canary", 0)]},
    ]


ONLY = {"headers": {"x-canary": {"exact": "true"}}}


def test_a_route_by_header_tells_the_host() -> None:
    assert istio(virtual_service()) == "api.example.net"
    assert istio(virtual_service(), "X-Canary") == "api.example.net"
    assert istio(virtual_service(hosts=["*"])) == ""


@pytest.mark.parametrize(
    "routes",
    [
        header_route(ONLY, "api"),
        header_route({**ONLY, "uri": {"prefix": "/v2"}}),
        header_route({"headers": {**ONLY["headers"], "x-user": {"exact": "me"}}}),
        header_route({"headers": {"x-canary": {"exact": "yes"}}}),
        # Never reached: the weighted route before it takes every request.
        header_route(ONLY)[::-1],
        header_route(ONLY)[1:],
    ],
)
def test_a_route_that_may_lead_elsewhere_is_none(routes: list[dict[str, Any]]) -> None:
    assert istio(virtual_service(*routes)) is None


def test_a_rule_by_header_of_the_gateway_api() -> None:
    match = {"headers": [{"name": "X-Canary", "value": "true"}], "path": {"type": "PathPrefix", "value": "/"}}
    refs = [{"name": "api", "weight": 1}, {"name": "api-canary", "weight": 0}]
    weighted = {"name": "primary", "backendRefs": refs}
    only = {"matches": [match], "backendRefs": [{"name": "api-canary"}]}

    def host(*rules: dict[str, Any]) -> str | None:
        document = http_route(*rules)
        document["spec"]["hostnames"] = ["*.example.net", "api.example.net"]
        return DIALECTS["gateway_api"].header_host(document, rule(target()), "x-canary", "true")

    assert host(only, weighted) == "api.example.net"
    assert host(weighted) is None
    assert host({**only, "backendRefs": refs}, weighted) is None
    assert host({**only, "matches": [{**match, "method": "PUT"}]}, weighted) is None
    assert host({**only, "matches": [{**match, "path": {"type": "Exact", "value": "/"}}]}, weighted) is None
