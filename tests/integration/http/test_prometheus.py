# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own HTTP client against a real Prometheus: queries, refusals, passwords, certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._http import Client, HttpError, Options, basic
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from tars_servers import PrometheusServer
from tars_servers.certificates import Authority

USER, PASSWORD = "gate", "right"
# bcrypt of the password at its lowest cost: Prometheus takes nothing else, and checks it for each request.
HASHED = "$2b$04$JOOgk7fhnhR4IaRr/cEKyuWHIA0ttj8UL39VyDZ4oS8ufHcX.i74a"
QUERY = "/api/v1/query"


def client(url: str, **options: Any) -> Client:
    return Client(Options(url, **{"budget": 10.0, **options}), SystemClock(Stop()), Scrubber())


@pytest.fixture
def plain(prometheus: PrometheusServer) -> Iterator[Client]:
    with client(prometheus.url) as made:
        yield made


def test_an_instant_query_is_evaluated_at_the_time_that_was_given(plain: Client) -> None:
    body = plain.json("POST", QUERY, form={"query": "vector(time())", "time": "1700000000.5"}, idempotent=True)
    assert body["status"] == "success"
    assert body["data"] == {
        "resultType": "vector",
        "result": [{"metric": {}, "value": [1700000000.5, "1700000000.5"]}],
    }


def test_a_long_query_goes_by_post(plain: Client) -> None:
    # Longer than what servers and proxies take in an address.
    query = " + ".join(["vector(1)"] * 2000)
    body = plain.json("POST", QUERY, form={"query": query}, idempotent=True)
    assert body["data"]["result"][0]["value"][1] == "2000"


def test_a_query_that_does_not_parse_is_refused_with_what_prometheus_says(plain: Client) -> None:
    with pytest.raises(HttpError) as raised:
        plain.json("POST", QUERY, form={"query": "sum("}, idempotent=True)
    assert (raised.value.status, raised.value.reason, raised.value.details["tries"]) == (400, "http_bad_request", 1)
    assert "unclosed left parenthesis" in raised.value.msg
    answer = plain.call("POST", QUERY, form={"query": "sum("}, accept=frozenset({400}))
    assert (answer.status, answer.kind) == (400, "json")
    assert '"errorType":"bad_data"' in answer.text


def test_a_query_that_cannot_be_executed_is_refused_with_what_prometheus_says(plain: Client) -> None:
    many = 'label_replace(vector(1), "a", "1", "", "") or vector(1)'
    with pytest.raises(HttpError) as raised:
        plain.json("POST", QUERY, form={"query": f"({many}) * on() ({many})"}, idempotent=True)
    assert (raised.value.status, raised.value.reason) == (422, "http_rejected")
    assert "many-to-many matching not allowed" in raised.value.msg


def test_a_query_that_takes_longer_than_its_timeout_says_so(plain: Client) -> None:
    heavy = " + ".join(["vector(1)"] * 2000)
    with pytest.raises(HttpError) as raised:
        plain.json("POST", QUERY, form={"query": heavy, "timeout": "1ms"}, idempotent=False)
    assert raised.value.status == 503
    assert "query timed out" in raised.value.msg


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def guarded(authority: Authority) -> Iterator[PrometheusServer]:
    """A Prometheus behind TLS of our own authority and basic authentication."""
    certificate, key = authority.issue("prometheus")
    tls = {"cert_file": str(certificate), "key_file": str(key)}
    with PrometheusServer(web_config={"tls_server_config": tls, "basic_auth_users": {USER: HASHED}}) as server:
        yield server


def test_the_right_password_over_tls_is_let_in(guarded: PrometheusServer, authority: Authority) -> None:
    with client(guarded.url, ca=str(authority.bundle), headers=basic(USER, PASSWORD)) as made:
        assert made.json("POST", QUERY, form={"query": "vector(1)"}, idempotent=True)["status"] == "success"


@pytest.mark.parametrize("headers", [{}, basic(USER, "hunter-wrong")], ids=["none", "wrong"])
def test_a_wrong_password_is_said_and_not_shown(
    guarded: PrometheusServer, authority: Authority, headers: dict[str, str]
) -> None:
    with (
        client(guarded.url, ca=str(authority.bundle), headers=headers) as made,
        pytest.raises(HttpError) as raised,
    ):
        made.json("POST", QUERY, form={"query": "vector(1)"}, idempotent=True)
    assert (raised.value.status, raised.value.reason, raised.value.details["tries"]) == (401, "http_unauthorized", 1)
    assert "hunter-wrong" not in str(raised.value.payload(Scrubber()))
    assert all(value.split()[-1] not in str(raised.value.payload(Scrubber())) for value in headers.values())


def test_a_certificate_of_an_unknown_authority_is_refused(guarded: PrometheusServer, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    for ca in (str(stranger.bundle), None):
        with client(guarded.url, ca=ca, headers=basic(USER, PASSWORD)) as made, pytest.raises(HttpError) as raised:
            made.json("POST", QUERY, form={"query": "vector(1)"}, idempotent=True)
        assert (raised.value.status, raised.value.reason, raised.value.details["tries"]) == (0, "http_tls", 1)
        assert "certificate verify failed" in raised.value.msg


def test_a_name_that_the_certificate_does_not_hold_is_refused(guarded: PrometheusServer, authority: Authority) -> None:
    url = f"https://localhost:{guarded.port}"
    with (
        client(url, ca=str(authority.bundle), headers=basic(USER, PASSWORD)) as made,
        pytest.raises(HttpError) as raised,
    ):
        made.json("POST", QUERY, form={"query": "vector(1)"}, idempotent=True)
    assert raised.value.reason == "http_tls"


def test_plain_http_to_a_tls_port_is_said(guarded: PrometheusServer) -> None:
    with client(guarded.url.replace("https:", "http:")) as made, pytest.raises(HttpError) as raised:
        made.json("POST", QUERY, form={"query": "vector(1)"}, idempotent=True)
    assert raised.value.status == 400
    assert "HTTP request to an HTTPS server" in raised.value.msg
