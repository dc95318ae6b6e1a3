# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own cases: latency, the data source and its clock, hard rules, several objectives."""

from __future__ import annotations

from .case_streams import (
    CANARY,
    FAST,
    LATENCY,
    STABLE,
    between,
    both,
    canary,
    cut,
    flat,
    histogram,
    series,
    steps,
)
from .case_table import (
    ALONE,
    CPU,
    FLAG,
    P95,
    PASS,
    RATIO,
    RESTARTS,
    back,
    errors,
    every,
    hold,
    table,
    warned,
)

CASES, case = table()

# --- latency
case("lat-fast", "far below the limit", PASS, histogram(FAST), P95, arms=ALONE)
case("lat-slow", "a fifth is slower than the limit", back(180, "ABOVE_LIMIT", slo="api_p95"),
     histogram({**FAST, "0.05": 0.5, "0.1": 0.8}), P95, arms=ALONE)  # fmt: skip
case("lat-between", "a limit between two buckets that nobody reaches", PASS, histogram(FAST),
     {**P95, "limit": 0.2, "violation": 0.4}, arms=ALONE)  # fmt: skip
case("lat-between-slow", "a limit between two buckets, all beyond the upper one",
     back(180, "ABOVE_LIMIT", slo="api_p95"), histogram({**FAST, "0.1": 0.3, "0.25": 0.6, "0.5": 0.8}),
     {**P95, "limit": 0.2, "violation": 0.5}, arms=ALONE)  # fmt: skip
case("lat-coarse", "everything lies in the bucket that holds the limit", hold("BUCKETS_TOO_COARSE", slo="api_p95"),
     histogram({"0.05": 0.1, "0.5": 1.0, "+Inf": 1.0}), P95, arms=ALONE)  # fmt: skip
case("lat-top", "everything is beyond the top bucket, far below the limit's name", hold("BUCKETS_TOO_COARSE"),
     histogram({"1": 0, "10": 0, "+Inf": 1.0}), {**P95, "limit": 300, "violation": 600}, arms=ALONE)  # fmt: skip
case("lat-below-top", "everything is in the buckets although the limit is above them", PASS,
     histogram({"1": 0.9, "10": 1.0, "+Inf": 1.0}), {**P95, "limit": 300, "violation": 600}, arms=ALONE)  # fmt: skip
case("lat-only-inf", "only a bucket +Inf", hold("BUCKETS_TOO_COARSE"), histogram({"+Inf": 1.0}), P95, arms=ALONE)
case("lat-no-total", "neither +Inf nor a count", hold("BUCKETS_TOO_COARSE"),
     histogram({"0.05": 0.9, "0.1": 0.99, "0.25": 1.0}), P95, arms=ALONE)  # fmt: skip
case("lat-count", "_count in place of +Inf, and slow", back(180, "ABOVE_LIMIT", slo="api_p95"),
     [*histogram({"0.05": 0.4, "0.1": 0.7, "0.25": 0.9}),
      *[{**s, "m": f"{LATENCY}_count", "l": {**CANARY, "pod": "canary-0"}} for s in histogram({"+Inf": 1.0})]],
     P95, arms=ALONE)  # fmt: skip
case(
    "lat-odd-text",
    "0.050, 0.10 and 1e+00 are numbers",
    PASS,
    histogram({"0.050": 0.95, "0.10": 0.985, "2.5e-01": 0.999, "1e+00": 1.0, "+Inf": 1.0}),
    P95,
    arms=ALONE,
)
case(
    "lat-text-per-pod",
    "two pods write the same boundary in two ways",
    PASS,
    [
        *histogram(FAST, 40),
        *histogram({"0.050": 0.95, "0.10": 0.985, "0.250": 0.998, "1.0": 1.0, "+Inf": 1.0}, 40, pod="canary-1"),
    ],
    P95,
    arms=ALONE,
)
case("lat-milliseconds", "buckets in milliseconds", PASS,
     histogram({"10": 0.5, "100": 0.98, "250": 1.0, "+Inf": 1.0}, metric="api_latency_milliseconds"),
     {**P95, "metric": "api_latency_milliseconds", "limit": 100, "violation": 250, "limit_text": "100ms"},
     arms=ALONE)  # fmt: skip
case(
    "lat-unnamed-milliseconds",
    "buckets in milliseconds that the name does not tell",
    back(180, "ABOVE_LIMIT", slo="api_p95"),
    histogram({"10": 0.5, "100": 0.8, "250": 1.0, "+Inf": 1.0}, metric="api_time"),
    {**P95, "metric": "api_time", "limit": 100, "violation": 250, "limit_text": "100 ms"},
    arms=ALONE,
)
case("lat-thin", "thirty observations", hold("THIN_DATA", slo="api_p95"), histogram(FAST, 0.75), P95, arms=ALONE)
case("lat-p99", "p99 above, p95 below the limit", back(400, "ABOVE_LIMIT", slo="api_p95"),
     histogram({**FAST, "0.1": 0.955, "0.25": 0.96}), {**P95, "quantile": 0.99}, arms=ALONE)  # fmt: skip
case("lat-p50", "half is allowed to be slower", PASS, histogram({**FAST, "0.025": 0.4, "0.05": 0.6, "0.1": 0.75,
     "0.25": 0.85}), {**P95, "quantile": 0.5}, arms=ALONE)  # fmt: skip
case("lat-drift", "within the limit and many times slower than stable", back(600, "WORSE_THAN_STABLE", slo="api_p95"),
     [*histogram({**FAST, "0.05": 0.8, "0.1": 0.965}, 300),
      *histogram({**FAST, "0.1": 0.996, "0.25": 0.999}, 900, labels=STABLE, pod="stable-0", t0=-300)],
     {**P95, "max_drift": 0.5, "on_drift": "rollback"})  # fmt: skip
case("lat-drift-same", "as slow as stable", PASS,
     [*histogram(FAST), *histogram(FAST, 600, labels=STABLE, pod="stable-0", t0=-300)],
     {**P95, "max_drift": 0.1, "on_drift": "rollback"})  # fmt: skip
case("lat-no-stable", "a drift is asked for and stable has no histogram", hold("BASELINE_MISSING", slo="api_p95"),
     histogram(FAST), {**P95, "max_drift": 0.1, "on_drift": "rollback"})  # fmt: skip
case("lat-nothing", "no histogram of that name", hold("NO_DATA"), canary(seed=90), P95, arms=ALONE)
case("lat-idle", "a histogram that does not grow", hold("NO_TRAFFIC"), histogram(FAST, 0), P95, arms=ALONE)
case("lat-hold", "slow with on_limit hold", hold("ABOVE_LIMIT", slo="api_p95"),
     histogram({**FAST, "0.05": 0.5, "0.1": 0.8}), {**P95, "on_limit": "hold"}, arms=ALONE)  # fmt: skip
case("lat-late", "slow from minute six on", back(540, "ABOVE_LIMIT", slo="api_p95"),
     histogram({**FAST, "0.05": between(360, 600, 0.3, 0.95), "0.1": between(360, 600, 0.5, 0.985)}), P95,
     arms=ALONE)  # fmt: skip

# --- the data source and its clock
case("src-one-error", "one poll fails", PASS, both(0.005, seed=100), faults=errors([300]))
case("src-minute", "a minute of 503", PASS, both(0.005, seed=101), faults=errors([150, 165, 180, 195]))
case("src-gone", "no answer from minute six on", hold("QUERY_ERROR"), both(0.005, seed=102),
     faults=errors(every(360, 600)))  # fmt: skip
case("src-gone-but-proven", "bad, and away only afterwards", back(180), both(0.1, seed=103),
     faults=errors(every(240, 600)))  # fmt: skip
case("src-away-at-first", "away for five minutes, and the data were bad all the time", back(360), both(0.1, seed=104),
     faults=errors(every(15, 300), 500, "internal"))  # fmt: skip
case("src-400", "every poll is refused", hold("QUERY_ERROR"), both(0.005, seed=105),
     faults=errors(every(15, 600), 400, "bad_data"))  # fmt: skip
case("src-429", "too many requests, every time", hold("QUERY_ERROR"), both(0.005, seed=106),
     faults=errors(every(15, 600), 429, "unavailable"))  # fmt: skip
case("src-warned-once", "a warning in one poll", PASS, both(0.005, seed=107), faults=warned([300]))
case("src-warned-and-bad", "every other poll has a warning, and the data are bad", back(240), both(0.1, seed=108),
     faults=warned(range(15, 600, 30)))  # fmt: skip
case("src-warned-at-end", "warnings from minute seven on", hold("PARTIAL_DATA"), both(0.005, seed=109),
     faults=warned(every(420, 600)))  # fmt: skip
case("src-mixed", "warnings, then errors, then data again", PASS, both(0.005, seed=110),
     faults=[*warned(every(150, 240)), *errors(every(255, 300))])  # fmt: skip
case("src-clock-ahead", "the gate's clock is a scrape ahead", PASS, both(0.005, seed=111), clock=14)
case("src-clock-behind", "the gate's clock is ten minutes behind", hold("CLOCK_SKEW"), both(0.005, seed=112),
     clock=-600)  # fmt: skip
case("src-up", "three pods are expected and up", PASS,
     [*both(0.005, seed=113, pods=3), *[flat("up", 1, pod=f"canary-{i}") for i in range(3)]],
     expect_pods={"canary": 3})  # fmt: skip
case("src-up-missing", "pods are expected and nobody reports up", hold("TARGETS_DOWN"), both(0.005, seed=114),
     expect_pods={"canary": 2})  # fmt: skip
case(
    "src-up-gone",
    "one pod left the discovery",
    hold("TARGETS_DOWN"),
    [*both(0.005, seed=115), flat("up", 1), *cut([flat("up", 1, pod="canary-1")], 240)],
    expect_pods={"canary": 2},
)
case("src-up-back", "one pod was down for a minute and is back", PASS,
     [*both(0.005, seed=116), flat("up", 1), steps("up", {240: 0, 300: 1}, pod="canary-1", first=1)],
     expect_pods={"canary": 2})  # fmt: skip
case("src-down-and-bad", "a pod is down and the others burn", back(240),
     [*both(0.1, seed=117), flat("up", 1), flat("up", 0, pod="canary-1")], expect_pods={"canary": 2})  # fmt: skip
case("src-stable-down", "a pod of stable is down", hold("TARGETS_DOWN"),
     [*both(0.005, seed=118), flat("up", 1), flat("up", 1, labels=STABLE, pod="stable-0"),
      flat("up", 0, labels=STABLE, pod="stable-1")], expect_pods={"canary": 1, "stable": 2})  # fmt: skip

# --- hard rules
case(
    "hard-count",
    "four restarts where three are allowed",
    back(450, "HARD_RULE", slo="restarts"),
    [*both(0.005, seed=120), steps(RESTARTS["metric"], {60: 1, 150: 2, 300: 3, 435: 4})],
    RATIO,
    RESTARTS,
)
case("hard-count-pods", "two restarts of each pod", back(450, "HARD_RULE", slo="restarts"),
     [steps(RESTARTS["metric"], {60: 1, 300: 2}), steps(RESTARTS["metric"], {150: 1, 435: 2}, pod="canary-1")],
     RESTARTS)  # fmt: skip
case("hard-count-lifetime", "seventy restarts long ago", PASS, [flat(RESTARTS["metric"], 70)], RESTARTS)
case("hard-count-replaced", "a pod with a past of its own takes over", PASS,
     [*cut([flat(RESTARTS["metric"], 2)], 200), *cut([flat(RESTARTS["metric"], 9, pod="canary-7")], 200, keep="after")],
     RESTARTS)  # fmt: skip
case("hard-count-nothing", "nobody counts restarts", hold("NO_DATA", slo="restarts"), both(0.005, seed=121), RATIO,
     RESTARTS)  # fmt: skip
case("hard-count-zero", "one where none is allowed", back(300, "HARD_RULE", slo="restarts"),
     [steps(RESTARTS["metric"], {285: 1})], {**RESTARTS, "limit": 0})  # fmt: skip
case("hard-gauge-long", "over the limit for seven minutes", back(420, "HARD_RULE", slo="cpu"),
     [steps(CPU["metric"], {60: 0.99, 480: 0.5}, first=0.5)], CPU)  # fmt: skip
case("hard-gauge-short", "over the limit for four minutes", PASS,
     [steps(CPU["metric"], {60: 0.99, 300: 0.5}, first=0.5)], CPU)  # fmt: skip
case("hard-gauge-interrupted", "twice four minutes with a break", PASS,
     [steps(CPU["metric"], {60: 0.99, 300: 0.5, 315: 0.99, 555: 0.5}, first=0.5)], CPU)  # fmt: skip
case(
    "hard-gauge-pods",
    "the worst pod counts, whichever it is",
    back(420, "HARD_RULE", slo="cpu"),
    [
        steps(CPU["metric"], {60: 0.99, 240: 0.5}, first=0.5),
        steps(CPU["metric"], {240: 0.98}, first=0.5, pod="canary-1"),
    ],
    CPU,
)
case("hard-gauge-at-limit", "exactly at the limit is not over it", PASS, [flat(CPU["metric"], 0.95)], CPU)
case("hard-gauge-once", "a flag that is up at one scrape", back(300, "HARD_RULE", slo="regression"),
     [steps(FLAG["metric"], {285: 1, 300: 0})], FLAG)  # fmt: skip
case("hard-gauge-stale", "the gauge stops at minute six", hold("STALE_DATA", slo="cpu"),
     cut([flat(CPU["metric"], 0.4)], 360), CPU)  # fmt: skip
case("hard-gauge-nan", "the gauge turns into NaN", hold("STALE_DATA", "NO_DATA", slo="cpu"),
     [steps(CPU["metric"], {300: "NaN"}, first=0.4)], CPU)  # fmt: skip
case("hard-gauge-inf", "an infinite value", back(120, "HARD_RULE", slo="regression"),
     [steps(FLAG["metric"], {105: "+Inf"})], FLAG)  # fmt: skip
case("hard-gauge-other-arm", "only stable's gauge is over", PASS,
     [flat(CPU["metric"], 0.4), flat(CPU["metric"], 1.5, labels=STABLE, pod="stable-0")], CPU)  # fmt: skip
case(
    "hard-gauge-any",
    "arm any takes every series",
    back(330, "HARD_RULE", slo="cpu"),
    [flat(CPU["metric"], 0.4), flat(CPU["metric"], 1.5, labels={"server": "db"}, pod="x")],
    {**CPU, "arm": "any"},
)
case(
    "hard-gauge-holes",
    "over the limit, and every third scrape is lost",
    back(480, "HARD_RULE", slo="cpu"),
    [series(CPU["metric"], {**CANARY, "pod": "c"}, [None if i % 3 == 0 else 0.99 for i in range(41)])],
    CPU,
)

# --- several objectives
LAX = {**RATIO, "name": "success", "limit": 0.05, "violation": 0.1, "max_drift": None}
SIX = (RATIO, P95, LAX, RESTARTS, CPU, FLAG)
QUIET = [*histogram(FAST), flat(RESTARTS["metric"], 0), flat(CPU["metric"], 0.4), flat(FLAG["metric"], 0)]
case("multi-fine", "six objectives, all well", PASS, [*both(0.005, seed=130), *QUIET], *SIX)
case("multi-one-bad", "six objectives, the errors burn", back(300), [*both(0.12, seed=131), *QUIET], *SIX)
case("multi-bad-and-missing", "errors burn, the flag was never reported", back(300),
     [*both(0.12, seed=132), *QUIET[:-1]], *SIX)  # fmt: skip
case("multi-flag", "all is well but the flag", back(75, "HARD_RULE", slo="regression"),
     [*both(0.005, seed=133), *QUIET[:-1], steps(FLAG["metric"], {60: 1})], *SIX)  # fmt: skip
case("multi-twenty", "twenty objectives on the same healthy requests", PASS, both(0.008, seed=134, rps=10),
     *({**RATIO, "name": f"errors-{i}"} for i in range(20)))  # fmt: skip
case("multi-order", "a failing source hides what is thin", hold("QUERY_ERROR"), both(0, seed=135, rps=0.05),
     faults=errors(every(420, 600)))  # fmt: skip
