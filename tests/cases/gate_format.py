# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the case format gate-cases/1, and plays a case against the gate as Prometheus would answer it.

Any legal file is read: ids, order and optional keys are free, null is the same as absent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate import gatefile, keys, units
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries
from ansible_collections.tars.rollout.plugins.module_utils._metrics.session import Poll, Session

FORMAT = "gate-cases/1"
# Second 0 of every case, at the clock of Prometheus; far from zero, as real time stamps are.
EPOCH = 1_760_000_000.0
PER_SECOND = {"ms": 1000.0, "s": 1.0}
Case = Mapping[str, Any]


def load(path: Path) -> list[Case]:
    """All cases of a file, or of all .json files of a folder that have the format; never quietly none."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    cases = [case for file in files for case in _cases(file, alone=not path.is_dir())]
    if not cases:
        raise ValueError(f"{path} holds no case of the format {FORMAT}")
    return cases


def _cases(file: Path, *, alone: bool) -> Iterator[Case]:
    data = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(data, dict) and data.get("format") == FORMAT:
        yield from data["cases"]
    elif isinstance(data, dict) and {"id", "spec", "expect"} <= data.keys():
        yield data
    elif isinstance(data, list) and data and all(isinstance(item, dict) and "spec" in item for item in data):
        yield from data
    elif alone:
        raise ValueError(f"{file} has not the format {FORMAT}")


def gate_file(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The gate file that says the same as a case's spec, key by key as in the table."""
    result: dict[str, Any] = {"gate": "v1", "slos": {slo["name"]: _slo(slo) for slo in spec["slos"]}}
    for ours, theirs in keys.GATE.items():
        if theirs == "slos" or spec.get(theirs) is None:
            continue
        value = spec[theirs]
        if ours.startswith("defaults."):
            typed = _percent(value) if theirs in ("alpha", "beta") else f"{value!r}s"
            result.setdefault("defaults", {})[ours.removeprefix("defaults.")] = typed
        else:
            result[ours] = {arm: entry for arm, entry in value.items() if entry is not None}
    return result


def _slo(slo: Mapping[str, Any]) -> dict[str, Any]:
    kind, metric = slo["type"], slo["metric"]
    unit = _unit(slo) if kind == "latency" else ""
    result: dict[str, Any] = {kind: metric, **({"unit": unit} if unit else {})}
    for ours, theirs in keys.SLO.items():
        # Words of other kinds mean nothing here; a case may still say them.
        if theirs in ("name", "type", "metric") or slo.get(theirs) is None or ours not in gatefile.KEYS[kind]:
            continue
        result[ours] = _typed(kind, theirs, slo[theirs], PER_SECOND.get(unit) or units.per_second(metric))
    if unit:
        result["limit"] = slo["limit_text"]
    return result


def _unit(slo: Mapping[str, Any]) -> str:
    """The unit of the buckets, where the limit is there as it was written and as a number."""
    try:
        written = units.seconds(slo.get("limit_text"))
    except units.UnitError:
        return ""
    fitting = (unit for unit, factor in (("s", 1), ("ms", 1000)) if math.isclose(written * factor, slo["limit"]))
    return next(fitting, "")


def _typed(kind: str, key: str, value: Any, per_second: float) -> Any:
    if key in ("limit", "violation") and kind == "ratio":
        return _percent(value)
    if key in ("limit", "violation") and kind == "latency":
        return f"{value / per_second!r}s"
    if key == "max_drift":
        return _percent(value)
    if key == "for_s":
        return f"{value!r}s"
    return f"p{round(value * 100, 7):g}" if key == "quantile" else value


def _percent(value: float) -> str:
    return f"{value * 100!r}%"


def spec_of(case: Case) -> Spec:
    return gatefile.parse(gate_file(case["spec"]))


@dataclass(frozen=True)
class Outcome:
    verdict: str
    reason: str
    slo: str
    at: float
    text: str


class CaseSource:
    """Answers polls from the series of a case, with its faults."""

    def __init__(self, case: Case) -> None:
        self._series = list(series_of(case))
        self._faults = faults_of(case)
        self._skew = float(case.get("gate_clock_offset_s") or 0)

    def read(self, at: float) -> Poll:
        fault = self._faults.get(round(at - EPOCH, 3))
        if fault is not None and fault["kind"] == "error":
            return Poll(fault=("QUERY_ERROR", f"HTTP {fault.get('http')} {fault.get('errorType')}"))
        if fault is not None:
            return Poll(fault=("PARTIAL_DATA", str(fault.get("text"))))
        return Poll(self.upto(at), skew=self._skew)

    def upto(self, at: float) -> list[RawSeries]:
        seen = ((m, labels, [s for s in samples if s[0] <= at]) for m, labels, samples in self._series)
        return [RawSeries(m, labels, samples) for m, labels, samples in seen if samples]


def faults_of(case: Case) -> dict[float, Mapping[str, Any]]:
    """What the polls of the judgement meet, by second; at second 0 nothing is judged yet."""
    return {round(float(fault["t"]), 3): fault for fault in case.get("faults") or () if fault["t"] > 0}


def series_of(case: Case) -> list[tuple[str, dict[str, str], list[tuple[float, float]]]]:
    """(metric, labels, samples in order of time); one entry for each series, however many pieces a case has of it."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], dict[float, float]] = {}
    for item in case.get("series") or ():
        labels = frozenset((str(key), str(value)) for key, value in (item.get("l") or {}).items())
        samples = found.setdefault((item["m"], labels), {})
        for index, value in enumerate(item["v"]):
            if value is not None:
                samples[EPOCH + item.get("t0", 0) + index * item["dt"]] = float(value)
    return [(name, dict(labels), sorted(samples.items())) for (name, labels), samples in found.items()]


def play(case: Case) -> Outcome:
    """Judge a case scrape by scrape."""
    spec, source = spec_of(case), CaseSource(case)
    session = Session([spec], source, EPOCH)
    session.prime(source.upto(EPOCH))
    number = 0
    while not session.standings or not session.decided:
        number += 1
        now = min(number * spec.scrape_s, spec.bake_s)
        session.step(EPOCH + now)
    standing = session.standings[0]
    return Outcome(standing.verdict, standing.reason, standing.slo, now, standing.text)
