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
from ansible_collections.tars.rollout.plugins.module_utils._exchange import Answer
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.probes import ProbeProof, Probes, parse
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS, Kubernetes
from mesh import Server, destination, http_route, rule, target, virtual_service
from test_canary_weight import OBSERVE, Run, run

__all__ = ["run"]
PROBES = Probes("http://127.0.0.1:9", "x-version", "/", 20)


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
    assert DIALECTS["istio"].plain_host(virtual_service(*routes), target(), "/") == host


def test_which_rule_of_the_gateway_api_takes_a_plain_request() -> None:
    def host(*rules: Mapping[str, Any], kind: str = "HTTPRoute", names: Any = ("*.net", "api.net")) -> str | None:
        document = http_route(*rules)
        document["spec"]["hostnames"] = list(names)
        where = rule(target())
        return DIALECTS["gateway_api"].plain_host(document, type(where)(**{**vars(where), "kind": kind}), "/")

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


def prove(clock: Any, *answers: Any, weight: int = 0) -> Any:
    arms = [destination("api", 100 - weight), destination("api-canary", weight)]
    api = Server(virtual_service({"name": "primary", "route": arms}))
    return ProbeProof(PROBES, "2.1.0", Kubernetes(api), clock).prove(target(), 5.0, Door(*answers))


def test_a_round_of_another_release_is_the_proof(clock: Any) -> None:
    assert str(prove(clock, "2.0.0")) == "the canary gave 0 of 20 answers"
    # What arrives late at the gateways is waited for.
    start = clock.time
    assert prove(clock, *["2.1.0"] * 9, "2.0.0").other == 20
    assert 0 < clock.time - start < 5


@pytest.mark.parametrize(
    "answers,words",
    [
        (("2.0.0", "2.1.0"), "of 20 requests by route primary of VirtualService tars-us-west-2/api the canary gave"),
        (("",), "an answer with status 200 has no x-version"),
        ((TimeoutError("nobody"),), r"no answer came \(nobody\)"),
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


@pytest.mark.parametrize("wrong", [{"url": "gateway"}, {"path": "x"}, {"count": 0}, {"count": 1001}])
def test_probes_that_cannot_be_meant(wrong: Mapping[str, Any]) -> None:
    raw = {"url": "http://x", "header": "x-version", "path": "/", "count": 50, "validate_certs": True, "ca": None}
    assert parse(None, "") is None and parse(raw, "2.1.0") is not None
    for options, release in (({**raw, **wrong}, "2.1.0"), (raw, "")):
        with pytest.raises(TrafficError) as caught:
            parse(options, release)
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
    probes = {"url": f"http://127.0.0.1:{gateway.server_port}", "header": "x-version", "path": "/", "count": 5,
              "validate_certs": True, "ca": None}  # fmt: skip
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
    assert run.lines[-1]["seen"] == "none of 5 requests through the gateway was answered by the canary"

    gateway.release = "2.1.0"
    with pytest.raises(TrafficError, match="and by requests: of 5 requests by route primary") as caught:
        run(**cut, probes=probes)
    assert caught.value.reason == "not_proven" and caught.value.details["services"]
    # A rise is never proven so.
    with pytest.raises(TrafficError) as caught:
        run(weight=50, lift_cut=True, fence=9, observe=OBSERVE, probes=probes)
    assert caught.value.reason == "no_gateway"
