# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own HTTP client against a server on loopback: how many connections a whole bake takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from fake_prometheus import GATE, Clock, FakePrometheus


class Listening(ThreadingHTTPServer):
    """Counts the connections that it accepted."""

    accepted = 0
    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        self.accepted += 1
        return super().get_request()


@pytest.fixture
def served() -> Iterator[tuple[Listening, FakePrometheus]]:
    prometheus = FakePrometheus(Clock())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {key: values[0] for key, values in parse_qs(text).items()}
            answer = prometheus.call("POST", self.path, form=form)
            self.send_response_only(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with Listening(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server, prometheus
        server.shutdown()
        thread.join()


def test_all_polls_of_a_bake_go_over_one_connection(served: tuple[Listening, FakePrometheus]) -> None:
    server, prometheus = served
    params = {
        "services": [GATE],
        "prometheus": {"url": f"http://127.0.0.1:{server.server_port}"},
        "bake": "5m",
        "baseline_history": "20m",
        "fail_on": [],
        "region": "",
        "step": "",
    }
    result = run(Call(params, False, lambda _text: None, prometheus.clock, Stop(), Progress(), Scrubber()))
    assert result["verdict"] == "pass" and result["cost"]["polls"] >= 20
    assert len(prometheus.seen) == result["cost"]["requests"] > 20
    assert server.accepted == 1
