# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate's figures on simulated traffic: prints a table and writes build/bench/gate.json.

Returns 1 when a promise is missed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from gate_sim import Stage, Tell, runs
from promised import Promise, at_most, ended

ROWS: tuple[tuple[str, Stage, bool], ...] = (
    ("anchor: 50 rps x 10 %, canary 6 %", Stage(canary=0.06), False),
    ("healthy", Stage(), True),
    ("healthy, bursty .005", Stage(burstiness=0.005), True),
    ("healthy, bursty .02", Stage(burstiness=0.02), True),
    ("healthy, both arms 20 % for 60 s", Stage(shock=(12, 16, 0.2, "cb")), True),
    ("healthy, canary 20 % in one scrape", Stage(shock=(12, 13, 0.2, "c")), True),
    ("at the edge of the drift", Stage(canary=0.011), True),
    ("canary 3 %", Stage(canary=0.03), False),
    ("canary 6 % from minute 5 on", Stage(shock=(20, 40, 0.06, "c")), False),
    ("anchor, 5 s scrapes", Stage(canary=0.06, scrape_s=5), False),
    ("5 rps x 10 %, canary 6 %", Stage(rps=5, canary=0.06), False),
    ("500 rps x 1 %, canary 6 %", Stage(rps=500, weight=0.01, canary=0.06), False),
    ("lab: 50 rps x 25 %, 60 s, 5 s, canary 6 %", Stage(weight=0.25, canary=0.06, scrape_s=5, bake_s=60), False),
)


def row(name: str, healthy: bool, tell: Tell) -> dict[str, Any]:
    seconds = {} if healthy else {"median_s": tell.quantile(0.5), "p95_s": tell.quantile(0.95)}
    return {
        "name": name,
        "runs": tell.runs,
        "healthy": healthy,
        "rollback": tell.rollbacks / tell.runs,
        "pass": tell.passes / tell.runs,
        **{key: value if value < 1e9 else None for key, value in seconds.items()},
    }


def summary(table: list[dict[str, Any]]) -> dict[str, Any]:
    """What is written down: the rows, and the first line with the false rollbacks of the healthy one."""
    anchor, calm = table[0], table[1]
    first = {"median_s": anchor["median_s"], "p95_s": anchor["p95_s"], "false_rollback": calm["rollback"]}
    return {"anchor": first, "rows": table}


def promises(result: dict[str, Any]) -> list[Promise]:
    """What is promised of these figures, and whether it was kept."""
    anchor = result["anchor"]
    healthy = [row for row in result["rows"] if row["healthy"]]
    return [
        ("the anchor's median <= 60 s", at_most(anchor["median_s"], 60)),
        ("the anchor's p95 <= 90 s", at_most(anchor["p95_s"], 90)),
        ("false rollback of healthy runs <= 0.5 %", at_most(anchor["false_rollback"], 0.005)),
        *((f"false rollback of {row['name']} <= 1 %", at_most(row["rollback"], 0.01)) for row in healthy),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/bench/gate.json"))
    options = parser.parse_args()
    table = []
    print(f"{'stage':44} {'rollback':>9} {'pass':>7} {'median':>8} {'p95':>8}")
    for name, stage, healthy in ROWS:
        before = time.process_time()
        found = row(name, healthy, runs(stage, options.runs, options.seed))
        found["cpu_ms_per_run"] = round(1000 * (time.process_time() - before) / options.runs, 2)
        table.append(found)
        times = [f"{found.get(key) or 0:6.0f} s" if found.get(key) else "       -" for key in ("median_s", "p95_s")]
        print(f"{name:44} {found['rollback']:9.2%} {found['pass']:7.1%} {times[0]} {times[1]}", flush=True)
    result = summary(table)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return ended(promises(result))


if __name__ == "__main__":
    raise SystemExit(main())
