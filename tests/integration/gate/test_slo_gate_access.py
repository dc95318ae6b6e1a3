# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How slo_gate gets to its Prometheus: certificates, passwords, tokens, a proxy; and that half an answer is denied."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from tars_servers import PrometheusServer
from tars_servers.certificates import Authority

USER, PASSWORD = "gate", "a long pass phrase"
# The password above by bcrypt, as Prometheus wants it.
HASHED = "$2b$04$abcdefghijklmnopqrstuuPbNtpRMXPOZ3Xkdc4s814J6prrbEERC"
GATE = {
    "service": "api",
    "arms": {"canary": {"track": "canary"}},
    "slos": {"errors": {"ratio": "requests_total", "limit": "2%"}},
}


def look(**prometheus: Any) -> dict[str, Any]:
    """One call in check mode: it reads for real, once."""
    stop = Stop()
    params = {
        "services": [GATE],
        "prometheus": prometheus,
        "baseline_history": "0",
        "fail_on": [],
        "region": "",
        "step": "",
    }
    return dict(run(Call(params, True, lambda _text: None, SystemClock(stop), stop, Progress(), Scrubber())))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def guarded(authority: Authority) -> Iterator[PrometheusServer]:
    """A Prometheus that wants a client certificate of our authority and a password."""
    certificate, key = authority.issue("prometheus")
    tls = {
        "cert_file": str(certificate),
        "key_file": str(key),
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(authority.bundle),
    }
    with PrometheusServer(web_config={"tls_server_config": tls, "basic_auth_users": {USER: HASHED}}) as server:
        yield server


@pytest.fixture(scope="module")
def own(authority: Authority) -> tuple[Path, Path]:
    return authority.issue("gate")


def test_authority_client_certificate_and_password_open_the_door(
    guarded: PrometheusServer, authority: Authority, own: tuple[Path, Path]
) -> None:
    result = look(
        url=guarded.url, ca=str(authority.bundle), client_cert=str(own[0]), client_key=str(own[1]), username=USER,
        password=PASSWORD,
    )  # fmt: skip
    assert result["verdict"] == "not yet"
    assert any("the metric does not exist" in text for text in result["forecast"]["findings"])


def test_a_wrong_password_is_refused_before_the_bake_and_not_shown(
    guarded: PrometheusServer, authority: Authority, own: tuple[Path, Path]
) -> None:
    with pytest.raises(RolloutError, match="401") as caught:
        look(
            url=guarded.url, ca=str(authority.bundle), client_cert=str(own[0]), client_key=str(own[1]), username=USER,
            password="hunter-wrong",
        )  # fmt: skip
    assert "hunter-wrong" not in str(caught.value.payload(Scrubber()))


def test_a_certificate_that_does_not_match_is_refused_before_the_bake(
    guarded: PrometheusServer, own: tuple[Path, Path], tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with pytest.raises(RolloutError, match="certificate verify failed"):
        look(url=guarded.url, ca=str(stranger.bundle), client_cert=str(own[0]), client_key=str(own[1]))


@pytest.fixture
def asked() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers like an empty Prometheus and keeps what it was asked."""
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {key: values[0] for key, values in parse_qs(text).items()}
            seen.append({"path": self.path, "headers": dict(self.headers), "form": form})
            data: Any = {"resultType": "matrix", "result": []}
            if form.get("query") == "time()":
                data = {"resultType": "scalar", "result": [time.time(), str(time.time())]}
            body = json.dumps({"status": "success", "data": [] if self.path.endswith("labels") else data}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_a_token_and_other_headers_go_along_and_partial_answers_are_denied(
    asked: tuple[str, list[dict[str, Any]]],
) -> None:
    url, seen = asked
    look(url=url, token="a-long-token", headers={"X-Scope-OrgID": "tars"})
    assert {request["headers"]["Authorization"] for request in seen} == {"Bearer a-long-token"}
    assert {request["headers"]["X-Scope-OrgID"] for request in seen} == {"tars"}
    queries = [request["form"] for request in seen if request["path"].endswith("/query")]
    # Thanos and VictoriaMetrics each have a word of their own for it; Prometheus knows neither and does not mind.
    assert queries and all(form["partial_response"] == "false" for form in queries)
    assert all(form["deny_partial_response"] == "1" and form["timeout"] == "10s" for form in queries)


def test_a_password_goes_as_basic_authentication(asked: tuple[str, list[dict[str, Any]]]) -> None:
    url, seen = asked
    look(url=url, username=USER, password=PASSWORD)
    wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert {request["headers"]["Authorization"] for request in seen} == {wanted}


def test_a_proxy_is_asked_for_a_server_that_only_it_can_reach(asked: tuple[str, list[dict[str, Any]]]) -> None:
    url, seen = asked
    look(url="http://prometheus.invalid:9090", proxy=url)
    assert seen and all(request["path"].startswith("http://prometheus.invalid:9090/api/v1/") for request in seen)
