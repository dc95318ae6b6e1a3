# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the sample that decides to the verdict, and to the patch at the API server: build/bench/gate_fuse.json.

Real exporters, a real Prometheus, and routes in a namespace of the lab of the bench's own. Each gate sees a canary that
fails, and cuts its route. Times of the patch are those of the API server's audit log. Returns 1 when a median is later
than promised.
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
from bench_gate_live import SLO, Exporters, Pod
from tars_servers import PrometheusServer

SCRAPE, RPS, BAD = 5, 50.0, 0.3
VERDICT_S, PATCH_S = 0.3, 0.5


def judge(number: int, url: str, namespace: str, kubeconfig: str) -> dict[str, Any]:
    """One gate with its fuse: when the newest sample was taken, and when the verdict stood."""
    service, stop = f"s{number}", Stop()
    target = {"name": service, "provider": "istio", "object": {"namespace": namespace}, "route": "primary"}
    params = {
        "services": [{
            "service": service, "slos": {"errors": SLO},
            "arms": {track: {"service": service, "track": track} for track in ("canary", "stable")},
        }],
        "prometheus": {"url": url}, "kubeconfig": kubeconfig, "bake": "120s", "scrape": f"{SCRAPE}s",
        "baseline_history": "0", "fail_on": [], "region": "", "step": "",
        "cut_traffic": {"release": "bench", "services": [target]},
    }  # fmt: skip
    checked = ArgumentSpecValidator(spec()).validate(params)
    # The gates decide at different moments, as those of different regions do.
    time.sleep(number * 0.7 % SCRAPE)
    result = run(
        Call(checked.validated_parameters, False, lambda _text: None, SystemClock(stop), stop, Progress(), Scrubber())
    )
    query = f'max(timestamp(app_requests_total{{service="{service}"}}))'
    found = requests.get(f"{url}/api/v1/query", params={"query": query}, timeout=10).json()["data"]["result"]
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


def measure(runs: int) -> list[dict[str, Any]]:
    """Rows of seconds after the newest sample: the verdict, and the patch."""
    kubeconfig = os.environ["KUBECONFIG"]
    client = _kube.from_kubeconfig(kubeconfig, "", Scrubber())
    namespace = f"bench-fuse-{secrets.token_hex(3)}"
    pods, jobs = {}, []
    for number in range(runs):
        for track, rps, share in (("canary", RPS / 5, BAD), ("stable", RPS, 0.01)):
            path = f"/{track}-{number}"
            pods[path] = Pod(rps, share, 2 * number + (track == "canary"))
            jobs.append((path, {"service": f"s{number}", "track": track, "pod": path[1:]}))
    exporters = Exporters(pods)
    target = f"127.0.0.1:{exporters.server.server_port}"
    config = {
        "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s"},
        "scrape_configs": [
            {"job_name": path[1:], "metrics_path": path, "static_configs": [{"targets": [target], "labels": labels}]}
            for path, labels in jobs
        ],
    }
    client.create(NAMESPACES, "", {"metadata": {"name": namespace}})
    try:
        for number in range(runs):
            client.create(VIRTUAL_SERVICES, namespace, route(f"s{number}", f"s{number}.{namespace}.localhost"))
        with PrometheusServer(config) as prometheus:
            prometheus.wait_for(f'count(app_requests_total{{status="200"}}) == {2 * runs}', 3 * SCRAPE + 10)
            time.sleep(SCRAPE)
            with ThreadPoolExecutor(runs) as pool:
                results = list(pool.map(lambda n: judge(n, prometheus.url, namespace, kubeconfig), range(runs)))
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
    parser.add_argument("--out", type=Path, default=Path("build/bench/gate_fuse.json"))
    options = parser.parse_args()
    rows = measure(options.runs)
    for row in rows:
        print(row, flush=True)
    good = [row for row in rows if row["verdict"] == "rollback" and row["done"]]
    found: dict[str, Any] = {
        "runs": len(rows),
        "cut": len(good),
        "promised": {"verdict_s": VERDICT_S, "patch_s": PATCH_S},
    }
    for name in ("verdict_s", "patch_s"):
        values = [row[name] for row in good]
        found[name] = {"median": round(statistics.median(values), 3), "worst": max(values)} if values else None
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({**found, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    missed = len(good) < len(rows) or any(
        found[name]["median"] > found["promised"][name] for name in ("verdict_s", "patch_s")
    )
    print("MISSED" if missed else "as promised", file=sys.stderr)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
