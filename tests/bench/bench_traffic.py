# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How exactly and how fast traffic moves in the lab: a table, and build/bench/traffic.json.

BENCH_SHORT=1: one short release and few cuts (about three minutes). BENCH_MESH=1: also with the mesh's control plane
restarted and away, which everybody in the lab feels. BENCH_PART=good or cuts: only that. Works in namespaces of its own
and takes them away.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import traffic_runs as runs
from tarslab import weight
from traffic_place import place

LIMITS = {
    "good.failed_requests": 0,
    "good.websockets_abnormal": 0,
    "bad.decision_to_last_canary_request_s.median": 0.5,
    "bad.decision_to_last_canary_request_s.max": 1.5,
    "bad.decision_to_last_patch_s.max": 0.15,
    "by_hand.start_to_last_canary_request_s.max": 5.0,
    "ten_services.wall_s.median": 1.5,
    "ten_services.cpu_s.median": 1.5,
    "without_istiod.restarted.failed_requests": 0,
    "without_istiod.away.failed_requests": 0,
}
"""What each figure may be at most, from what users were promised."""
LEAST = {"good.requests": 100_000, "bad.cuts": 20}
"""How many of them the figures must come from; a short run is not held to it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/bench/traffic.json"))
    out = parser.parse_args().out
    if "LAB_GATEWAY_URL" not in os.environ:
        print(
            'bench-traffic: the lab is not up; run `make lab-up`, then `eval "$(tests/lab/lab env)"`', file=sys.stderr
        )
        return 2
    part = os.environ.get("BENCH_PART", "all")
    if part not in ("all", "good", "cuts"):
        print("bench-traffic: BENCH_PART is all, good or cuts", file=sys.stderr)
        return 2
    short, mesh = bool(os.environ.get("BENCH_SHORT")), bool(os.environ.get("BENCH_MESH"))
    # What decides and cuts runs on another machine elsewhere; here it would wait behind the whole cluster.
    weight.favour()
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"  [{time.monotonic() - begun:6.1f}] {text}", flush=True)

    found: dict[str, Any] = {"short": short, "load_average": os.getloadavg()}
    try:
        with tempfile.TemporaryDirectory(prefix="bench-traffic-") as folder:
            measure(Path(folder), say, found, part, short=short, mesh=mesh)
    finally:
        # Also what was measured before something failed: half an hour is a lot to lose.
        found["elapsed_s"] = round(time.monotonic() - begun, 1)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=2) + "\n")
        rows = table(found)
        print("\n".join(rows), f"written to {out}", sep="\n")
    return 1 if any(row.endswith("MISSED") for row in rows) else 0


def measure(folder: Path, say: runs.Say, found: dict[str, Any], part: str, *, short: bool, mesh: bool) -> None:
    """Fill ``found``; ``part``: all, good or cuts."""
    if part in ("all", "good"):
        _good(folder, say, found, short=short)
    if part in ("all", "cuts"):
        _cuts(folder, say, found, short=short, mesh=mesh)


def _good(folder: Path, say: runs.Say, found: dict[str, Any], *, short: bool) -> None:
    name = f"bench-{os.getpid()}"
    apps = ("one", "two", "three")
    with place(name, apps, {app: app for app in apps}, folder) as here:
        say(f"{len(apps)} services in {name}")
        done = []
        for number in range(1 if short else 3):
            if number == 1:
                here.retries = 0
                here.use_retries(0)
            new = str(number + 2)
            done.append(runs.good(here, str(number + 1), new, 4 if short else 33, 50 if short else 150, say))
            found["good"] = runs.together(done)
            say(f"release {new}: {done[-1]['failed_requests']} of {done[-1]['requests']} requests failed")


def _cuts(folder: Path, say: runs.Say, found: dict[str, Any], *, short: bool, mesh: bool) -> None:
    name = f"bench-{os.getpid()}-bad"
    with place(name, ("one",), {f"s{number}": "one" for number in range(10)}, folder, retries=0) as here:
        say(f"10 routes over one service in {name}")
        cut = [
            item
            for fault in list(runs.FAULTS)[: 2 if short else None]
            for item in runs.cuts(here, fault, 2 if short else 5, 100, say)
        ]
        found["bad"] = {
            "cuts": len(cut),
            "routes": 10,
            "decision_to_last_canary_request_s": runs.spread(cut, "last_canary_after"),
            "decision_to_last_patch_s": runs.spread(cut, "patched"),
            "by_fault": {fault: runs.spread(part, "last_canary_after") for fault in runs.FAULTS
                         if (part := [item for item in cut if item["fault"] == fault])},
        }  # fmt: skip
        found["ten_services"] = runs.ten_services(here, 3 if short else 10)
        say("ten services in one call, each time a process of its own")
        hand = runs.by_hand(here, 1 if short else 3, 100)
        found["by_hand"] = {"start_to_last_canary_request_s": hand}
        if mesh:
            away = found["without_istiod"] = {}
            away["restarted"] = runs.without_control_plane(here, 0, 50, say)
            away["away"] = runs.without_control_plane(here, 15, 50, say)


def table(found: Mapping[str, Any]) -> list[str]:
    """One row per figure that has a limit, then the ones without."""
    rows = [f"{'figure':<52} {'measured':>12} {'limit':>8}"]
    for path, limit in LIMITS.items():
        value = _at(found, path.split("."))
        if value is None:
            rows.append(f"{path:<52} {'not run':>12} {limit:>8g}")
            continue
        rows.append(f"{path:<52} {value:>12g} {limit:>8g}  {'held' if value <= limit else 'MISSED'}")
    for path, least in LEAST.items():
        value = _at(found, path.split("."))
        held = "" if value is None or found.get("short") else "  held" if value >= least else "  MISSED"
        rows.append(f"{path:<52} {'not run' if value is None else value:>12} {f'>={least}':>8}{held}")
    for path in ("good.websockets_moved", "ten_services.reads", "ten_services.patches"):
        rows.append(f"{path:<52} {_at(found, path.split('.'))!s:>12}")
    return rows


def _at(found: Any, path: Sequence[str]) -> Any:
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


if __name__ == "__main__":
    sys.exit(main())
