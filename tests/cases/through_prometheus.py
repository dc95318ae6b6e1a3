# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays cases through a real Prometheus: all their series in one, told apart by a label, judged by a replay."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from tars_servers.prometheus import PrometheusServer

from .faulty_proxy import FaultyProxy
from .gate_format import EPOCH, Case, Outcome, faults_of, gate_file, series_of, spec_of

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
    return "\n".join([*(line for number, case in enumerate(cases) for line in _lines(str(number), case)), "# EOF", ""])


def _lines(number: str, case: Case) -> Iterator[str]:
    for name, own, samples in series_of(case):
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in {**own, LABEL: number}.items())
        for at, value in samples:
            yield f"{name}{{{labels}}} {_number(value)} {at:.3f}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return f"{value!r}" if math.isfinite(value) else f"{value:+}".replace("inf", "Inf")


class RealPrometheus:
    """One server with the series of all cases, and a proxy before it."""

    def __init__(self, cases: Sequence[Case]) -> None:
        # Cases are told apart by their number: two may have one id.
        self._numbers = {id(case): str(number) for number, case in enumerate(cases)}
        self._server = PrometheusServer(samples=open_metrics(cases))
        self._server.start()
        self._proxy = FaultyProxy(self._server.url)

    def close(self) -> None:
        self._proxy.close()
        self._server.stop()

    def play(self, case: Case) -> Outcome:
        self._proxy.faults = {EPOCH + t: fault for t, fault in faults_of(case).items()}
        self._proxy.offset = float(case.get("gate_clock_offset_s") or 0)
        result = run(_call(case, self._numbers[id(case)], self._proxy.url))
        return Outcome(
            result["verdict"], result["reason"], result["slo"], result["decided_after_s"], result["services"][0]["line"]
        )


def _call(case: Case, number: str, url: str) -> Call:
    spec = case["spec"]
    gate = gate_file(spec)
    own = {LABEL: number}
    gate["service"] = str(case.get("id") or number)
    gate["arms"] = {arm: {**matchers, **own} for arm, matchers in gate["arms"].items()}
    for slo in gate["slos"].values():
        slo["match"] = own
    params: Mapping[str, Any] = {
        "services": [gate],
        "prometheus": {"url": url},
        "baseline_history": "1h",
        "fail_on": [],
        "replay": {"start": str(EPOCH), "end": str(EPOCH + spec_of(case).bake_s)},
        "region": "",
        "step": "",
    }
    return Call(params, False, lambda _text: None, NoSleep(), Stop(), Progress(), Scrubber())
