# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the sample that decides to the verdict, and to the patch at the API server: build/bench/gate_fuse.json.

Real exporters, a real Prometheus, and routes in a namespace of the lab of the bench's own. Each gate sees a canary that
fails, and cuts its route. The deciding sample is the newest one that the deciding poll could read. Times of the patch
are those of the API server's audit log. Returns 1 when a gate did not cut, or the worst time is later than promised.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from ansible_collections.tars.rollout.plugins.modules.slo_gate import spec
from bench_dead_man import NAMESPACES, VIRTUAL_SERVICES, route
from bench_gate_live import SLO, Exporters, Pod, scraping
from tars_servers import PrometheusServer

SCRAPE, RPS, BAD = 5, 50.0, 0.3
VERDICT_S, PATCH_S = 0.3, 0.5
# A sample so young, in seconds, when it is asked for may not be readable yet: counted from the one before instead.
UNREADABLE = 0.02


def metric(slo: int) -> str:
    return f"app_{slo}_requests_total"


class ManyMetrics(Pod):
    """A pod that counts the same requests once for each objective, as a service counts them by several metrics."""

    def __init__(self, rps: float, bad: float, seed: int, slos: int) -> None:
        super().__init__(rps, bad, seed)
        self._slos = slos

    def text(self) -> str:
        one = super().text()
        return "".join(one.replace("app_requests_total", metric(slo)) for slo in range(self._slos))


def judge(number: int, url: str, namespace: str, kubeconfig: str, slos: int) -> dict[str, Any]:
    """One gate with its fuse: what it decided, and when the newest sample of its last poll was taken."""
    service, stop = f"s{number}", Stop()
    target = {"name": service, "provider": "istio", "object": {"namespace": namespace}, "route": "primary"}
    params = {
        "services": [{
            "service": service, "slos": {f"errors_{slo}": {**SLO, "ratio": metric(slo)} for slo in range(slos)},
            "arms": {track: {"service": service, "track": track} for track in ("canary", "stable")},
        }],
        "prometheus": {"url": url}, "kubeconfig": kubeconfig, "bake": "120s", "scrape": f"{SCRAPE}s",
        "baseline_history": "0", "fail_on": [], "region": "", "step": "",
        "cut_traffic": {"release": "bench", "services": [target]},
    }  # fmt: skip
    # The gates decide at different moments, as those of different regions do.
    time.sleep(number * 0.7 % SCRAPE)
    since = time.time()
    checked = ArgumentSpecValidator(spec()).validate({**params, "since": f"{since:.3f}"})
    result = run(
        Call(checked.validated_parameters, False, lambda _text: None, SystemClock(stop), stop, Progress(), Scrubber())
    )
    asked = {
        "query": f'max(timestamp({metric(0)}{{service="{service}"}}))',
        "time": f"{since + result['decided_after_s'] - UNREADABLE:.3f}",
    }
    found = requests.get(f"{url}/api/v1/query", params=asked, timeout=10).json()["data"]["result"]
    return {
        "service": service,
        "verdict": result["verdict"],
        "cut": result["cut"],
        "sample": float(found[0]["value"][1]),
    }


def patched(log: Path, namespace: str) -> dict[str, float]:
    """When the API server had completed the first patch of each route, by its audit log."""
    times: dict[str, float] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if namespace not in line or '"patch"' not in line:
                continue
            event = json.loads(line)
            what = event.get("objectRef") or {}
            if (
                event["stage"] == "ResponseComplete"
                and event["verb"] == "patch"
                and what.get("resource") == "virtualservices"
            ):
                times.setdefault(what["name"], seconds_of(event["stageTimestamp"]))
    return times


def measure(runs: int, per_arm: int, slos: int) -> list[dict[str, Any]]:
    """Rows of seconds after the newest sample: the verdict, and the patch."""
    kubeconfig = os.environ["KUBECONFIG"]
    client = _kube.from_kubeconfig(kubeconfig, "", Scrubber())
    namespace = f"bench-fuse-{secrets.token_hex(3)}"
    pods, jobs = {}, []
    arms = (("canary", RPS / 5, BAD), ("stable", RPS, 0.01))
    for seed, (number, (track, rps, share), pod) in enumerate(product(range(runs), arms, range(per_arm))):
        path = f"/{track}-{number}-{pod}"
        pods[path] = ManyMetrics(rps / per_arm, share, seed, slos)
        jobs.append((path, {"service": f"s{number}", "track": track, "pod": path[1:]}))
    exporters = Exporters(pods)
    target = f"127.0.0.1:{exporters.server.server_port}"
    client.create(NAMESPACES, "", {"metadata": {"name": namespace}})
    try:
        for number in range(runs):
            client.create(VIRTUAL_SERVICES, namespace, route(f"s{number}", f"s{number}.{namespace}.localhost"))
        with PrometheusServer(scraping(target, jobs, SCRAPE)) as prometheus:
            prometheus.wait_for(f'count({metric(0)}{{status="200"}}) == {len(jobs)}', 3 * SCRAPE + 10)
            time.sleep(SCRAPE)
            with ThreadPoolExecutor(runs) as pool:
                results = list(pool.map(lambda n: judge(n, prometheus.url, namespace, kubeconfig, slos), range(runs)))
        time.sleep(1)
        times = patched(Path(os.environ["LAB_AUDIT_LOG"]), namespace)
        marks = {
            item["metadata"]["name"]: item["metadata"]["annotations"].get("ga.rollout/cut")
            for item in client.list(VIRTUAL_SERVICES, namespace)
        }
    finally:
        threading.Thread(target=exporters.server.shutdown, daemon=True).start()
        client.delete(NAMESPACES, "", namespace)
    rows = []
    for result in results:
        cut = result["cut"] or {}
        at, mark = times.get(result["service"]), marks.get(result["service"])
        # The cut says when it was decided.
        said = seconds_of(json.loads(mark)["time"]) if mark else None
        rows.append({
            "verdict": result["verdict"], "done": cut.get("done", False),
            "verdict_s": round(said - result["sample"], 3) if said else None,
            "patch_s": round(at - result["sample"], 3) if at else None,
        })  # fmt: skip
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pods", type=int, default=2, help="pods per service and arm")
    parser.add_argument("--slos", type=int, default=2, help="objectives per service, each with a metric of its own")
    parser.add_argument("--out", type=Path, default=Path("build/bench/gate_fuse.json"))
    options = parser.parse_args()
    rows = measure(options.runs, options.pods, options.slos)
    for row in rows:
        print(row, flush=True)
    good = [row for row in rows if row["verdict"] == "rollback" and row["done"]]
    found: dict[str, Any] = {
        "runs": len(rows),
        "pods": options.pods,
        "slos": options.slos,
        "cut": len(good),
        "promised": {"verdict_s": VERDICT_S, "patch_s": PATCH_S},
    }
    late = False
    for name in ("verdict_s", "patch_s"):
        # A patch that the audit log does not have, or a route without its mark, is a promise missed, not a short time.
        values = [row[name] for row in good if row[name] is not None]
        late = late or len(values) < len(good) or max(values, default=0.0) > found["promised"][name]
        found[name] = {"median": round(statistics.median(values), 3), "worst": max(values)} if values else None
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({**found, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    missed = late or len(good) < len(rows)
    print("MISSED" if missed else "as promised", file=sys.stderr)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
