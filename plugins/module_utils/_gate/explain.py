# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The sentences of the gate. Each completes a line that begins with verdict and objective; figures first."""

from __future__ import annotations

import math
from functools import lru_cache

from ansible_collections.tars.rollout.plugins.module_utils._gate import laws
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Around, Slo, Tally


def share(part: float, whole: float) -> str:
    """A share as people write it: "6.1 %"; no digits where there is nothing to divide."""
    if whole <= 0:
        return "no requests"
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 0.95 else f"{percent:.2g} %"


def odds(log: float) -> str:
    """Evidence as "412:1"; beyond a million as a power of ten."""
    if log > math.log(1e6):
        return f"10^{log / math.log(10):.0f}:1"
    return f"{math.exp(log):,.3g}:1" if log < math.log(10) else f"{math.exp(log):,.0f}:1"


def duration(seconds: float) -> str:
    """Seconds as "95 s", "12 min" or "3 h"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def duration_at_least(seconds: float) -> str:
    """The same rounded up, for what would be too short if it were rounded down."""
    step = 1 if seconds <= 119 else 60 if seconds < 7140 else 360
    return duration(math.ceil(seconds / step) * step)


def latency(slo: Slo, value: float | None) -> str:
    """A latency with its unit."""
    if value is None:
        return "the next bucket"
    seconds = value / slo.per_second
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def _quantile(slo: Slo) -> str:
    return f"p{100 * slo.quantile:g}"


def requests(slo: Slo, total: Tally) -> str:
    """ "23 of 378 canary requests failed (6.1 %)", with stable's share where there is one."""
    what = "failed" if slo.kind == "ratio" else f"took longer than {latency(slo, slo.limit)}"
    text = f"{total.bad:,.0f} of {total.n:,.0f} canary requests {what} ({share(total.bad, total.n)})"
    if total.m > 0:
        text += f", stable {total.base:,.0f} of {total.m:,.0f} ({share(total.base, total.m)})"
    return text


def allowed(slo: Slo) -> str:
    """What the limit says, as a claim that evidence can speak against."""
    if slo.kind == "ratio":
        return f'"at most {slo.limit:.3g}"' if slo.limit > 1 else f'"at most {100 * slo.limit:.3g} %"'
    return f'"{_quantile(slo)} at most {latency(slo, slo.limit)}"'


def violated(slo: Slo) -> str:
    """What a pass must exclude."""
    if slo.kind == "ratio":
        return f"{100 * slo.excluded:.3g} % or more"
    return f"{_quantile(slo)} > {latency(slo, slo.violation)}"


def worse(slo: Slo, total: Tally, log: float, needed: float) -> str:
    drift = f"{100 * (slo.max_drift or 0):.3g} %"
    return f'{requests(slo, total)}; {odds(log)} against "at most {drift} worse", needed {odds(needed)}'


def worse_at_end(slo: Slo, total: Tally, p: float, needed: float) -> str:
    drift = f"{100 * (slo.max_drift or 0):.3g} %"
    return (
        f"{requests(slo, total)}; over the whole bake the chance of that under "
        f'"at most {drift} worse" is {p:.2g}, {needed:.2g} decides'
    )


def above(slo: Slo, total: Tally, log: float, needed: float) -> str:
    return f"{requests(slo, total)}; {odds(log)} against {allowed(slo)}, needed {odds(needed)}"


def certified(slo: Slo, total: Tally, beta: float) -> str:
    return f"{requests(slo, total)}; {violated(slo)} is excluded at {100 * (1 - beta):g} %"


def unhealthy(slo: Slo, total: Tally) -> str:
    return f"{requests(slo, total)}; stable itself is over {allowed(slo)}, so the canary cannot be judged by it"


def coarse(slo: Slo, total: Tally, around: Around | None) -> str:
    """Between which buckets the answer is lost: those around the limit, or around the violation."""
    at_violation = around is not None and around.exact
    what, value = ("violation", slo.violation) if at_violation else ("limit", slo.limit)
    most, least = (total.over, total.under) if at_violation else (total.high, total.bad)
    return (
        f"of {total.n:,.0f} canary requests {most:,.0f} may have taken longer than {latency(slo, value)}, "
        f"{least:,.0f} surely did: {no_bucket(slo, what, around)}"
    )


def no_bucket(slo: Slo, what: str, around: Around | None) -> str:
    """ "no bucket ends at the limit of 120 ms, the nearest at 100 ms and 250 ms: ...". ``what``: limit or violation."""
    below, above, value = math.nan, math.nan, slo.limit if what == "limit" else slo.violation
    if around is not None:
        below, above = around[:2] if what == "limit" else around[2:]
    named = [latency(slo, bound) for bound in (below, above) if math.isfinite(bound)]
    seen = f", the nearest at {' and '.join(named)}" if len(named) == 2 else ""
    if len(named) == 1:
        seen = f", the {'last' if math.isfinite(below) else 'first'} one at {named[0]}"
    elif around is not None and not named:
        seen = ", there is none but +Inf"
    of = f" of {latency(slo, value)}" if value is not None else ""
    move = f"move the {what} to one that is there" if named else "add buckets around it"
    return f"no bucket ends at the {what}{of}{seen}; {move}{', or add one' if named else ''}"


def thin(slo: Slo, total: Tally, elapsed: float, beta: float) -> str:
    """How many requests are needed, and how long that takes at the rate seen so far."""
    need = clean_requests(slo.excluded, beta)
    noun = "observations" if slo.kind == "latency" else "canary requests"
    seen = f"{total.n:,.0f} {noun}"
    if total.n < need:
        text = f"{seen}, {need:,.0f} needed to exclude {violated(slo)}"
        rate = total.n / elapsed if elapsed > 0 else 0.0
        return f"{text}; at the current rate that takes {duration(need / rate)}" if rate > 0 else text
    return f"{requests(slo, total)}; {violated(slo)} is not excluded yet"


# Asked for at every look of every objective, with the same few answers.
@lru_cache(maxsize=256)
def clean_requests(violation: float, beta: float) -> int:
    """How many requests without a bad one exclude the violation."""
    low, high = 1, 2
    while laws.average(laws.exclusion_increments(0, high, violation)) < laws.threshold(beta):
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if laws.average(laws.exclusion_increments(0, middle, violation)) < laws.threshold(beta):
            low = middle + 1
        else:
            high = middle
    return high


def _metric(slo: Slo) -> str:
    return slo.metric or "the expression"


def no_data(slo: Slo, arm: str) -> str:
    where = "" if arm == "any" else f" of {arm}"
    return f"{_metric(slo)} has no sample{where} since the judgement began; silence is not health"


def native(slo: Slo, arm: str) -> str:
    """A histogram without buckets, where a number or buckets were asked for: what to write instead."""
    where = "" if arm == "any" else f" of {arm}"
    if slo.expr:
        instead = "take a number of it, such as histogram_quantile(0.95, ...) or 1 - histogram_fraction(0, 0.1, ...)"
        return f"the expression answers a native histogram, which is no number; {instead}"
    rate = f"sum(rate({slo.metric}[5m]))"
    if slo.kind == "latency":
        share = f"1 - histogram_fraction(0, {slo.limit:g}, {rate})"
        seen = "is a native histogram and has no buckets"
        instead = f"let Prometheus keep the classic ones (always_scrape_classic_histograms), or write expr: {share}"
        return f"{slo.metric}{where} {seen}; {instead} with limit: {100 * slo.bound:g}%"
    return (
        f"{slo.metric}{where} is a native histogram, which is no number; "
        f"name a counter or a gauge, or write an expr such as histogram_quantile(0.95, {rate})"
    )


def stale(slo: Slo, arm: str, age: float) -> str:
    where = "" if arm == "any" else f" of {arm}"
    return f"the newest sample of {_metric(slo)}{where} is {duration(age)} old"


def no_traffic(slo: Slo, series: int) -> str:
    return f"{_metric(slo)} has {series} series of canary and counted no request"


def silent(slo: Slo, seconds: float) -> str:
    return f"canary has had no request for {duration(seconds)}, after it had some: look at the route"


def no_baseline_traffic(slo: Slo) -> str:
    return f"{_metric(slo)} counted no request of stable to compare with"


def _value(slo: Slo, value: float) -> str:
    return f"{value:.6g}, limit {slo.limit:.6g}"


def gauge(slo: Slo, value: float) -> str:
    return f"worst value {_value(slo, value)}"


def gauge_broken(slo: Slo, value: float) -> str:
    return f"worst value {_value(slo, value)}" + (f", at every scrape for {slo.for_s:g} s" if slo.for_s else "")


def count(slo: Slo, total: float) -> str:
    return f"{total:g} since the judgement began, at most {slo.limit:g} allowed"


def pods(arm: str, up: int, expected: int) -> str:
    return f"{up} of {expected} pods of {arm} are up"
