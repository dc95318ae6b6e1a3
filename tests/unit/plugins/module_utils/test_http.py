# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import json
import socket
import struct
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _http
from ansible_collections.tars.rollout.plugins.module_utils._errors import MASK, MissingLibrary, RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._http import Client, Options, basic, bearer
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock

TOKEN = "planted-token-4711"
HTML = b"<!DOCTYPE html><html><head><title>Sign in\n here</title></head></html>"


def client(url: str, clock: Any, **options: Any) -> Client:
    return Client(Options(url, **options), clock, Scrubber(), jitter=lambda: 1.0)


def answer(status: int, body: bytes = b"{}", **headers: str) -> Callable[[BaseHTTPRequestHandler, Any], None]:
    """The behaviour of a server that always says the same."""

    return lambda handler, server: server.reply(handler, status, body, **headers)


def after(times: int, first: Any, then: Any) -> Callable[[BaseHTTPRequestHandler, Any], None]:
    """Behaves as ``first`` for the first calls, then as ``then``."""
    return lambda handler, server: (first if len(server.seen) <= times else then)(handler, server)


def reset(handler: BaseHTTPRequestHandler, server: Any) -> None:
    """Closes with a TCP reset instead of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def failing(call: Callable[[], Any]) -> HttpError:
    with pytest.raises(HttpError) as caught:
        call()
    return caught.value


def test_json_comes_back_over_one_connection(serve: Any, clock: Any) -> None:
    ports = set()

    def behave(handler: BaseHTTPRequestHandler, server: Any) -> None:
        ports.add(handler.client_address[1])
        answer(200, b'{"a": [1]}')(handler, server)

    server = serve(behave)
    with client(server.url + "/prefix/", clock) as http:
        for _round in range(3):
            assert http.json("GET", "/api", params={"q": "up == 1"}) == {"a": [1]}
    assert len(ports) == 1
    assert server.seen[0][1] == "/prefix/api?q=up+%3D%3D+1"


@pytest.mark.parametrize("status", [420, 429])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_rate_limit_is_waited_out_with_any_method(serve: Any, clock: Any, status: int, method: str) -> None:
    server = serve(after(2, answer(status, Retry_After="7"), answer(200)))
    assert client(server.url, clock).json(method, "/") == {}
    assert clock.slept == [7, 7]


def test_retry_after_as_a_date(serve: Any, clock: Any) -> None:
    date = formatdate(clock.time + 30, usegmt=True)
    server = serve(after(1, answer(503, Retry_After=date), answer(200)))
    client(server.url, clock).call("GET", "/")
    assert clock.slept == [pytest.approx(30, abs=1)]


def test_retry_after_beyond_the_budget_fails_at_once(serve: Any, clock: Any) -> None:
    server = serve(answer(429, b'{"message": "slow down"}', Retry_After="120"))
    fault = failing(lambda: client(server.url, clock, budget=60).call("GET", "/x"))
    assert clock.slept == []
    assert (fault.reason, fault.status, fault.details["retry_after"]) == ("http_rate_limited", 429, 120)
    assert "slow down" in str(fault)


def test_back_off_without_retry_after_doubles_and_ends(serve: Any, clock: Any) -> None:
    server = serve(answer(503, b"busy"))
    fault = failing(lambda: client(server.url, clock).call("GET", "/"))
    assert clock.slept == [0.5, 1, 2, 4]
    assert (fault.reason, fault.details["tries"], len(server.seen)) == ("http_status", 5, 5)


@pytest.mark.parametrize("trouble", [answer(503), reset])
def test_a_write_is_not_repeated_unless_the_caller_says_so(serve: Any, clock: Any, trouble: Any) -> None:
    server = serve(trouble)
    failing(lambda: client(server.url, clock).call("POST", "/", json={"a": 1}))
    assert len(server.seen) == 1
    server = serve(after(1, trouble, answer(200)))
    client(server.url, clock).call("POST", "/", form={"query": "up"}, idempotent=True)
    assert [body for _method, _path, _headers, body in server.seen] == [b"query=up", b"query=up"]


def test_connection_reset_is_named(serve: Any, clock: Any) -> None:
    fault = failing(lambda: client(serve(reset).url, clock).call("PATCH", "/"))
    assert fault.reason == "http_broken" and "reset" in str(fault)


def test_nobody_listens_is_tried_again_even_for_a_write(clock: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    fault = failing(lambda: client(url, clock).call("POST", "/"))
    assert fault.reason == "http_unreachable" and "refused" in str(fault)
    assert len(clock.slept) == 4


def test_unknown_host_is_named(clock: Any) -> None:
    fault = failing(lambda: client("http://nowhere.invalid", clock).call("GET", "/"))
    assert fault.reason == "http_unreachable" and "nowhere.invalid" in str(fault)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_silence_ends_by_the_read_time_out(serve: Any, method: str) -> None:
    server = serve(lambda handler, server: time.sleep(30))
    began = time.monotonic()
    http = client(server.url, SystemClock(Stop()), read=0.2, budget=3)
    fault = failing(lambda: http.call(method, "/"))
    assert fault.reason == "http_timeout"
    assert time.monotonic() - began < 10
    assert (len(server.seen) > 1) == (method == "GET")


def test_a_dripping_body_does_not_outwit_the_budget(serve: Any) -> None:
    def drip(handler: BaseHTTPRequestHandler, server: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _round in range(1000):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    began = time.monotonic()
    http = client(serve(drip).url, SystemClock(Stop()), read=2, budget=0.5)
    fault = failing(lambda: http.call("GET", "/"))
    assert fault.reason == "http_timeout" and "no whole answer came within 0.5 s" in str(fault)
    assert time.monotonic() - began < 10


def test_dripping_headers_do_not_outwit_the_budget(dripping: Any, authority: Any) -> None:
    plain, tls = dripping(), dripping(authority.context())
    for url, options in ((plain, {}), (tls, {"ca": authority.ca}), ("https://far.invalid", {"proxy": plain})):
        began = time.monotonic()
        http = client(url, SystemClock(Stop()), read=2, budget=0.5, **options)
        fault = failing(lambda http=http: http.call("GET", "/"))
        assert fault.reason == "http_timeout" and "no whole answer came within 0.5 s" in str(fault)
        assert 0.4 < time.monotonic() - began < 10


def test_a_dripping_body_without_a_length_is_no_whole_answer(dripping: Any) -> None:
    url = dripping(start=b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[]")
    began = time.monotonic()
    fault = failing(lambda: client(url, SystemClock(Stop()), read=2, budget=0.5).call("GET", "/"))
    assert fault.reason == "http_timeout" and time.monotonic() - began < 10


def test_the_budget_of_an_ended_call_leaves_its_connection_alone(serve: Any) -> None:
    ports = []

    def behave(handler: BaseHTTPRequestHandler, server: Any) -> None:
        ports.append(handler.client_address[1])
        time.sleep(5 if handler.path == "/slow" else 0.5)
        answer(200)(handler, server)

    http = client(serve(behave).url, SystemClock(Stop()), budget=1.5)
    for _round in range(4):
        assert http.json("GET", "/") == {}
    assert len(set(ports)) == 1
    # One that was cut is not used again.
    assert failing(lambda: http.call("GET", "/slow")).reason == "http_timeout"
    assert http.json("GET", "/") == {}
    assert len(set(ports)) == 2


def test_a_body_that_ends_early_is_no_answer(serve: Any, clock: Any) -> None:
    def short(handler: BaseHTTPRequestHandler, server: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"a": 1}')
        handler.close_connection = True

    assert failing(lambda: client(serve(short).url, clock).call("POST", "/")).reason == "http_broken"


def test_gzip_is_decoded_and_its_real_size_counts(serve: Any, clock: Any) -> None:
    small, bomb = gzip.compress(b'{"a": 1}'), gzip.compress(b"0" * 5_000_000)
    server = serve(answer(200, small, Content_Encoding="gzip"))
    assert client(server.url, clock).json("GET", "/") == {"a": 1}
    server = serve(answer(200, bomb, Content_Encoding="gzip"))
    fault = failing(lambda: client(server.url, clock, max_body=1_000_000).call("GET", "/"))
    assert fault.reason == "http_too_big" and len(server.seen) == 1


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (HTML, 'an HTML page titled "Sign in here"'),
        (b"", "an empty body"),
        (b"  \n", "an empty body"),
        (b"not json", "not json"),
        (b'{"a": ', "no valid JSON"),
        (b"[" * 100_000, "no valid JSON"),
    ],
)
def test_a_body_that_is_no_json_is_said_in_words(serve: Any, clock: Any, body: bytes, seen: str) -> None:
    fault = failing(lambda: client(serve(answer(200, body)).url, clock).json("GET", "/"))
    assert fault.reason == "http_not_json" and seen in str(fault)


def test_nothing_comes_with_204_and_a_byte_order_mark_is_ignored(serve: Any, clock: Any) -> None:
    assert client(serve(answer(204, b"")).url, clock).json("DELETE", "/") is None
    assert client(serve(answer(200, b"\xef\xbb\xbf[1]")).url, clock).json("GET", "/") == [1]


@pytest.mark.parametrize(
    ("status", "body", "reason", "seen"),
    [
        (401, b'{"error":"Could not authenticate"}', "http_unauthorized", "Could not authenticate"),
        (403, HTML, "http_forbidden", 'an HTML page titled "Sign in here"'),
        (404, b"", "http_not_found", "HTTP 404 with an empty body"),
        (422, b'{"error": {"name": ["is too long"]}}', "http_rejected", "name: is too long"),
        (422, b'{"status":"error","errorType":"execution","error":"many-to-one"}', "http_rejected", "execution: many"),
        (400, b'"bad matcher"', "http_bad_request", "bad matcher"),
        (400, b'["a", {"message": "b"}]', "http_bad_request", "a; b"),
        (418, b"\x1b[31mteapot", "http_status", "[31mteapot"),
    ],
)
def test_refusals_quote_the_server(serve: Any, clock: Any, status: int, body: bytes, reason: str, seen: str) -> None:
    fault = failing(lambda: client(serve(answer(status, body)).url, clock).json("GET", "/"))
    assert (fault.reason, fault.status) == (reason, status)
    assert seen in str(fault) and "\x1b" not in str(fault) and clock.slept == []


def test_an_accepted_status_is_an_answer(serve: Any, clock: Any) -> None:
    got = client(serve(answer(404, b"{}")).url, clock).call("GET", "/", accept=frozenset({404}))
    assert got.status == 404


@pytest.mark.parametrize("secret", [bearer(TOKEN), {"X-Api-Key": TOKEN}])
def test_secrets_are_not_sent_along_with_a_redirect_to_another_port(serve: Any, clock: Any, secret: Any) -> None:
    other = serve(answer(200, b'{"moved": true}'))
    server = serve(answer(302, Location=other.url + "/new"))
    assert client(server.url, clock, headers=secret).json("GET", "/old") == {"moved": True}
    assert TOKEN in str(server.seen[0][2]) and TOKEN not in str(other.seen[0])


def test_a_redirect_within_the_server_keeps_the_secret(serve: Any, clock: Any) -> None:
    server = serve(after(1, answer(307, Location="/new"), answer(200)))
    client(server.url, clock, headers=bearer(TOKEN)).json("GET", "/old")
    assert server.seen[1][1] == "/new" and server.seen[1][2]["authorization"] == f"Bearer {TOKEN}"


def test_redirected_writes_and_loops_are_refused(serve: Any, clock: Any) -> None:
    server = serve(answer(301, Location="/again"))
    for method in ("POST", "GET"):
        assert failing(lambda method=method: client(server.url, clock).call(method, "/")).reason == "http_redirected"
    assert len(server.seen) == 1 + 5


def test_no_secret_in_any_error(serve: Any, clock: Any) -> None:
    def echo(handler: BaseHTTPRequestHandler, server: Any) -> None:
        headers = server.seen[-1][2]
        answer(400, json.dumps({"message": f"{handler.path} {headers}"}).encode())(handler, server)

    server = serve(echo)
    url = server.url.replace("http://", f"http://user:{TOKEN}2@")
    for target, headers in ((server.url, bearer(TOKEN)), (server.url, basic("me", TOKEN)), (url, {})):
        scrubber = Scrubber()
        http = Client(Options(target, headers=headers), clock, scrubber)
        fault = failing(lambda http=http: http.call("GET", "/x", params={"api_key": "other-secret"}))
        shown = json.dumps(fault.payload(scrubber))
        assert TOKEN not in shown and "other-secret" not in shown
        assert all(value.rpartition(" ")[2] not in shown for value in headers.values())
    assert TOKEN not in repr(Options(server.url, headers=bearer(TOKEN)))


def test_headers_that_hold_no_secret_are_not_masked(serve: Any, clock: Any) -> None:
    server = serve(answer(400, b'"tenant 4711 has 1 of 11"'))
    scrubber = Scrubber()
    plain, secret = {"X-Grafana-Org-Id": "1", "X-Tenant": "4711"}, {"X-Odd": TOKEN, "Authorization": "Bearer abc"}
    http = Client(Options(server.url, headers=plain, secret_headers=secret), clock, scrubber)
    fault = failing(lambda: http.call("GET", "/x"))
    assert "tenant 4711 has 1 of 11" in str(fault.payload(scrubber))
    sent = server.seen[0][2]
    assert [sent[name] for name in ("x-grafana-org-id", "x-tenant", "x-odd")] == ["1", "4711", TOKEN]
    assert TOKEN not in scrubber.text(f"{TOKEN} came") and TOKEN not in repr(http._options)


@pytest.mark.parametrize("where", ["headers", "secret_headers"])
def test_the_password_of_basic_authentication_is_masked_by_itself(clock: Any, where: str) -> None:
    scrubber = Scrubber()
    Client(Options("http://127.0.0.1", **{where: basic("me", "pass:word")}), clock, scrubber)
    assert scrubber.text("me said pass:word") == f"me said {MASK}"


def test_a_refusal_names_its_status(serve: Any, clock: Any) -> None:
    fault = failing(lambda: client(serve(answer(502, HTML)).url, clock).call("POST", "/"))
    assert 'was answered HTTP 502: an HTML page titled "Sign in here".' in str(fault)


@pytest.mark.parametrize("status", [420, 429, 503])
def test_a_refusal_for_now_says_when_to_come_back(serve: Any, clock: Any, status: int) -> None:
    server = serve(answer(status, b'"busy"', Retry_After="120"))
    said = str(failing(lambda: client(server.url, clock).call("GET", "/")))
    assert f"was answered HTTP {status}: busy (Retry-After: 120)." in said
    server = serve(answer(status, b'"busy"'))
    said = str(failing(lambda: client(server.url, clock).call("POST", "/")))
    assert f"was answered HTTP {status}: busy (without a Retry-After)." in said


def test_netrc_is_not_read(serve: Any, clock: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login me password {TOKEN}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(answer(200))
    client(server.url, clock).call("GET", "/")
    assert "authorization" not in server.seen[0][2]


def test_a_proxy_is_used_when_told(serve: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(answer(200))
    client("http://far.invalid/", clock, proxy=proxy.url).call("GET", "/x")
    monkeypatch.setenv("http_proxy", proxy.url)
    client("http://far.invalid/", clock).call("GET", "/y")
    monkeypatch.setenv("no_proxy", "far.invalid")
    failing(lambda: client("http://far.invalid/", clock).call("GET", "/z"))
    assert [path for _method, path, _headers, _body in proxy.seen] == ["http://far.invalid/x", "http://far.invalid/y"]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_tls_with_an_own_authority_and_a_client_certificate(serve: Any, clock: Any, authority: Any) -> None:
    server = serve(answer(200), authority.context(demand_client=True))
    client_files = {"client_cert": authority.client_cert, "client_key": authority.client_key}
    assert client(server.url, clock, ca=authority.ca, **client_files).json("GET", "/") == {}
    assert client(server.url, clock, validate_certs=False, **client_files).json("GET", "/") == {}
    with pytest.raises(HttpError):
        client(server.url, clock, ca=authority.ca).call("GET", "/")


def test_an_untrusted_certificate_is_named_and_not_tried_again(serve: Any, clock: Any, authority: Any) -> None:
    server = serve(answer(200), authority.context())
    fault = failing(lambda: client(server.url, clock).call("GET", "/"))
    assert fault.reason == "http_tls" and "CERTIFICATE_VERIFY_FAILED" in str(fault) and clock.slept == []
    wrong_name = server.url.replace("127.0.0.1", "localhost")
    assert failing(lambda: client(wrong_name, clock, ca=authority.ca).call("GET", "/")).reason == "http_tls"


@pytest.mark.parametrize("url", ["", "prometheus:9090", "ftp://host", "http://"])
def test_an_odd_address_is_refused_before_any_call(clock: Any, url: str) -> None:
    with pytest.raises(RolloutError) as caught:
        client(url, clock)
    assert caught.value.reason == "bad_url"


def test_a_missing_library_is_an_error_of_ours(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "MISSING", "requests")
    with pytest.raises(MissingLibrary):
        client("http://127.0.0.1", clock)
