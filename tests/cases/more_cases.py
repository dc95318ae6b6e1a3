# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own cases: what a canary is, missing data, counters and pods."""

from __future__ import annotations

from .case_streams import (
    CANARY,
    REQUESTS,
    between,
    both,
    canary,
    cut,
    restarted,
    series,
    stable,
    steps,
    without,
)
from .case_table import (
    ALONE,
    BURST,
    PASS,
    RATIO,
    back,
    hold,
    table,
)

CASES, case = table()

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
