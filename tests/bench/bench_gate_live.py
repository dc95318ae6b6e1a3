# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The anchor of bench_gate.py on the wall clock: real exporters, a real Prometheus, several gates at the same time.

Prints seconds until rollback for each scrape interval and writes build/bench/gate_live.json. Returns 1 when a
promise is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from gate_sim import poisson
from promised import Promise, at_most, ended
from tars_servers import PrometheusServer

RPS, WEIGHT, STABLE = 50.0, 0.1, 0.01
SLO = {"ratio": "app_requests_total", "limit": "2%", "violation": "5%", "max_drift": "10%"}


class Pod:
    """Counters of one pod; requests arrive by chance, as many as the time since the last look allows."""

    def __init__(self, rps: float, bad: float, seed: int) -> None:
        self._rps, self._bad = rps, bad
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._at = time.monotonic()
        self._counts = {"200": 0, "500": 0}

    def text(self) -> str:
        with self._lock:
            now = time.monotonic()
            for status, share in (("200", 1 - self._bad), ("500", self._bad)):
                self._counts[status] += poisson(self._random, (now - self._at) * self._rps * share)
            self._at = now
            return "".join(f'app_requests_total{{status="{s}"}} {n}\n' for s, n in self._counts.items())


class Exporters:
    """All pods behind one port; the path names the pod."""

    def __init__(self, pods: dict[str, Pod]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = pods[self.path].text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def scraping(target: str, jobs: list[tuple[str, dict[str, str]]], scrape: int) -> dict[str, Any]:
    """The configuration of a Prometheus that scrapes each pod (its path, its labels) every ``scrape`` seconds."""
    return {
        "global": {"scrape_interval": f"{scrape}s", "scrape_timeout": f"{min(scrape, 5)}s"},
        "scrape_configs": [
            {"job_name": path[1:], "metrics_path": path, "static_configs": [{"targets": [target], "labels": labels}]}
            for path, labels in jobs
        ],
    }


def measure(scrape: int, runs: int, bad: float, bake: int) -> list[dict[str, Any]]:
    """Results of that many gates that run at the same time, each with pods of its own."""
    pods: dict[str, Pod] = {}
    jobs = []
    for number in range(runs):
        for track, rps, share in (("canary", RPS * WEIGHT, bad), ("stable", RPS * (1 - WEIGHT), STABLE)):
            path = f"/{track}-{number}"
            pods[path] = Pod(rps, share, 1000 * scrape + 2 * number + (track == "canary"))
            jobs.append((path, {"service": f"s{number}", "track": track, "pod": path[1:]}))
    exporters = Exporters(pods)
    target = f"127.0.0.1:{exporters.server.server_port}"
    with PrometheusServer(scraping(target, jobs, scrape)) as prometheus:
        prometheus.wait_for(f'count(app_requests_total{{status="200"}}) == {2 * runs}', 3 * scrape + 10)
        time.sleep(scrape)
        with ThreadPoolExecutor(runs) as pool:
            results = list(pool.map(lambda n: judge(prometheus.url, f"s{n}", scrape, bake), range(runs)))
    exporters.server.shutdown()
    return results


def judge(url: str, service: str, scrape: int, bake: int) -> dict[str, Any]:
    stop = Stop()
    arms = {track: {"service": service, "track": track} for track in ("canary", "stable")}
    params = {
        "services": [{"service": service, "arms": arms, "slos": {"errors": SLO}}],
        "prometheus": {"url": url},
        "bake": f"{bake}s",
        "scrape": f"{scrape}s",
        "baseline_history": "0",
        "fail_on": [],
        "region": "",
        "step": "",
    }
    return dict(run(Call(params, False, lambda _text: None, SystemClock(stop), stop, Progress(), Scrubber())))


def promises(table: list[dict[str, Any]]) -> list[Promise]:
    """What is promised of these figures, and whether it was kept; ten runs tell a median and no more."""
    kept = []
    for row in table:
        scrapes = f"scrapes of {row['scrape_s']} s"
        kept += [
            (f"every bad canary rolled back with {scrapes}", row["rollback"] == 1),
            (f"a median <= 60 s with {scrapes}", at_most(row["median_s"], 60)),
            (f"at most 2 requests per poll with {scrapes}", at_most(row["requests_per_poll"], 2)),
        ]
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--scrapes", type=int, nargs="+", default=[5, 15])
    parser.add_argument("--bad", type=float, default=0.06)
    parser.add_argument("--bake", type=int, default=180)
    parser.add_argument("--out", type=Path, default=Path("build/bench/gate_live.json"))
    options = parser.parse_args()
    table = []
    for scrape in options.scrapes:
        before = time.process_time()
        results = measure(scrape, options.runs, options.bad, options.bake)
        times = sorted(r["decided_after_s"] for r in results if r["verdict"] == "rollback")
        polls = sum(r["cost"]["polls"] for r in results)
        asked = sum(r["cost"]["poll_requests"] for r in results)
        row = {
            "scrape_s": scrape,
            "runs": options.runs,
            "rollback": len(times) / options.runs,
            "median_s": statistics.median(times) if times else None,
            "worst_s": times[-1] if times else None,
            "requests_per_poll": round(asked / polls, 2),
            "cpu_ms_per_poll": round(1000 * (time.process_time() - before) / polls, 1),
        }
        table.append(row)
        print(row, flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return ended(promises(table))


if __name__ == "__main__":
    raise SystemExit(main())
