# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: a good release, cuts of bad ones, ten services in one call, and the control plane away."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from traffic_load import Load
from traffic_place import DEPLOYMENTS, Place, wait

ROOT = Path(__file__).resolve().parents[2]
PODS = Kind("v1", "pods")
MESH = "istio-system"
LONGEST = 1.0
"""Seconds that the longest request of the load takes."""
FAULTS = {
    "6 % errors": {"error_share": 0.06},
    "+300 ms": {"latency_ms": 300},
    "crash loop": {"crash_loop": 12},
    "hang at the end": {"bad_drain": "hang"},
}
Say = Callable[[str], None]


def good(place: Place, old: str, new: str, stage: float, rps: float, say: Say) -> dict[str, Any]:
    """One release from its canary to promoted, under load on kept and new connections and on WebSockets."""
    place.release(new)
    moved = []
    with Load(place.gateway, place.namespace, list(place.routes), rps, place.folder, websockets=6) as load:
        time.sleep(min(stage, 5))
        place.track(old, new)
        for weight in (1, 10, 50, 100):
            place.weigh(weight)
            say(f"release {new}: {weight} % of {rps:g} rps")
            time.sleep(stage)
        time.sleep(stage)
        say(f"release {new}: stable is replaced without traffic")
        place.roll_stable(new)
        for weight in (50, 0):
            moved.append(place.weigh(weight)["services"][0]["share"]["state"])
            time.sleep(stage / 2)
        time.sleep(LONGEST)
        place.untrack()
        time.sleep(2)
    seen = load.seen
    return {
        "requests": len(seen.requests),
        "failed_requests": sum(seen.failed.values()),
        "failures": dict(seen.failed),
        "new_version_requests": sum(line["version"] == new for line in seen.requests),
        "websockets_moved": seen.moved,
        "websockets_abnormal": sum(seen.abnormal.values()),
        "websocket_ends": dict(seen.abnormal),
        "retries": place.retries,
        "generator": seen.too_slow or "in time",
    }


def cuts(place: Place, fault: str, count: int, rps: float, say: Say) -> list[dict[str, Any]]:
    """Cut a bad release at 50 %, several times, as a gate does that has just decided: all time from then on counts."""
    found = []
    place.track("1", "bad", {"TARS_FAULTS": json.dumps(FAULTS[fault])})
    with Load(place.gateway, place.namespace, list(place.routes), rps, place.folder) as load:
        for number in range(count):
            place.weigh(50, observe=False)
            fuse = place.fuse("bad")
            time.sleep(3)
            decided = time.monotonic()
            done = fuse.blow("bench")
            if not done["done"]:
                raise RuntimeError(f"cut {number + 1}: {done['error']}")
            say(f"{fault}, cut {number + 1}: {len(place.routes)} routes patched in {done['after_s']:.3f} s")
            time.sleep(3)
            # Until here no canary has weight again.
            found.append({"fault": fault, "decided": decided, "until": time.monotonic(), "patched": done["after_s"]})
    place.untrack()
    for item in found:
        late = [line for line in load.seen.between(item["decided"], item["until"]) if line["version"] == "bad"]
        left = [load.seen.start + line["t"] + line.get("lag_ms", 0) / 1000 - item["decided"] for line in late]
        item["last_canary_after"] = max(left, default=0.0)
    return found


def without_control_plane(place: Place, away: float, rps: float, say: Say) -> dict[str, Any]:
    """Cut at 50 % while istiod restarts (``away`` 0) or is gone for some seconds, and wait for it to act."""
    place.track("1", "bad")
    place.weigh(50)
    with Load(place.gateway, place.namespace, list(place.routes), rps, place.folder) as load:
        time.sleep(3)
        _istiod(place, away)
        try:
            decided = time.monotonic()
            place.cut("bad")
            time.sleep(max(0.0, away - (time.monotonic() - decided)))
        finally:
            back = _istiod_back(place)
        say(f"istiod is back {back - decided:.1f} s after the cut")
        time.sleep(40)
    place.untrack()
    seen = load.seen
    return {
        "away_s": away,
        "istiod_ready_after_s": round(back - decided, 1),
        "last_canary_after_s": round(seen.last("bad") - decided, 2),
        "requests": len(seen.requests),
        "failed_requests": sum(seen.failed.values()),
    }


def _istiod(place: Place, away: float) -> None:
    if away:
        ops = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
        place.client.json_patch(DEPLOYMENTS, MESH, "istiod", ops)
        wait(lambda: not place.client.list(PODS, MESH, labels="app=istiod"), 60, "istiod to be gone")
        return
    for pod in place.client.list(PODS, MESH, labels="app=istiod"):
        place.client.delete(PODS, MESH, pod["metadata"]["name"])


def _istiod_back(place: Place) -> float:
    ops = [{"op": "replace", "path": "/spec/replicas", "value": 1}]
    place.client.json_patch(DEPLOYMENTS, MESH, "istiod", ops)
    wait(
        lambda: bool(place.client.get(DEPLOYMENTS, MESH, "istiod").get("status", {}).get("availableReplicas")),
        120,
        "istiod to be back",
    )
    return time.monotonic()


def ten_services(place: Place, count: int) -> dict[str, Any]:
    """The module as Ansible starts it, a new process each time: wall and processor time with all of its imports."""
    runs = []
    place.weigh(1, observe=False)  # a route that was cut gets no weight before that is lifted
    for number in range(count):
        params = {"kubeconfig": place.kubeconfig, "services": place.targets(), "weight": 0 if number % 2 else 10}
        runs.append(_module_process("canary_weight", params))
    place.weigh(0, observe=False)
    return {
        "services": len(place.routes),
        "wall_s": {"median": _median(runs, "wall"), "max": round(max(run["wall"] for run in runs), 2)},
        "cpu_s": {"median": _median(runs, "cpu"), "max": round(max(run["cpu"] for run in runs), 2)},
        "reads": sorted({run["answer"]["reads"] for run in runs}),
        "patches": sorted({run["answer"]["patches"] for run in runs}),
    }


def by_hand(place: Place, count: int, rps: float) -> dict[str, Any]:
    """A cut by one task of a playbook at 50 %: from its start to the last request of the canary."""
    place.track("1", "bad")
    found = []
    with Load(place.gateway, place.namespace, list(place.routes), rps, place.folder) as load:
        for _number in range(count):
            place.weigh(50, observe=False)
            time.sleep(3)
            begun = time.monotonic()
            _playbook(place)
            found.append((begun, time.monotonic()))
            time.sleep(2)
    place.untrack()
    after = []
    for begun, ended in found:
        late = [line for line in load.seen.between(begun, ended + 2) if line["version"] == "bad"]
        after.append(max((load.seen.start + line["t"] - begun for line in late), default=0.0))
    return {"count": count, "median": round(statistics.median(after), 2), "max": round(max(after), 2)}


def _playbook(place: Place) -> None:
    task = {
        "tars.rollout.canary_weight": {
            "kubeconfig": place.kubeconfig, "services": place.targets(), "cut": {"reason": "by_hand"}, "release": "bad",
        }
    }  # fmt: skip
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
    path = place.folder / "rollback.yml"
    path.write_text(json.dumps(play))
    environment = {key: value for key, value in os.environ.items() if key != "ANSIBLE_CONFIG"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".ansible/collections")
    words = ["-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", str(path)]
    program = Path(sys.executable).with_name("ansible-playbook")
    subprocess.run([program, *words], env=environment, check=True, capture_output=True, timeout=120)


def _module_process(name: str, params: dict[str, Any]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"ANSIBLE_MODULE_ARGS": params}, file)
        file.flush()
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        words = [sys.executable, "-m", f"ansible_collections.tars.rollout.plugins.modules.{name}", file.name]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = json.loads(done.stdout)
    if answer.get("failed"):
        raise RuntimeError(answer["msg"])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "answer": answer}


def together(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums of several good runs."""
    keys = ("requests", "failed_requests", "websockets_moved", "websockets_abnormal")
    failures: Counter[str] = Counter()
    for run in runs:
        failures.update(run["failures"])
    return {**{key: sum(run[key] for run in runs) for key in keys}, "failures": dict(failures), "runs": list(runs)}


def spread(found: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    values = [item[key] for item in found]
    return {"median": round(statistics.median(values), 3), "max": round(max(values), 3)}


def _median(runs: Sequence[dict[str, Any]], key: str) -> float:
    return round(statistics.median(run[key] for run in runs), 2)
