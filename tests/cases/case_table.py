# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decision cases of the project's own, in the format gate-cases/1.

What is expected follows from docs/gates.md alone: the counts that went into a case say what is true of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .case_streams import (
    BAKE,
    CANARY,
    DT,
    LATENCY,
    REQUESTS,
    STABLE,
    Series,
    between,
)

RATIO = {"name": "error_rate", "type": "ratio", "metric": REQUESTS, "bad": {"status": "5.."}, "limit": 0.02,
         "violation": 0.05, "max_drift": 0.1, "on_limit": "rollback", "on_drift": "rollback"}  # fmt: skip
P95 = {"name": "api_p95", "type": "latency", "metric": LATENCY, "quantile": 0.95, "limit": 0.1, "violation": 0.25,
       "max_drift": None, "on_limit": "rollback"}  # fmt: skip
CPU = {"name": "cpu", "type": "gauge", "metric": "cpu_utilisation_ratio", "limit": 0.95, "for_s": 300}
FLAG = {"name": "regression", "type": "gauge", "metric": "regression_detected", "limit": 0, "for_s": 0}
RESTARTS = {"name": "restarts", "type": "count", "metric": "kube_pod_container_status_restarts_total", "limit": 3}
BOTH, ALONE = {"canary": CANARY, "stable": STABLE}, {"canary": CANARY}
SPEC = {"bake_s": BAKE, "settle_s": 0, "scrape_s": DT, "alpha": 0.01, "beta": 0.05}
# A third of the requests in the first minutes, one in twenty later.
BURST = between(0, 270, 0.35, 0.05)
PASS = {"verdict": "pass", "reasons": ["OK"]}


def hold(*reasons: str, **more: Any) -> dict[str, Any]:
    return {"verdict": "hold", "reasons": list(reasons), **more}


def back(by_s: float, *reasons: str, slo: str = "error_rate") -> dict[str, Any]:
    return {"verdict": "rollback", "reasons": list(reasons or ("WORSE_THAN_STABLE", "ABOVE_LIMIT")), "slo": slo,
            "by_s": by_s}  # fmt: skip


def table() -> tuple[list[dict[str, Any]], Callable[..., None]]:
    """An empty list of cases, and what adds one to it: id, title, expectation, series, objectives and the rest."""
    cases: list[dict[str, Any]] = []

    def case(name: str, title: str, expect: dict[str, Any], found: Iterable[Series], *slos: dict[str, Any],
             arms: Any = None, faults: Any = None, clock: float | None = None, **spec: Any) -> None:  # fmt: skip
        entry: dict[str, Any] = {"id": name, "title": title, "tags": name.split("-")[:1]}
        entry["spec"] = {**SPEC, "arms": arms or BOTH, "slos": list(slos or (RATIO,)), **spec}
        if faults:
            entry["faults"] = faults
        if clock is not None:
            entry["gate_clock_offset_s"] = clock
        cases.append({**entry, "expect": expect, "series": list(found)})

    return cases, case


def errors(times: Iterable[float], http: int = 503, kind: str = "timeout") -> list[dict[str, Any]]:
    return [{"t": t, "kind": "error", "http": http, "errorType": kind} for t in times]


def warned(times: Iterable[float]) -> list[dict[str, Any]]:
    return [{"t": t, "kind": "warning", "text": "a store did not answer"} for t in times]


def every(start: float, end: float) -> range:
    return range(int(start), int(end) + 1, DT)
