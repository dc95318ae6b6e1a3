# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus servers of the tests: scraping, prepared samples, and an end that leaves nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tars_servers import PrometheusServer, ServerError

METRICS = b"""# TYPE demo_requests_total counter
demo_requests_total{status="200"} 41
demo_requests_total{status="500"} 1
"""
SAMPLES = """# TYPE demo_requests counter
demo_requests_total{track="canary"} 0 1700000000
demo_requests_total{track="canary"} 30 1700000015
demo_requests_total{track="canary"} 60 1700000030
# EOF
"""


@pytest.fixture
def exporter() -> Iterator[str]:
    """A real exporter on loopback; its host:port."""

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(METRICS)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_scrapes_a_real_exporter_and_answers(exporter: str) -> None:
    job = {"job_name": "demo", "static_configs": [{"targets": [exporter], "labels": {"track": "canary"}}]}
    config = {"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": [job]}
    with PrometheusServer(config) as server:
        folder, pid = server.folder, server.pid
        found = server.wait_for('demo_requests_total{track="canary", status="500"}')
        assert [series["value"][1] for series in found] == ["1"]
        assert server.query("sum(demo_requests_total)")[0]["value"][1] == "42"
        assert server.query("up")[0]["metric"]["instance"] == exporter
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_prepared_samples_are_there_at_their_time_and_after_a_restart() -> None:
    with PrometheusServer(samples=SAMPLES) as server:
        for _round in range(2):
            assert server.query("demo_requests_total", at=1700000020)[0]["value"] == [1700000020, "30"]
            assert server.query("sum(increase(demo_requests_total[30s]))", at=1700000030)[0]["value"][1] == "60"
            assert server.query("demo_requests_total") == []
            server.restart()


def test_samples_that_are_no_openmetrics_are_refused() -> None:
    with pytest.raises(ServerError, match=r"(?s)promtool ended with code 1; it said:.*data does not end with # EOF"):
        PrometheusServer(samples="demo 1 1700000000\n").__enter__()


def test_a_query_that_is_wrong_is_said(prometheus: PrometheusServer) -> None:
    with pytest.raises(ServerError, match=r"answered 400 to 'sum\(': .*unclosed left parenthesis"):
        prometheus.query("sum(")


def test_no_result_in_time_is_said(prometheus: PrometheusServer) -> None:
    with pytest.raises(ServerError, match=r"had no result for 'absent_thing' after 0\.2 s"):
        prometheus.wait_for("absent_thing", seconds=0.2)


def test_a_port_that_is_taken_is_said_with_the_log() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = PrometheusServer(port=port)
        with pytest.raises(ServerError, match=rf"(?s)on port {port} ended.*address already in use"), server:
            pass
    assert server._folder is None


def test_a_wrong_config_is_said_with_the_log() -> None:
    with pytest.raises(ServerError, match=r"(?s)ended while it was starting.*field no_such not found"):
        PrometheusServer({"no_such": 1}).__enter__()
