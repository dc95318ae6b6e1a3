# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays cases through a real Prometheus: all their series in one, told apart by a label, judged by a replay."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from tars_servers.prometheus import PrometheusServer

from .faulty_proxy import FaultyProxy
from .gate_format import EPOCH, Case, Outcome, gate_file

LABEL = "gate_case"


class NoSleep:
    """The machine's clock, but nobody sleeps: pauses between tries only count."""

    def __init__(self) -> None:
        self._slept = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._slept

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float, doing: str) -> None:
        self._slept += seconds


def open_metrics(cases: Iterable[Case]) -> str:
    """The series of all cases as text for promtool."""
    return "\n".join([*(line for case in cases for line in _lines(case)), "# EOF", ""])


def _lines(case: Case) -> Iterator[str]:
    for item in case.get("series", ()):
        labels = ",".join(f'{key}="{value}"' for key, value in {**item["l"], LABEL: case["id"]}.items())
        for index, value in enumerate(item["v"]):
            if value is not None:
                yield f"{item['m']}{{{labels}}} {value} {EPOCH + item['t0'] + index * item['dt']:.3f}"


class RealPrometheus:
    """One server with the series of all cases, and a proxy before it."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self._server = PrometheusServer(samples=open_metrics(cases))
        self._server.start()
        self._proxy = FaultyProxy(self._server.url)

    def close(self) -> None:
        self._proxy.close()
        self._server.stop()

    def play(self, case: Case) -> Outcome:
        self._proxy.faults = {EPOCH + fault["t"]: fault for fault in case.get("faults", ())}
        self._proxy.offset = float(case.get("gate_clock_offset_s", 0))
        result = run(_call(case, self._proxy.url))
        return Outcome(
            result["verdict"], result["reason"], result["slo"], result["decided_after_s"], result["services"][0]["line"]
        )


def _call(case: Case, url: str) -> Call:
    spec = case["spec"]
    gate = gate_file(spec)
    own = {LABEL: case["id"]}
    gate["service"] = case["id"]
    gate["arms"] = {arm: {**matchers, **own} for arm, matchers in gate["arms"].items()}
    for slo in gate["slos"].values():
        slo["match"] = own
    params: Mapping[str, Any] = {
        "services": [gate],
        "prometheus": {"url": url},
        "baseline_history": "1h",
        "fail_on": [],
        "replay": {"start": str(EPOCH), "end": str(EPOCH + spec["bake_s"])},
        "region": "",
        "step": "",
    }
    return Call(params, False, lambda _text: None, NoSleep(), Stop(), Progress(), Scrubber())
