# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus that lives in the test, a clock that nobody waits for, and the module between them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop

START = 1_700_000_000.0
SLOS = {"errors": {"ratio": "requests_total", "limit": "2%", "violation": "5%", "max_drift": "10%"}}
GATE = {"service": "api", "arms": {"canary": {"track": "canary"}, "stable": {"track": "stable"}}, "slos": SLOS}


class Clock:
    def __init__(self) -> None:
        self.time = START

    def monotonic(self) -> float:
        return self.time

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float, doing: str) -> None:
        self.time += seconds


class FakePrometheus:
    """Answers raw reads from counters that are functions of time; scraped every 15 s, each pod at its own moment."""

    def __init__(self, clock: Clock, bad: float = 0.01, ahead: float = 0.0) -> None:
        self.clock = clock
        self.ahead = ahead
        self.bad = bad
        # Stable's share of bad requests over the last day.
        self.day = 0.01
        # A sample can be read so many seconds after its time stamp.
        self.ingest = 0.02
        self.seen: list[dict[str, Any]] = []
        self.before: Callable[[FakePrometheus, Mapping[str, Any]], Answer | None] = lambda _self, _form: None

    def call(self, method: str, path: str, *, form: Any = None, **_more: Any) -> Answer:
        self.seen.append({"path": path, **form})
        return self.before(self, form) or reply(self.body(path, form))

    def body(self, path: str, form: Mapping[str, Any]) -> Any:
        if path.endswith("labels"):
            return {"status": "success", "data": ["__name__", "track", "pod", "status"]}
        if form["query"] == "time()":
            now = self.clock.now() + self.ahead
            return {"status": "success", "data": {"resultType": "scalar", "result": [now, str(now)]}}
        if "[1d]" in form["query"]:
            row = {"metric": {}, "value": [float(form["time"]), str(self.day)]}
            return {"status": "success", "data": {"resultType": "vector", "result": [row]}}
        if form["query"].endswith("}"):
            return {"status": "success", "data": {"resultType": "vector", "result": []}}
        found = re.search(r"\[([0-9]+)ms\]$", form["query"])
        assert found is not None, form
        end = float(form["time"])
        result = [self.series(pod, track, status, end - int(found[1]) / 1000, end)
                  for pod, track in (("c-0", "canary"), ("s-0", "stable")) if track in form["query"]
                  for status in ("200", "500")]  # fmt: skip
        return {
            "status": "success",
            "data": {"resultType": "matrix", "result": [item for item in result if item["values"]]},
        }

    def series(self, pod: str, track: str, status: str, start: float, end: float) -> dict[str, Any]:
        rate, bad = (5.0, self.bad) if track == "canary" else (45.0, 0.01)
        share = bad if status == "500" else 1 - bad
        first = START - 3600 + (3 if track == "canary" else 9)
        times = [first + 15 * index for index in range(int((end - first) // 15) + 1)]
        readable = self.clock.time + self.ahead - self.ingest
        values = [[at, f"{int((at - first) * rate * share)}"] for at in times if start < at <= readable]
        return {
            "metric": {"__name__": "requests_total", "track": track, "pod": pod, "status": status},
            "values": values,
        }


def reply(body: Any, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {}, content, "http://prometheus/api/v1/query", 0.01)


class FakeFuse:
    def __init__(self, done: bool = True) -> None:
        self.done = done
        self.blown: list[str] = []

    def check(self) -> tuple[str, ...]:
        """Could always cut."""
        return ()

    def blow(self, reason: str) -> Mapping[str, Any]:
        self.blown.append(reason)
        return {
            "done": self.done,
            "routes": [],
            "after_s": 0.1,
            "patches": 1,
            "error": "" if self.done else "no answer",
        }


def judge(server: FakePrometheus, *, check: bool = False, fuse: Any = None, **params: Any) -> dict[str, Any]:
    warned: list[str] = []
    given = {
        "services": [GATE],
        "prometheus": {"url": "http://prometheus"},
        "bake": "5m",
        "baseline_history": "20m",
        "fail_on": ["rollback"],
        "region": "us-west-2",
        "step": "backend[1] 10 %",
        "stage": {"weight": 10},
        **params,
    }
    call = Call(given, check, warned.append, server.clock, Stop(), Progress(), Scrubber())
    return {**run(call, server, fuse), "warned": warned}
