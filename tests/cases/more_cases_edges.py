# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own cases: edges. What is scraped more rarely than it is polled, and what lies just on either side."""

from __future__ import annotations

from .case_streams import (
    CANARY,
    FAST,
    LATENCY,
    REQUESTS,
    STABLE,
    Series,
    between,
    both,
    canary,
    histogram,
    restarted,
    series,
    stable,
    steps,
)
from .case_table import ALONE, CPU, FLAG, P95, PASS, RESTARTS, back, errors, every, hold, table, warned

CASES, case = table()
GAUGE, RS = CPU["metric"], RESTARTS["metric"]

# --- hard rules


def every_60(values: list[float | None]) -> Series:
    return series(GAUGE, {**CANARY, "pod": "c"}, values, 0, 60)


case(
    "hard-slow-gauge",
    "a gauge scraped every minute, over the limit all the time, for 5m",
    back(420, "HARD_RULE", slo="cpu"),
    [every_60([0.99] * 11)],
    CPU,
)
case(
    "hard-slow-gauge-gap",
    "a gauge scraped every minute, two of the breaches missing in a row of 8 min",
    back(600, "HARD_RULE", slo="cpu"),
    [every_60([0.99, 0.99, 0.99, None, None, 0.99, 0.99, 0.99, 0.99, 0.99, 0.99])],
    CPU,
)
case(
    "hard-for-exact",
    "over for exactly five minutes and one scrape",
    back(405, "HARD_RULE", slo="cpu"),
    [steps(GAUGE, {105: 0.99, 420: 0.5}, first=0.5)],
    CPU,
)
case(
    "hard-for-one-less",
    "over for one scrape less than five minutes",
    PASS,
    [steps(GAUGE, {105: 0.99, 405: 0.5}, first=0.5)],
    CPU,
)
case(
    "hard-nan-inside",
    "NaN within a long breach neither counts nor heals",
    back(450, "HARD_RULE", slo="cpu"),
    [steps(GAUGE, {60: 0.99, 150: "NaN", 180: 0.99}, first=0.5)],
    CPU,
)
case(
    "hard-read-late",
    "the flag is up while nobody can read; the samples are there later",
    back(330, "HARD_RULE", slo="regression"),
    [steps(FLAG["metric"], {240: 1, 255: 0})],
    FLAG,
    faults=errors(every(225, 300)),
)
case(
    "hard-old-breach",
    "over the limit only before the bake",
    PASS,
    [series(GAUGE, {**CANARY, "pod": "c"}, [0.99] * 21 + [0.4] * 40, -300)],
    CPU,
)
case(
    "hard-count-same-name",
    "a pod of the same name begins at zero again",
    PASS,
    [steps(RS, {120: 1, 240: 0, 300: 1}, first=0)],
    RESTARTS,
)
case(
    "hard-count-reset-many",
    "counter 2, reset, 2 again: four in all",
    back(480, "HARD_RULE", slo="restarts"),
    [steps(RS, {60: 1, 120: 2, 240: 0, 300: 1, 465: 2})],
    RESTARTS,
)
case(
    "hard-count-read-late",
    "four restarts while nobody can read",
    back(330, "HARD_RULE", slo="restarts"),
    [steps(RS, {240: 4})],
    RESTARTS,
    faults=errors(every(225, 300)),
)
case(
    "hard-count-at-first",
    "four restarts between the first sample before and the first within",
    back(30, "HARD_RULE", slo="restarts"),
    [series(RS, {**CANARY, "pod": "c"}, [0] * 21 + [4] * 40, -300)],
    RESTARTS,
)

# --- the data source
case("src-last-poll", "only the last poll fails", PASS, both(0.005, seed=201), faults=errors([600]))
case("src-last-warned", "only the last poll is warned", PASS, both(0.005, seed=202), faults=warned([600]))
case(
    "src-last-minute",
    "the last minute fails",
    hold("QUERY_ERROR"),
    both(0.005, seed=203),
    faults=errors(every(540, 600)),
)
case("src-first-poll", "only the first polls fail", PASS, both(0.005, seed=205), faults=errors(every(15, 60)))
case("src-skew-bad", "ten minutes of skew and burning data", hold("CLOCK_SKEW"), both(0.3, seed=207), clock=600)
case(
    "src-every-other",
    "every second poll fails and all is well",
    PASS,
    both(0.005, seed=208),
    faults=errors(range(30, 601, 30)),
)
case(
    "src-up-instance",
    "up tells pods apart by instance",
    PASS,
    [*both(0.005, seed=212), *[series("up", {**CANARY, "instance": f"10.0.0.{i}:80"}, [1] * 41) for i in range(2)]],
    expect_pods={"canary": 2},
)
case(
    "src-up-slow",
    "up is scraped every minute",
    PASS,
    [*both(0.005, seed=213), series("up", {**CANARY, "pod": "c"}, [1] * 11, 0, 60)],
    expect_pods={"canary": 1},
)

# --- ratios
case("err-slow-scrape", "all is scraped every minute, polls every 15 s, 8 %", back(360), both(0.08, seed=214, dt=60))
case(
    "err-slow-stable",
    "stable is scraped every minute, the canary every 15 s, 8 %",
    back(400),
    [*canary(0.08, seed=216), *stable(seed=217, dt=60)],
)
case(
    "err-slow-canary",
    "the canary is scraped every minute, stable every 15 s, 8 %",
    back(400),
    [*canary(0.08, seed=220, dt=60), *stable(seed=221)],
)
case(
    "err-perfect-stable",
    "stable never fails, the canary 1.5 % below the limit",
    back(600, "WORSE_THAN_STABLE"),
    both(0.015, 0.0, seed=222, rps=10),
)
case(
    "err-shared-then-alone",
    "both bad for three minutes, the canary alone afterwards",
    back(420),
    both(0.15, between(0, 180, 0.15, 0.01), seed=224),
)
case(
    "err-stable-bad-at-first",
    "stable bad in the first three minutes, the canary never",
    PASS,
    both(0.005, between(0, 180, 0.2, 0.01), seed=225),
)
case("err-two-scrapes", "a bake of two scrapes, everything fails", back(30), both(1.0, seed=226), bake_s=30)
case(
    "err-traffic-late",
    "the canary gets its first requests at minute four, 6 %",
    back(480),
    both(0.06, seed=228, rps=between(240, 600, 5, 0)),
)
case(
    "err-traffic-pauses",
    "a pause of a minute in the middle",
    PASS,
    both(0.005, seed=230, rps=lambda t: 0 if 240 < t <= 300 else 5),
)
case(
    "err-no-status-series",
    "one series of each pod has no status and is none of the requests",
    PASS,
    [*both(0.004, seed=233), series(REQUESTS, {**CANARY, "pod": "canary-0"}, [i * 9 for i in range(41)])],
)
case(
    "err-pod-bad",
    "one of four canary pods fails a third of its requests",
    back(300),
    [
        *canary(0.004, rps=3.75, pods=3, seed=235),
        *[{**s, "l": {**s["l"], "pod": "canary-x"}} for s in canary(0.33, rps=1.25, pods=1, seed=236)],
        *stable(seed=237),
    ],
)

# --- latency
HALF = {"0.05": 0.5, "0.1": 0.7, "0.25": 0.9, "1": 1.0}
COUNTS = [{**s, "m": f"{LATENCY}_count", "l": {**CANARY, "pod": "canary-1"}} for s in histogram({"+Inf": 1.0}, 75)]
DRIFT = {**P95, "max_drift": 0.5, "on_drift": "rollback"}
case(
    "lat-mixed-total",
    "one pod has +Inf, the other only a count, and that one is slow",
    back(300, "ABOVE_LIMIT", slo="api_p95"),
    [*histogram(FAST, 75), *histogram(HALF, 75, pod="canary-1"), *COUNTS],
    P95,
    arms=ALONE,
)
case(
    "lat-one-without-total",
    "one pod has +Inf, the other neither that nor a count",
    hold("BUCKETS_TOO_COARSE", slo="api_p95"),
    [*histogram(FAST, 75), *histogram(HALF, 75, pod="canary-1")],
    P95,
    arms=ALONE,
)
case(
    "lat-inf-lower",
    "le is written inf",
    PASS,
    [{**s, "l": {**s["l"], "le": s["l"]["le"].replace("+Inf", "inf")}} for s in histogram(FAST)],
    P95,
    arms=ALONE,
)
case(
    "lat-other-buckets",
    "stable has other buckets, both are well",
    PASS,
    [*histogram(FAST), *histogram({"0.25": 0.998, "1": 1.0, "+Inf": 1.0}, 600, labels=STABLE, pod="s", t0=-300)],
    DRIFT,
)
case(
    "lat-no-common",
    "stable has only +Inf",
    hold("BASELINE_MISSING"),
    [*histogram(FAST), *histogram({"+Inf": 1.0}, 600, labels=STABLE, pod="s", t0=-300)],
    DRIFT,
)
case(
    "lat-p999",
    "p99.9 with nine thousand clean requests",
    PASS,
    histogram({"0.1": 1.0, "0.25": 1.0, "+Inf": 1.0}, 225),
    {**P95, "quantile": 0.999},
    arms=ALONE,
)
case(
    "lat-p999-thin",
    "p99.9 with three thousand clean requests",
    hold("THIN_DATA"),
    histogram({"0.1": 1.0, "0.25": 1.0, "+Inf": 1.0}, 75),
    {**P95, "quantile": 0.999},
    arms=ALONE,
)
case(
    "lat-slow-scrape",
    "scraped every minute, a fifth is slow",
    back(480, "ABOVE_LIMIT", slo="api_p95"),
    [{**s, "dt": 60, "v": s["v"][::4]} for s in histogram({**FAST, "0.05": 0.5, "0.1": 0.8})],
    P95,
    arms=ALONE,
)
case(
    "lat-restart-slow",
    "a fifth is slow until the pod restarts at minute four",
    back(240, "ABOVE_LIMIT", slo="api_p95"),
    restarted(histogram({**FAST, "0.05": between(0, 240, 0.5, 0.95), "0.1": between(0, 240, 0.8, 0.985)}), 255),
    P95,
    arms=ALONE,
)
