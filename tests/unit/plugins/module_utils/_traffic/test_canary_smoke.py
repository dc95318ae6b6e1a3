# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's run: routes in a dict, gateway and API server as real HTTP servers on loopback."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _canary_smoke, _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._traffic import smoke
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from mesh import Server, destination, virtual_service

WEIGHTED = {"name": "primary", "route": [destination("api", 100), destination("api-canary", 0)]}
SUBSETS = {"name": "primary", "route": [destination("api", 100, "stable"), destination("api", 0, "canary")]}
SOCKET = {"path": "/ws", "websocket": True}


class Api(Server):
    """Keeps routes in a dict; what is behind a Service is asked of a real server."""

    def __init__(self, url: str, *documents: Mapping[str, Any]) -> None:
        super().__init__(*documents)
        self.service_get = _kube.from_token(url, "planted-token-4711", Scrubber()).service_get


@pytest.fixture
def smoked(clock: Any, tmp_path: Path) -> Any:
    warnings: list[str] = []

    def run(api: Server, check_mode: bool = False, **options: Any) -> Mapping[str, Any]:
        place = {"namespace": "tars-us-west-2", "name": None, "kind": None}
        services = [{"name": name, "provider": "istio", "object": place, "route": "primary"} for name in api.objects]
        params = {
            "services": services, "requests": [{"path": "/"}], "requests_of": {}, "gateway_url": "",
            "header": "x-canary", "header_value": "true", "validate_certs": True, "ca": None, "patience": 5.0,
            "release": "2.1.0", "region": "us-west-2", "ledger": str(tmp_path / "ledger"), **options,
        }  # fmt: skip
        call = Call(params, check_mode, warnings.append, clock, Stop(), Progress(), Scrubber())
        return _canary_smoke.run(call, api)

    run.warnings = warnings  # type: ignore[attr-defined]
    run.ledger = str(tmp_path / "ledger")  # type: ignore[attr-defined]
    return run


def take_socket(handler: Any, accept: str = "") -> bytes:
    """A handshake as RFC 6455 wants it, and what the client says afterwards: one frame of 8 bytes."""
    key = handler.headers["Sec-WebSocket-Key"]
    good = b64encode(hashlib.sha1((key + smoke.GUID).encode(), usedforsecurity=False).digest()).decode()
    handler.send_response(101)
    handler.send_header("Upgrade", "websocket")
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Sec-WebSocket-Accept", accept or good)
    handler.end_headers()
    handler.close_connection = True
    said: bytes = handler.rfile.read(8)
    return said


def test_at_the_gateway_by_header(serve: Any, smoked: Any) -> None:
    said: SimpleQueue[bytes] = SimpleQueue()

    def gateway(handler: Any, server: Any) -> None:
        if handler.path == "/ws":
            said.put(take_socket(handler))
        else:
            server.reply(handler, 200, b"ok", x_version="2.1.0")

    server = serve(gateway)
    requests = [{"path": "/health?full=1", "expect": {"x-version": "2.1.0"}}, SOCKET]
    result = smoked(Server(virtual_service()), gateway_url=server.url + "/", requests=requests)
    (entry,) = result["services"]
    assert (entry["way"], entry["passed"], result["changed"]) == ("header", True, False)
    assert [item["request"] for item in entry["requests"]] == ["GET /health?full=1", "WebSocket /ws"]
    assert {path for _method, path, _headers, _body in server.seen} == {"/health?full=1", "/ws"}
    for _method, _path, headers, _body in server.seen:
        assert (headers["host"], headers["x-canary"]) == ("api.example.net", "true")
    # A close frame of RFC 6455 with code 1000, masked: the server is not left with half a connection.
    # The client does not wait until it is read, so it is waited for here.
    assert said.get(timeout=30) == bytes([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])
    assert result["lines"][0].startswith("api: GET /health?full=1 with x-canary: true at api.example.net: 200 in")
    (event,) = ledger.read(smoked.ledger)
    assert (event.kind, event.subject, event.data["way"]) == ("smoke", "api", "header")


def test_from_inside_without_a_route_by_header(serve: Any, smoked: Any) -> None:
    def cluster(handler: Any, server: Any) -> None:
        take_socket(handler) if handler.path.endswith("/ws") else server.reply(handler, 204, b"")

    server = serve(cluster)
    api = Api(server.url, virtual_service(WEIGHTED))
    result = smoked(api, gateway_url="http://nobody.example.net", requests=[{"path": "/"}, SOCKET])
    (entry,) = result["services"]
    assert (entry["way"], entry["passed"]) == ("inside", True)
    assert "straight to the Service api-canary, as no route has x-canary: true alone" in result["lines"][0]
    below = "/api/v1/namespaces/tars-us-west-2/services/api-canary:80/proxy"
    assert {path for _method, path, _headers, _body in server.seen} == {f"{below}/", f"{below}/ws"}
    assert server.seen[0][2]["authorization"] == "Bearer planted-token-4711"


def test_without_the_address_of_the_gateway_it_is_inside_and_said(serve: Any, smoked: Any) -> None:
    server = serve(lambda handler, server: server.reply(handler, 200))
    (entry,) = smoked(Api(server.url, virtual_service()))["services"]
    assert entry["way"] == "inside" and "no address of the gateway is given" in entry["way_text"]


def test_one_wrong_answer_fails_and_tells_all(serve: Any, smoked: Any) -> None:
    def gateway(handler: Any, server: Any) -> None:
        server.reply(handler, 500 if handler.headers["Host"].startswith("api") else 200)

    server = serve(gateway)
    api = Server(virtual_service(), virtual_service(name="insight"))
    with pytest.raises(RolloutError, match=r"canary of api does not do .*GET / with x-canary.*answered 500") as caught:
        smoked(api, gateway_url=server.url)
    assert caught.value.reason == "smoke_failed" and "(1 of 2 requests failed)" in caught.value.msg
    assert [entry["passed"] for entry in caught.value.details["services"]] == [False, True]
    # An answer of the program itself is not asked again.
    assert len(server.seen) == 2 and len(ledger.read(smoked.ledger)) == 2


def test_a_gateway_that_does_not_know_the_pods_yet_is_asked_again(serve: Any, smoked: Any) -> None:
    server = serve(lambda handler, server: server.reply(handler, 503 if len(server.seen) < 3 else 200))
    (entry,) = smoked(Server(virtual_service()), gateway_url=server.url)["services"]
    assert (entry["passed"], entry["requests"][0]["tries"]) == (True, 3)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://gateway.invalid"])
def test_no_answer_within_the_patience_fails(smoked: Any, clock: Any, url: str) -> None:
    before = clock.time
    with pytest.raises(RolloutError, match="no answer came") as caught:
        smoked(Server(virtual_service()), gateway_url=url)
    assert caught.value.reason == "smoke_failed" and clock.time - before == 5
    assert "0x" not in caught.value.msg


def test_a_socket_that_is_none_fails(serve: Any, smoked: Any) -> None:
    server = serve(lambda handler, server: take_socket(handler, "bm9ib2R5"))
    with pytest.raises(RolloutError, match=r"WebSocket /ws .*does not belong to the key"):
        smoked(Server(virtual_service()), gateway_url=server.url, requests=[SOCKET])


def test_an_answer_that_never_ends_is_bounded(dripping: Any, smoked: Any) -> None:
    with pytest.raises(RolloutError, match=r"no whole answer came within 0.3 s"):
        smoked(Server(virtual_service()), gateway_url=dripping(), requests=[{"path": "/", "seconds": 0.3}], patience=0)


def test_a_missing_right_says_nothing_of_the_canary(serve: Any, smoked: Any) -> None:
    status = b'{"kind": "Status", "apiVersion": "v1", "message": "no"}'
    server = serve(lambda handler, server: server.reply(handler, 403, status, Content_Type="application/json"))
    with pytest.raises(RolloutError) as caught:
        smoked(Api(server.url, virtual_service(WEIGHTED)))
    assert caught.value.reason == "kube_forbidden" and 'verb "get" on resource "services/proxy"' in str(caught.value)


def test_a_refusal_of_the_program_itself_is_its_answer(serve: Any, smoked: Any) -> None:
    server = serve(lambda handler, server: server.reply(handler, 403, b"{}", Content_Type="application/json"))
    with pytest.raises(RolloutError, match="answered 403") as caught:
        smoked(Api(server.url, virtual_service(WEIGHTED)))
    assert caught.value.reason == "smoke_failed"


def test_a_canary_that_no_way_leads_to_alone(smoked: Any) -> None:
    document = virtual_service(SUBSETS)
    (entry,) = smoked(Server(document))["services"]
    assert (entry["way"], entry["passed"]) == ("none", None)
    assert "the subset canary of api is no Service of the canary" in smoked.warnings[0]
    with pytest.raises(RolloutError, match="the subset canary of api is no Service") as caught:
        smoked(Server(document), requests_of={"api": [{"path": "/"}]})
    assert caught.value.reason == "smoke_no_way"


def test_requests_of_one_service_only(serve: Any, smoked: Any) -> None:
    server = serve(lambda handler, server: server.reply(handler, 200))
    api = Server(virtual_service(), virtual_service(name="insight"))
    result = smoked(api, gateway_url=server.url, requests_of={"insight": [{"path": "/a"}, {"path": "/b"}]})
    assert [len(entry["requests"]) for entry in result["services"]] == [1, 2]
    assert smoked(api, gateway_url=server.url, requests_of={"insight": []})["services"][1]["way"] == "none"
    with pytest.raises(RolloutError, match="requests_of names typo"):
        smoked(api, requests_of={"typo": []})


def test_check_mode_asks_nothing(serve: Any, smoked: Any) -> None:
    server = serve(lambda handler, server: server.reply(handler, 200))
    (entry,) = smoked(Server(virtual_service()), check_mode=True, gateway_url=server.url)["services"]
    assert (entry["way"], entry["passed"], entry["requests"][0]["passed"]) == ("header", "not yet", "not yet")
    assert server.seen == []


def test_a_certificate_is_checked_for_the_host_of_the_route(serve: Any, smoked: Any, authority: Any) -> None:
    server = serve(lambda handler, server: server.reply(handler, 200), authority.context())
    wrong, right = Server(virtual_service()), Server(virtual_service(hosts=["127.0.0.1"]))
    options = {"gateway_url": server.url, "ca": authority.ca, "patience": 0}
    assert smoked(right, **options)["services"][0]["passed"] is True
    with pytest.raises(RolloutError, match=r"no answer came: hostname .api.example.net. doesn"):
        smoked(wrong, **options)
    assert smoked(wrong, **options, validate_certs=False)["services"][0]["passed"] is True
