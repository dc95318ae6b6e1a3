# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decision cases of the project's own, in the format gate-cases/1.

What is expected follows from docs/gates.md alone: the counts that went into a case say what is true of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .case_streams import (
    BAKE,
    CANARY,
    DT,
    FAST,
    LATENCY,
    REQUESTS,
    STABLE,
    Series,
    between,
    both,
    canary,
    cut,
    flat,
    histogram,
    restarted,
    series,
    stable,
    steps,
    without,
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
CASES: list[dict[str, Any]] = []


def hold(*reasons: str, **more: Any) -> dict[str, Any]:
    return {"verdict": "hold", "reasons": list(reasons), **more}


def back(by_s: float, *reasons: str, slo: str = "error_rate") -> dict[str, Any]:
    return {"verdict": "rollback", "reasons": list(reasons or ("WORSE_THAN_STABLE", "ABOVE_LIMIT")), "slo": slo,
            "by_s": by_s}  # fmt: skip


def case(name: str, title: str, expect: dict[str, Any], found: Iterable[Series], *slos: dict[str, Any],
         arms: Any = None, faults: Any = None, clock: float | None = None, **spec: Any) -> None:  # fmt: skip
    entry: dict[str, Any] = {"id": name, "title": title, "tags": name.split("-")[:1]}
    entry["spec"] = {**SPEC, "arms": arms or BOTH, "slos": list(slos or (RATIO,)), **spec}
    if faults:
        entry["faults"] = faults
    if clock is not None:
        entry["gate_clock_offset_s"] = clock
    CASES.append({**entry, "expect": expect, "series": list(found)})


def errors(times: Iterable[float], http: int = 503, kind: str = "timeout") -> list[dict[str, Any]]:
    return [{"t": t, "kind": "error", "http": http, "errorType": kind} for t in times]


def warned(times: Iterable[float]) -> list[dict[str, Any]]:
    return [{"t": t, "kind": "warning", "text": "a store did not answer"} for t in times]


def every(start: float, end: float) -> range:
    return range(int(start), int(end) + 1, DT)


# --- what a canary is, against limit and baseline
case("err-healthy", "as good as stable", PASS, both(seed=1))
case("err-better", "half of stable's errors", PASS, both(0.005, seed=2))
case("err-bad", "6 % against 1 %", back(180), both(0.06, seed=3))
case("err-awful", "half of all requests fail", back(60), both(0.5, seed=4))
case("err-all", "all requests fail and there is no good series at all", back(60),
     [*without(canary(1.0, seed=5), status="200"), *stable(seed=6)])  # fmt: skip
case("err-edge", "exactly at the edge of the allowed drift", PASS, both(0.011, seed=7))
case("err-worse-below-limit", "four times worse than stable, far below the limit", back(600, "WORSE_THAN_STABLE"),
     [*canary(0.012, rps=100, seed=8), *stable(0.003, rps=100, seed=9)])  # fmt: skip
case("err-worse-of-two-bad", "stable is over the limit, the canary three times worse", back(300, "WORSE_THAN_STABLE"),
     both(0.12, 0.04, seed=10))  # fmt: skip
case("err-both-bad", "both at 3 %: the violation is excluded, the baseline is no measure", hold("BASELINE_UNHEALTHY"),
     both(0.03, 0.03, seed=11, rps=10))  # fmt: skip
case("err-both-awful", "both at 20 % all the time", hold("BASELINE_UNHEALTHY"), both(0.2, 0.2, seed=12))
case("err-heals", "stable at 8 %, the canary at 0.5 %", PASS, both(0.005, 0.08, seed=13))
case("err-shared-outage", "both at 20 % for one minute", PASS,
     both(between(180, 240, 0.2, 0.005), between(180, 240, 0.2, 0.005), seed=14, rps=20))  # fmt: skip
case("err-blip", "one scrape of the canary at 20 %", PASS,
     both(between(180, 195, 0.2, 0.005), 0.005, seed=15, pods=1))  # fmt: skip
case("err-late", "6 % from minute five on", back(480), both(between(300, 600, 0.06, 0.01), seed=16))
case("err-early-then-fine", "10 % in the first two minutes", back(120), both(between(0, 120, 0.1, 0.01), seed=17))
case("err-last-minute", "40 % in the last minute", back(600), both(between(540, 600, 0.4, 0.01), seed=18))
case("err-alone-healthy", "no baseline, 0.5 %", PASS, canary(0.005, rps=50, seed=19), arms=ALONE)
case("err-alone-bad", "no baseline, 6 %", back(240, "ABOVE_LIMIT"), canary(0.06, seed=20), arms=ALONE)
case("err-alone-drift-unused", "a drift is set and there is no arm to compare with", PASS,
     canary(0.004, rps=50, seed=21), {**RATIO, "max_drift": 0.1}, arms=ALONE)  # fmt: skip
case("err-hold-policy", "8 % with on_limit hold and no drift", hold("ABOVE_LIMIT", slo="error_rate"),
     both(0.08, seed=22), {**RATIO, "max_drift": None, "on_limit": "hold"})  # fmt: skip
case("err-drift-hold-limit-rollback", "drift says hold, the limit says rollback", back(400, "ABOVE_LIMIT"),
     both(0.08, seed=23), {**RATIO, "on_drift": "hold"})  # fmt: skip
case("err-both-hold", "both policies say hold", hold("ABOVE_LIMIT", "WORSE_THAN_STABLE", slo="error_rate"),
     both(0.2, seed=24), {**RATIO, "on_drift": "hold", "on_limit": "hold"})  # fmt: skip
case("err-429", "the bad part is 5.. and 429", back(180),
     [*[{**s, "l": {**s["l"], "status": s["l"]["status"].replace("500", "429")}} for s in canary(0.08, seed=25)],
      *stable(seed=26)], {**RATIO, "bad": {"status": "5..|429"}})  # fmt: skip
case("err-404", "only 404, which is nobody's fault here", PASS,
     [*[{**s, "l": {**s["l"], "status": s["l"]["status"].replace("500", "404")}} for s in canary(0.2, seed=27)],
      *stable(seed=28)])  # fmt: skip
case("err-bursty", "an hour of bursty history, bursty and healthy", PASS,
     [*canary(seed=29, burstiness=0.02), *stable(seed=30, burstiness=0.02, t0=-3600)])  # fmt: skip
case("err-small-alpha", "a budget of 0.01 %", back(300), both(0.08, seed=31), alpha=0.0001)
case("err-no-violation", "no violation is named: twice the limit", PASS, both(0.003, seed=32, rps=10),
     {key: value for key, value in RATIO.items() if key != "violation"})  # fmt: skip
case("err-5s", "scraped every five seconds, 6 %", back(150),
     [*canary(0.06, seed=33, dt=5), *stable(seed=34, dt=5)], scrape_s=5)  # fmt: skip
case("err-60s", "scraped every minute, 6 %", back(360),
     [*canary(0.06, seed=35, dt=60), *stable(seed=36, dt=60)], scrape_s=60)  # fmt: skip
case("err-odd-bake", "a bake that is no multiple of the scrape", PASS, both(0.005, seed=37), bake_s=400)

# --- missing, thin and stale data
case("data-nothing", "no series at all", hold("NO_DATA"), [])
case("data-only-stable", "the canary never appeared", hold("NO_DATA"), stable(seed=40))
case("data-no-label", "status is called code here", hold("NO_DATA"),
     [*canary(0.5, seed=41, status="code"), *stable(seed=42, status="code")])  # fmt: skip
case("data-no-bad-series", "no 5xx series was ever born", PASS,
     [*without(canary(0, seed=43), status="500"), *stable(seed=44)])  # fmt: skip
case("data-flat", "counters that do not move", hold("NO_TRAFFIC"),
     [series(REQUESTS, {**CANARY, "pod": "c", "status": s}, [n] * 41) for s, n in (("200", 900), ("500", 9))]
     + stable(seed=45))  # fmt: skip
case("data-thin", "six requests a minute", hold("THIN_DATA"), both(0, seed=46, rps=0.1))
case("data-three-of-four", "three of four requests fail", hold("THIN_DATA"),
     [steps(REQUESTS, {60: 1}, labels={**CANARY, "status": "200"}),
      steps(REQUESTS, {120: 1, 300: 2, 480: 3}, labels={**CANARY, "status": "500"}), *stable(seed=47)])  # fmt: skip
case("data-stops", "the canary's series end at minute five", hold("STALE_DATA"),
     [*cut(canary(0.005, seed=48), 300), *stable(seed=49)])  # fmt: skip
case("data-stable-stops", "stable's series end at minute five", hold("STALE_DATA", "BASELINE_MISSING"),
     [*canary(0.005, seed=50), *cut(stable(seed=51), 300)])  # fmt: skip
case("data-stable-idle", "stable gets no request", hold("BASELINE_MISSING"),
     [*canary(0.005, seed=52), *stable(0, rps=0, seed=53)])  # fmt: skip
case("data-stable-missing-unasked", "no stable, but nothing is compared", PASS, canary(0.005, rps=20, seed=54),
     {**RATIO, "max_drift": None}, arms={"canary": CANARY, "stable": {"track": "stable"}})  # fmt: skip
case("data-bad-and-no-stable", "stable is missing and the canary burns", back(600, "ABOVE_LIMIT"),
     canary(0.4, seed=55))  # fmt: skip
case(
    "data-gap",
    "a lost minute in both arms",
    PASS,
    [{**s, "v": [None if 200 < s["t0"] + i * 15 < 260 else v for i, v in enumerate(s["v"])]} for s in both(seed=56)],
)
case("data-late", "the canary appears at minute three", PASS,
     [*canary(0.005, seed=57, t0=180), *stable(seed=58)])  # fmt: skip
case(
    "data-nan-counters",
    "every third sample is NaN",
    PASS,
    [{**s, "v": ["NaN" if i % 3 == 1 else v for i, v in enumerate(s["v"])]} for s in both(0.005, seed=59)],
)
case("data-old-errors", "a pod appears with a lifetime of errors", PASS,
     [*canary(0.005, seed=60, start=400000, t0=30), *stable(seed=61)])  # fmt: skip
case("data-born", "the 5xx series of both pods are born late, with a hundred each", back(450),
     [*without(canary(BURST, seed=62), status="500"),
      *cut(without(canary(BURST, seed=62), status="200"), 280, keep="after"), *stable(seed=64)])  # fmt: skip

# --- counters and pods
case("ctr-reset", "both pods restart while all is well", PASS,
     [*restarted(canary(0.005, seed=70, start=70000), 300), *stable(seed=71)])  # fmt: skip
case("ctr-reset-hides", "15 % errors until the restart at minute four", back(240),
     [*restarted(canary(between(0, 240, 0.15, 0.0), seed=72), 255), *stable(seed=73)])  # fmt: skip
case("ctr-replaced", "a pod is replaced by another one with its own counters", PASS,
     [*cut(canary(0.005, seed=74), 290, pod="canary-0"),
      *[{**s, "l": {**s["l"], "pod": "canary-9"}} for s in canary(0.005, rps=2.5, seed=76, pods=1, t0=305)],
      *stable(seed=77)])  # fmt: skip
case("ctr-stable-restarts", "stable's pods restart", PASS,
     [*canary(0.008, seed=78), *restarted(stable(seed=79), 300)])  # fmt: skip
case("ctr-no-pod-label", "series without the name of a pod", back(180),
     [{**s, "l": {k: v for k, v in s["l"].items() if k != "pod"}} for s in canary(0.08, seed=80, pods=1)]
     + [{**s, "l": {k: v for k, v in s["l"].items() if k != "pod"}} for s in stable(seed=81, pods=1)])  # fmt: skip
case("ctr-many-routes", "each pod counts by route, one route is bad", back(300),
     [{**s, "l": {**s["l"], "route": r}} for r, q in (("/a", 0.0), ("/b", 0.16)) for s in canary(q, rps=2.5, seed=82)]
     + stable(seed=83))  # fmt: skip

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
case("lat-text-per-pod", "two pods write the same boundary in two ways", PASS,
     [*histogram(FAST, 40), *histogram({"0.050": 0.95, "0.10": 0.985, "0.250": 0.998, "1.0": 1.0, "+Inf": 1.0}, 40,
                                        pod="canary-1")], P95, arms=ALONE)  # fmt: skip
case("lat-milliseconds", "buckets in milliseconds", PASS,
     histogram({"10": 0.5, "100": 0.98, "250": 1.0, "+Inf": 1.0}, metric="api_latency_milliseconds"),
     {**P95, "metric": "api_latency_milliseconds", "limit": 100, "violation": 250, "limit_text": "100ms"},
     arms=ALONE)  # fmt: skip
case("lat-unnamed-milliseconds", "buckets in milliseconds that the name does not tell", back(
    180, "ABOVE_LIMIT", slo="api_p95"), histogram({"10": 0.5, "100": 0.8, "250": 1.0, "+Inf": 1.0}, metric="api_time"),
     {**P95, "metric": "api_time", "limit": 100, "violation": 250, "limit_text": "100 ms"}, arms=ALONE)  # fmt: skip
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
case("hard-gauge-pods", "the worst pod counts, whichever it is", back(420, "HARD_RULE", slo="cpu"),
     [steps(CPU["metric"], {60: 0.99, 240: 0.5}, first=0.5), steps(CPU["metric"], {240: 0.98}, first=0.5,
                                                                       pod="canary-1")], CPU)  # fmt: skip
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
