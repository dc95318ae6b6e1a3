# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What can be known about a stage before it starts: is every selector answered, are the limits decidable."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate import explain
from ansible_collections.tars.rollout.plugins.module_utils._gate.forecast import Forecast, forecast
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Reading, Slo, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.buckets import at_or_above, at_or_below
from ansible_collections.tars.rollout.plugins.module_utils._metrics.freshness import Past
from ansible_collections.tars.rollout.plugins.module_utils._metrics.match import parts
from ansible_collections.tars.rollout.plugins.module_utils._metrics.prometheus import Prometheus, QueryFault
from ansible_collections.tars.rollout.plugins.module_utils._metrics.query import Selector, alternatives
from ansible_collections.tars.rollout.plugins.module_utils._metrics.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.report import NOT_YET

LOOK_BACK = 3600.0
DAY = "1d"
BOUND = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\+Inf")
_RANGE = re.compile(r"\[\s*((?:[0-9]+(?:ms|[smhdwy]))+)\s*(?::[^\]]*)?\]")
_PARTS = re.compile(r"([0-9]+)(ms|[smhdwy])")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def forecasts(session: Session, service: int, weight: float | None, history: float) -> list[Forecast]:
    """One per statistical objective of a service, from the traffic of the ``history`` seconds before the start."""
    spec = session.specs[service]
    result = []
    for slo in (slo for slo in spec.slos if slo.is_share):
        canary, stable = (
            session.store.past(service, slo.name, arm, history or math.inf) for arm in ("canary", "stable")
        )
        rates = [past.total / past.seconds for past in (canary, stable) if past.total > 0]
        share = stable.over / stable.total if stable.total > 0 else 0.0
        result.append(forecast(slo, spec, sum(rates) if rates else None, _weight(spec, weight), share))
    return result


def _weight(spec: Spec, weight: float | None) -> float | None:
    return 100.0 if weight is None and not spec.has_stable else weight


def findings(session: Session, service: int, prometheus: Prometheus, at: float, weight: float | None) -> list[str]:
    """One sentence per thing that a person should know before the stage starts."""
    spec = session.specs[service]
    found: list[str] = []
    readings = session.store.readings(service, at)
    for slo in spec.slos:
        past = {arm: session.store.past(service, slo.name, arm) for arm in ("canary", "stable", "any")}
        reading = readings[slo.name]
        if reading.problem:
            found.append(f"{slo.name}: {reading.problem[1]}")
        if not _native(reading):
            found += _missing(slo, spec, past, prometheus, at)
        found += _limits(slo, spec, past["stable"])
        if past["canary"].series or past["stable"].series:
            found += _buckets(slo, reading)
        interval = max(past.values(), key=lambda entry: entry.series).interval
        if interval > 1.5 * spec.scrape_s:
            found.append(f"{slo.name}: a sample every {interval:g} s was seen, scrape says {spec.scrape_s:g} s")
        found += _share_seen(slo, past, weight)
        found += _ranges(slo, spec)
    if spec.early_s is not None and spec.early_s >= spec.bake_s:
        early, bake = explain.duration(spec.early_s), explain.duration(spec.bake_s)
        found.append(f"early_pass of {early} is not before the end of the bake of {bake}: nothing passes earlier")
    if abs(prometheus.skew) > spec.scrape_s:
        found.append(f"the clock here and that of Prometheus are {abs(prometheus.skew):.0f} s apart")
    return found


def _native(reading: Reading) -> bool:
    return reading.canary.newest is None and reading.problem is not None


def _buckets(slo: Slo, reading: Reading) -> Iterator[str]:
    """A limit or a violation at which no bucket ends, with those beside it; of stable where there is no canary yet."""
    around = reading.around
    if around is None:
        return
    if not around.exact:
        yield f"{slo.name}: {explain.no_bucket(slo, 'limit', around)}"
    if slo.violation is not None and around.below_violation != around.above_violation:
        yield f"{slo.name}: {explain.no_bucket(slo, 'violation', around)}"


def _missing(slo: Slo, spec: Spec, past: dict[str, Past], prometheus: Prometheus, at: float) -> Iterator[str]:
    if slo.expr:
        return
    wanted = [slo.arm] if not slo.is_share else ["canary", *(["stable"] if _compared(slo, spec) else [])]
    for arm in wanted:
        if past[arm].series:
            continue
        asked = {*slo.match, *slo.bad, *(spec.arms.get(arm) or {})}
        try:
            has = set(prometheus.label_names(parts(slo)[0], at, LOOK_BACK))
        except QueryFault:
            has = set()
        if not has:
            seen = "the metric does not exist"
        elif asked - has:
            seen = f"it has no label {', '.join(sorted(asked - has))}, only {', '.join(sorted(has))}"
        else:
            asked_le = slo.match.get("le") or slo.bad.get("le")
            seen = _boundaries(slo, asked_le, prometheus, at) if asked_le else "its labels exist with other values"
        yield f"{slo.name}: {parts(slo)[0]} of {arm}: {NOT_YET} ({seen})"


def _boundaries(slo: Slo, asked: str, prometheus: Prometheus, at: float) -> str:
    """For a bucket that is named by hand and not there: those next to it, or the first ones where it is no number."""
    try:
        series = prometheus.instant(f"count by (le) ({slo.metric})", at).series
    except QueryFault:
        series = ()
    known = {float(text): text for item in series if BOUND.fullmatch(text := item.labels.get("le", ""))}
    if not known:
        return "its labels exist with other values"
    near = list(known)[:10]
    # As a regular expression a dot is written with a backslash.
    if BOUND.fullmatch(text := asked.replace("\\", "")):
        near = [b for b in (at_or_below(float(text), set(known)), at_or_above(float(text), set(known))) if b in known]
    return f'no bucket has le="{asked}", the nearest have {" and ".join(known[bound] for bound in sorted(near))}'


def _compared(slo: Slo, spec: Spec) -> bool:
    return spec.has_stable and slo.max_drift is not None


def _limits(slo: Slo, spec: Spec, stable: Past) -> Iterator[str]:
    if not slo.is_share or stable.total <= 0:
        return
    share = stable.bad / stable.total
    if share > slo.bound:
        yield f"{slo.name}: stable itself is at {100 * share:.3g} %, over {explain.allowed(slo)}"


def _share_seen(slo: Slo, past: dict[str, Past], weight: float | None) -> Iterator[str]:
    canary, stable = past["canary"], past["stable"]
    if not slo.is_share or weight is None or not canary.seconds or not stable.seconds:
        return
    rates = canary.total / canary.seconds, stable.total / stable.seconds
    total = sum(rates)
    if total <= 0 or canary.total < 100:
        return
    seen = 100 * rates[0] / total
    # Three standard errors, and never less than a fifth of what was planned.
    slack = max(300 * math.sqrt(weight / 100 * (1 - weight / 100) / (canary.total + stable.total)), weight / 5)
    if abs(seen - weight) > slack:
        yield f"{slo.name}: canary had {seen:.3g} % of the requests before the stage, planned are {weight:g} %"


def _ranges(slo: Slo, spec: Spec) -> Iterator[str]:
    """A range of fewer than four scrapes holds one sample or none when one is late: the answer is empty by chance."""
    for text in _RANGE.findall(slo.expr):
        seconds = sum(int(number) * _UNITS[unit] for number, unit in _PARTS.findall(text))
        if seconds < 4 * spec.scrape_s:
            yield f"{slo.name}: the range [{text}] is shorter than four scrapes of {spec.scrape_s:g} s"


def day(spec: Spec, prometheus: Prometheus, at: float) -> list[str]:
    """Ratios whose limit stable did not keep over the last day; one query each, so only where nobody waits."""
    found = []
    for slo in (slo for slo in spec.slos if slo.kind == "ratio" and spec.has_stable):
        own = {**spec.arms["stable"], **slo.match}
        asked = ({**own, **slo.bad}, {**dict.fromkeys(slo.bad, ".+"), **own}, own)
        texts = (Selector(frozenset(parts(slo)), alternatives(matchers)).text for matchers in asked)
        bad, told, whole = (f"sum(increase({text}[{DAY}]))" for text in texts)
        try:
            # As in the judgement: those without the label that tells bad requests count where no good one has it.
            query = f"{bad} / ({told} > {bad} or {whole})"
            share = prometheus.instant(query, at).value
        except QueryFault as fault:
            found.append(f"{slo.name}: stable's last day could not be read: {fault}")
            continue
        if share is not None and share > slo.bound:
            text = f"stable was at {100 * share:.3g} % over the last day, over {explain.allowed(slo)}"
            found.append(f"{slo.name}: {text}: a canary that is as good will not keep it")
    return found


def as_data(item: Forecast) -> dict[str, Any]:
    """A forecast for the result."""
    return {
        "slo": item.slo,
        "decidable": item.decidable,
        "expected_requests": None if item.expected is None else round(item.expected),
        "needed_requests": item.needed,
        "needed_seconds": None if item.seconds is None else round(item.seconds, 1),
        "needed_weight": None if item.weight is None else round(item.weight, 1),
        "text": item.text,
    }
