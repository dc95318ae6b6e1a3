# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own cases: where the numbers come from. What settles, who is scraped when, who has which label."""

from __future__ import annotations

from .case_streams import Series, between, both, canary, stable
from .case_table import ALONE, PASS, RATIO, back, hold, table

CASES, case = table()
# An outage of two minutes that both have.
OUTAGE = between(180, 300, 0.3, 0.002)
OTHER_TIMES = {"dt": 30, "t0": 15, "pods": 1}
WIDE = {**RATIO, "violation": 0.1}

# --- what settles is not judged

for settle in (10, 15, 30, 60):
    case(
        f"settle-{settle}",
        f"half of the requests fail in the {settle} s that settle",
        PASS,
        both(between(0, settle, 0.5, 0.005), 0.005, seed=500 + settle),
        settle_s=settle,
    )
    case(
        f"settle-bad-{settle}",
        f"8 % fail after the {settle} s that settle",
        back(settle + 180),
        both(between(settle, 600, 0.08, 0), seed=600 + settle),
        settle_s=settle,
    )

# --- stable is scraped at other moments than the canary

case(
    "scrape-shared-60",
    "an outage that both have, stable scraped every minute",
    PASS,
    [*canary(OUTAGE, rps=20, seed=701), *stable(OUTAGE, seed=702, dt=60)],
    WIDE,
)
case(
    "scrape-shared-60-alone",
    "the same without a comparison",
    PASS,
    [*canary(OUTAGE, rps=20, seed=703), *stable(OUTAGE, seed=704, dt=60)],
    {**WIDE, "max_drift": None},
)
case(
    "scrape-shared-30",
    "the same, both scraped every 30 s, one after the other",
    PASS,
    [*canary(OUTAGE, rps=20, seed=705, **OTHER_TIMES), *stable(OUTAGE, seed=706, dt=30, pods=1)],
    WIDE,
)
case(
    "scrape-both-bad-60",
    "both at 4 % all the time, stable scraped every minute",
    hold("BASELINE_UNHEALTHY"),
    [*canary(0.04, rps=20, seed=707), *stable(0.04, seed=708, dt=60)],
)
case(
    "scrape-own-60",
    "an outage of the canary alone, stable scraped every minute",
    back(420),
    [*canary(OUTAGE, rps=20, seed=709), *stable(0.002, seed=710, dt=60)],
    WIDE,
)
case(
    "scrape-stable-gone",
    "stable's scrapes end after a minute, the canary fails from the second minute on",
    back(360),
    [*canary(between(120, 600, 0.2, 0.005), rps=20, seed=711), *stable(0.005, seed=712, end=60)],
)

# --- only bad requests have the label

ERROR = {**RATIO, "bad": {"error": ".+"}}


def only_bad(found: list[Series]) -> list[Series]:
    """The same, where a failed request has an ``error`` and a good one no label of the kind."""
    result = []
    for item in found:
        labels = {name: value for name, value in item["l"].items() if name != "status"}
        failed = {"error": "timeout"} if item["l"]["status"] == "500" else {}
        result.append({**item, "l": {**labels, **failed}})
    return result


case(
    "label-optional", "good requests have no label error, 0.5 % have one", PASS, only_bad(both(0.005, seed=801)), ERROR
)
case("label-optional-bad", "the same, 8 %", back(180), only_bad(both(0.08, seed=802)), ERROR)
case(
    "label-optional-alone",
    "the same without stable",
    PASS,
    only_bad(canary(0.005, rps=20, seed=803)),
    ERROR,
    arms=ALONE,
)
case(
    "label-optional-none-yet",
    "no request of the canary has failed, so it has the label nowhere",
    PASS,
    only_bad([*[item for item in canary(0, rps=20, seed=804) if item["l"]["status"] == "200"], *stable(seed=805)]),
    ERROR,
)
case(
    "label-of-a-part",
    "a tenth of the requests has a route, 3 % of those fail, and the objective is about all",
    PASS,
    [
        *({**item, "l": {**item["l"], "route": "/api"}} for item in canary(0.03, rps=0.5, seed=806, pods=1)),
        *canary(0, rps=9, seed=807, pods=1),
        *({**item, "l": {**item["l"], "route": "/api"}} for item in stable(0.03, rps=4, seed=808)),
        *stable(0, rps=80, seed=809),
    ],
    {**RATIO, "bad": {"status": "5..", "route": "/api.*"}},
)
