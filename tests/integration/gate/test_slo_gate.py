# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""slo_gate against a real Prometheus that scrapes real exporters, on the wall clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from tars_servers import PrometheusServer

SCRAPE = 1
# Path of the exporter -> (service, track, requests per second, share of bad ones).
PODS = {
    "/good-canary": ("good", "canary", 80, 0.01),
    "/good-stable": ("good", "stable", 300, 0.01),
    "/bad-canary": ("bad", "canary", 80, 0.12),
    "/bad-stable": ("bad", "stable", 300, 0.01),
}
SLOS = {
    "errors": {"ratio": "app_requests_total", "limit": "2%", "violation": "5%", "max_drift": "10%"},
    "p95": {"latency": "app_seconds", "limit": "100ms", "violation": "250ms"},
    "up": {"expr": "1 - avg(up)", "limit": "50%", "for": "3s"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    began = time.time()

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _service, _track, rps, bad = PODS[self.path]
            requests = (time.time() - began) * rps
            lines = [
                f'app_requests_total{{status="200"}} {int(requests * (1 - bad))}',
                f'app_requests_total{{status="503"}} {int(requests * bad)}',
                f'app_seconds_bucket{{le="0.1"}} {int(requests * 0.98)}',
                f'app_seconds_bucket{{le="0.25"}} {int(requests * 0.999)}',
                f'app_seconds_bucket{{le="+Inf"}} {int(requests)}',
            ]
            body = "\n".join([*lines, ""]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as exporter:
        thread = threading.Thread(target=exporter.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        target = f"127.0.0.1:{exporter.server_port}"
        jobs = [
            {
                "job_name": path[1:],
                "metrics_path": path,
                "static_configs": [{"targets": [target], "labels": {"service": s, "track": t, "pod": path[1:]}}],
            }
            for path, (s, t, _rps, _bad) in PODS.items()
        ]
        config = {"global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
        with PrometheusServer(config) as prometheus:
            prometheus.wait_for('count(app_requests_total{status="503"}) == 4')
            yield prometheus
        exporter.shutdown()
        thread.join()


def gate(service: str) -> dict[str, Any]:
    arms = {track: {"service": service, "track": track} for track in ("canary", "stable")}
    return {"service": service, "arms": arms, "expect_pods": {"canary": 1}, "slos": SLOS}


def judge(url: str, *services: str, **params: Any) -> dict[str, Any]:
    stop = Stop()
    given = {
        "services": [gate(service) for service in services],
        "prometheus": {"url": url},
        "bake": "10s",
        "scrape": f"{SCRAPE}s",
        "baseline_history": "10s",
        "fail_on": [],
        "region": "here",
        "step": "test",
        "stage": {"weight": 20},
        **params,
    }
    return dict(run(Call(given, False, lambda _text: None, SystemClock(stop), stop, Progress(), Scrubber())))


def test_a_bad_canary_is_seen_in_seconds_and_a_good_one_passes(server: PrometheusServer) -> None:
    with ThreadPoolExecutor() as pool:
        good = pool.submit(judge, server.url, "good")
        bad = pool.submit(judge, server.url, "good", "bad")
        passed, stopped = good.result(), bad.result()
    assert passed["verdict"] == "pass", passed["services"]
    assert 10 <= passed["decided_after_s"] <= 11.5
    assert stopped["verdict"] == "rollback" and stopped["slo"] == "errors"
    assert stopped["decided_after_s"] <= 6
    assert [entry["verdict"] for entry in stopped["services"]] == ["not yet", "rollback"]
    # One raw read and one expression per poll.
    assert passed["cost"]["requests"] <= 2 * passed["cost"]["polls"] + 6
    assert passed["cost"]["samples"] <= 5000


def test_a_replay_of_what_was_just_seen_says_the_same(server: PrometheusServer) -> None:
    end = time.time() - 2
    result = judge(server.url, "bad", replay={"start": str(end - 8), "end": str(end)}, baseline_history="0")
    assert (result["verdict"], result["slo"]) == ("rollback", "errors")


def test_a_selector_that_matches_nothing_says_which_labels_there_are(server: PrometheusServer) -> None:
    lost = {**gate("good"), "arms": {"canary": {"colour": "blue"}}, "expect_pods": {}}
    result = judge(server.url, services=[lost], bake="2s")
    assert (result["verdict"], result["reason"]) == ("hold", "NO_DATA")
    assert any("no label colour, only" in text and "track" in text for text in result["forecast"]["findings"])


def test_another_program_at_the_address_is_told() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><title>Sign in</title></html>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as page:
        thread = threading.Thread(target=page.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        with pytest.raises(RolloutError, match="HTML page"):
            judge(f"http://127.0.0.1:{page.server_port}", "good")
        page.shutdown()
        thread.join()
