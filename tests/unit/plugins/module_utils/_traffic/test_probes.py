# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as proof: which route takes them, and what their answers say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted
from ansible_collections.tars.rollout.plugins.module_utils._exchange import Answer
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.probes import (
    ProbeProof,
    Probes,
    asked_nobody,
    needed,
    parse,
)
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS, Kubernetes
from mesh import Server, destination, fault, http_route, rule, target, virtual_service
from test_canary_weight import OBSERVE, Run, run

__all__ = ["run"]
PROBES = Probes("http://127.0.0.1:9", "x-version", "2.0.0", "/", 20)


def primary(*matches: Mapping[str, Any]) -> dict[str, Any]:
    route: dict[str, Any] = {"name": "primary", "route": [destination("api", 90), destination("api-canary", 10)]}
    return {**route, "match": list(matches)} if matches else route


def other(*matches: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "other", "match": list(matches), "route": [destination("api")]}


@pytest.mark.parametrize(
    "routes,host",
    [
        ((), "api.example.net"),
        ((primary({"uri": {"prefix": "/"}}),), "api.example.net"),
        ((primary({"uri": {"exact": "/"}}),), "api.example.net"),
        ((primary({"uri": {"prefix": "/v1"}}, {"uri": {"exact": "/"}}),), "api.example.net"),
        ((other({"uri": {"prefix": "/static"}}), primary()), "api.example.net"),
        ((other({"headers": {"cookie": {"regex": "beta"}}, "method": {"exact": "GET"}}), primary()), "api.example.net"),
        # Another route takes it, or may.
        ((primary({"uri": {"prefix": "/v1"}}),), None),
        ((primary({"headers": {"x-user": {"exact": "1"}}}),), None),
        ((other({"uri": {"prefix": "/"}}), primary()), None),
        ((other({"uri": {"regex": "/.*"}}), primary()), None),
        ((other({"headers": {"user-agent": {"prefix": "tars"}}}), primary()), None),
        ((other({"port": 80}), primary()), None),
    ],
)
def test_which_route_of_istio_takes_a_plain_request(routes: tuple[Any, ...], host: str | None) -> None:
    assert DIALECTS["istio"].plain_host(virtual_service(*routes), target(), "/", "X-Version") == host


@pytest.mark.parametrize(
    "spec,host",
    [
        ({"hosts": ["api", "api.example.net"]}, "api.example.net"),
        ({"hosts": ["api.tars.svc.cluster.local", "*.example.net", "api.example.net"]}, "api.example.net"),
        ({"hosts": ["*"]}, ""),
        # A delegate, names that no user types, requests that come by no gateway.
        ({"hosts": []}, None),
        ({"hosts": ["*.example.net"]}, None),
        ({"hosts": ["api"]}, None),
        ({"gateways": ["mesh"]}, None),
        ({"gateways": []}, None),
        ({"gateways": ["mesh", "istio-system/tars"]}, "api.example.net"),
    ],
)
def test_by_which_name_users_come(spec: Mapping[str, Any], host: str | None) -> None:
    assert DIALECTS["istio"].plain_host(virtual_service(**spec), target(), "/", "x-version") == host


def test_an_answer_that_the_route_writes_itself_proves_nothing() -> None:
    says = {"headers": {"response": {"set": {"X-Version": "2.0.0"}}}}
    for route in ({**primary(), **says}, {**primary(), "route": [{**item, **says} for item in primary()["route"]]}):
        assert DIALECTS["istio"].plain_host(virtual_service(route), target(), "/", "x-version") is None
    kept = [
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "X-Version", "value": "2"}]}}
    ]
    refs = [{"name": "api"}, {"name": "api-canary", "filters": kept}]
    for rule_ in (
        {"name": "primary", "backendRefs": refs},
        {"name": "primary", "filters": kept, "backendRefs": refs[:1] * 2},
    ):
        assert DIALECTS["gateway_api"].plain_host(http_route(rule_), rule(target()), "/", "x-version") is None


def test_which_rule_of_the_gateway_api_takes_a_plain_request() -> None:
    def host(*rules: Mapping[str, Any], kind: str = "HTTPRoute", names: Any = ("*.net", "api.net")) -> str | None:
        document = http_route(*rules)
        document["spec"]["hostnames"] = list(names)
        where = rule(target())
        return DIALECTS["gateway_api"].plain_host(
            document, type(where)(**{**vars(where), "kind": kind}), "/", "X-Version"
        )

    plain = {"name": "primary", "backendRefs": [{"name": "api"}, {"name": "api-canary"}]}

    def asks(**match: Any) -> dict[str, Any]:
        return {**plain, "name": "other", "matches": [match]}

    def path(kind: str, value: str) -> dict[str, Any]:
        return {"path": {"type": kind, "value": value}}

    assert host(plain) == host({**plain, "matches": [path("PathPrefix", "/")]}) == "api.net"
    assert host(plain, names=()) == ""
    assert host(asks(headers=[{"name": "x-canary", "value": "true"}]), plain) == "api.net"
    assert host(plain, asks(**path("PathPrefix", "/static"))) == host(plain, asks(method="POST")) == "api.net"
    assert host(plain, asks(**path("Exact", "/"))) is None
    assert host(plain, asks(**path("RegularExpression", "/.*"))) is None
    assert host({**plain, "matches": [path("PathPrefix", "/v1")]}) is None
    assert host(plain, kind="GRPCRoute") is None
    assert host(plain, names=("*.net",)) is None


class Door:
    """Answers one after the other; the last one again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[Mapping[str, str]] = []

    def ask(self, path: str, headers: Mapping[str, str], seconds: float) -> Answer:
        self.sent.append(headers)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Answer(200, {"X-Version": answer} if answer else {}, b"")


def prove(clock: Any, *answers: Any, weight: int = 0, before: float | None = 50.0) -> Any:
    arms = [destination("api", 100 - weight), destination("api-canary", weight)]
    api = Server(virtual_service({"name": "primary", "route": arms}))
    door = Door(*answers)
    found = ProbeProof(PROBES, Kubernetes(api), clock).prove(target(), before, 5.0, door)
    assert len(door.sent) == found.asked + sum(answer != "2.0.0" for answer in answers) + (
        2 * found.asked if len(answers) > 1 else 0
    )
    return found


def test_a_round_that_stable_answered_is_the_proof(clock: Any) -> None:
    assert prove(clock, "2.0.0").asked == 20
    # What arrives late at the gateways is waited for, and then one clean round is not enough.
    start = clock.time
    assert prove(clock, *["2.1.0"] * 9, "2.0.0").stable == 20
    assert 0 < clock.time - start < 5


def test_a_small_weight_needs_more_requests(clock: Any) -> None:
    assert [needed(before, 50) for before in (None, 0.0, 100.0, 50.0, 25.0, 10.0, 1.0)] == [50, 50, 50, 50, 50, 66, 688]
    assert prove(clock, "2.0.0", before=10.0).asked == 66


def test_a_slow_service_takes_no_more_than_its_time(clock: Any) -> None:
    class Slow(Door):
        def ask(self, path: str, headers: Mapping[str, str], seconds: float) -> Answer:
            clock.sleep(1.0, "answering")
            return super().ask(path, headers, seconds)

    arms = [destination("api", 100), destination("api-canary", 0)]
    api = Server(virtual_service({"name": "primary", "route": arms}))
    start = clock.time
    with pytest.raises(TrafficError, match="5 of 5 were answered by stable; the time was over before the others"):
        ProbeProof(PROBES, Kubernetes(api), clock).prove(target(), 50.0, 5.0, Slow("2.0.0"))
    assert clock.time - start < 7


@pytest.mark.parametrize(
    "fault,asked",
    [
        (TrafficError("x", reason="no_gateway", hint=""), True),
        (TrafficError("x", reason="not_provable", hint=""), True),
        (fault("kube_forbidden", 403, "x"), True),
        # They were asked, and said something.
        (TrafficError("x", reason="gateway_not_following", hint=""), False),
        (TrafficError("x", reason="control_plane_away", hint=""), False),
        (Interrupted("looking", "told to"), False),
    ],
)
def test_what_gateways_said_is_not_overruled(fault: Any, asked: bool) -> None:
    assert asked_nobody(fault) == asked


@pytest.mark.parametrize(
    "answers,words",
    [
        (
            ("2.0.0", "2.1.0"),
            "of 20 requests by route primary of VirtualService tars-us-west-2/api 0 of 1 were answered",
        ),
        (("2.1.0",), "one with status 200 says x-version 2.1.0, not 2.0.0"),
        (("v2.0.0",), "one with status 200 says x-version v2.0.0, not 2.0.0"),
        (("",), "one with status 200 says x-version nothing, not 2.0.0"),
        ((TimeoutError("nobody"),), r"0 of 1 were answered by stable; no answer came \(nobody\)"),
    ],
)
def test_anything_else_is_none(clock: Any, answers: tuple[Any, ...], words: str) -> None:
    with pytest.raises(TrafficError, match=words) as caught:
        prove(clock, *answers)
    assert caught.value.reason == "not_proven"


def test_a_route_that_has_weight_again_needs_no_request(clock: Any) -> None:
    with pytest.raises(TrafficError, match="gives the canary 5 % again"):
        prove(clock, "2.0.0", weight=5)


def test_faults_of_our_own_are_none_of_the_gateways(clock: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        prove(clock, ZeroDivisionError())


RAW = {"url": "http://x", "header": "x-version", "stable": "2.0.0", "path": "/", "count": 5, "validate_certs": True,
       "ca": None}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"url": "gateway"}, {"path": "x"}, {"path": "/x?y=1"}, {"path": "/../x"}, {"count": 0}, {"count": 1001},
     {"stable": ""}],
)  # fmt: skip
def test_probes_that_cannot_be_meant(wrong: Mapping[str, Any]) -> None:
    assert parse(None) is None and parse(RAW) is not None
    with pytest.raises(TrafficError) as caught:
        parse({**RAW, **wrong})
    assert caught.value.reason == "probes_invalid"


@pytest.fixture
def gateway() -> Iterator[Any]:
    """A real server that says which release answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.hosts.append(self.headers["Host"])  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("x-version", self.server.release)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server: Any = HTTPServer(("127.0.0.1", 0), Handler)
    server.release, server.hosts = "2.0.0", []
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_cut_whose_gateways_cannot_be_asked(run: Run, gateway: Any) -> None:
    run.api.list = lambda kind, namespace="", *, labels="": []  # type: ignore[method-assign]
    probes = {**RAW, "url": f"http://127.0.0.1:{gateway.server_port}"}
    cut = {"weight": None, "fence": None, "cut": {"reason": "requested"}, "observe": OBSERVE}
    with pytest.raises(TrafficError) as caught:
        run(**cut)
    plain = caught.value.reason
    assert plain == "no_gateway" and caught.value.details["services"]

    result = run(**cut, probes=probes)
    share = result["services"][0]["share"]
    assert (share["state"], share["canary"], share["total"]) == ("probed", 0, 5)
    assert "requests through the gateway are the proof instead" in run.warnings[-1]
    assert sorted(gateway.hosts) == ["api.example.net"] * 5 + ["evaluation.example.net"] * 5
    assert run.lines[-1]["result"] == "PROBED"
    assert run.lines[-1]["seen"] == "all of 5 requests through the gateway were answered by stable"
    assert not any("The gateways took" in warning for warning in run.warnings)

    gateway.release = "2.1.0"
    with pytest.raises(TrafficError, match="and by requests: of 5 requests by route primary") as caught:
        run(**cut, probes=probes)
    assert caught.value.reason == "not_proven" and caught.value.details["services"]
    # A rise is never proven so.
    with pytest.raises(TrafficError) as caught:
        run(weight=50, lift_cut=True, fence=9, observe=OBSERVE, probes=probes)
    assert caught.value.reason == "no_gateway"
