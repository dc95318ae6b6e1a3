# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every gate must get right before anything else, and what peers get wrong.

The numbers are those of the acceptance set. Each decision case of other tools in peer_gate_cases.json is in COVERED,
with the test that has it here, or in WITHOUT_MEANING, with the reason why it is no question here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate import gatefile
from ansible_collections.tars.rollout.plugins.module_utils._metrics.answer import decode
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate import options

from .gate_format import Outcome, play

ARMS = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}
SCRAPES = 41
GATE = {"service": "x", "arms": ARMS, "slos": {"x": {"ratio": "r_total", "limit": "2%"}}}
BASE = {"bake_s": 600, "settle_s": 0, "scrape_s": 15, "alpha": 0.01, "beta": 0.05, "arms": ARMS}
RATIO = {"name": "errors", "type": "ratio", "metric": "r_total", "bad": {"status": "5.."}, "limit": 0.02,
         "violation": 0.05, "max_drift": 0.1, "on_limit": "rollback", "on_drift": "rollback"}  # fmt: skip
P95 = {"name": "p95", "type": "latency", "metric": "d_seconds", "quantile": 0.95, "limit": 0.1, "violation": 0.25,
       "max_drift": None, "on_limit": "rollback"}  # fmt: skip


def judged(slo: dict[str, Any], *series: dict[str, Any], **more: Any) -> Outcome:
    return play({"id": "x", "title": "x", "spec": {**BASE, "slos": [slo]}, "series": list(series), **more})


def gauge(values: list[Any], **slo: Any) -> Outcome:
    spec = {"name": "value", "type": "gauge", "metric": "g", "limit": 100, "for_s": 0, **slo}
    return judged(spec, {"m": "g", "l": {"track": "canary", "pod": "a"}, "t0": 0, "dt": 15, "v": values})


def counter(metric: str, per_scrape: list[float], **labels: str) -> dict[str, Any]:
    values, total = [], 0.0
    for step in per_scrape:
        values.append(total)
        total += step
    return {"m": metric, "l": {"track": "canary", "pod": f"{labels.get('track', 'canary')}-0", **labels}, "t0": 0,
            "dt": 15, "v": values}  # fmt: skip


def traffic(bad: list[float]) -> list[dict[str, Any]]:
    """A hundred requests per scrape in both arms; stable fails one of them."""
    return [
        counter("r_total", bad, status="500"),
        counter("r_total", [100 - x for x in bad], status="200"),
        counter("r_total", [1] * SCRAPES, status="500", track="stable"),
        counter("r_total", [99] * SCRAPES, status="200", track="stable"),
    ]


def test_1_nan_with_only_a_failure_limit_is_a_hold() -> None:
    outcome = gauge(["NaN"] * SCRAPES)
    assert (outcome.verdict, outcome.reason) == ("hold", "NO_DATA")


def test_2_an_empty_vector_is_a_hold_with_the_reason_no_data_however_often() -> None:
    outcome = judged(RATIO)
    assert (outcome.verdict, outcome.reason) == ("hold", "NO_DATA")


def test_3_an_infinite_latency_is_no_pass() -> None:
    everything_over_the_top = [
        counter("d_seconds_bucket", [0] * SCRAPES, le="10"),
        counter("d_seconds_bucket", [50] * SCRAPES, le="+Inf"),
    ]
    assert judged(P95, *everything_over_the_top).verdict != "pass"
    assert gauge(["+Inf"] * SCRAPES).verdict == "rollback"


def test_4_an_expression_that_answers_two_series_is_no_value() -> None:
    row = {"metric": {}, "value": [1, "0"]}
    result = decode({"status": "success", "data": {"resultType": "vector", "result": [row, row]}})
    assert (result.rows, result.value) == (2, None)


def test_5_a_minute_of_503_on_a_healthy_canary_is_no_rollback_and_a_pass_when_the_data_suffice() -> None:
    faults = [{"t": t, "kind": "error", "http": 503, "errorType": "timeout"} for t in (150, 165, 180, 195)]
    assert judged(RATIO, *traffic([1] * SCRAPES), faults=faults).verdict == "pass"


def test_6_five_scattered_breaches_of_a_gauge_are_no_rollback_and_five_in_a_row_are() -> None:
    scattered = [150 if index in (3, 8, 13, 18, 23) else 50 for index in range(SCRAPES)]
    row = [150 if 10 <= index < 15 else 50 for index in range(SCRAPES)]
    assert gauge(scattered, for_s=60).verdict == "pass"
    assert gauge(row, for_s=60).verdict == "rollback"


def test_7_a_latency_share_a_hundred_times_worse_in_seven_of_ten_scrapes_is_a_rollback() -> None:
    slow = [50 if index % 10 < 7 else 0.5 for index in range(SCRAPES)]
    outcome = judged(
        P95,
        counter("d_seconds_bucket", [100 - x for x in slow], le="0.1"),
        counter("d_seconds_bucket", [100 - x for x in slow], le="0.25"),
        counter("d_seconds_bucket", [100] * SCRAPES, le="+Inf"),
    )
    assert (outcome.verdict, outcome.reason) == ("rollback", "ABOVE_LIMIT")


def test_8_a_gate_without_an_objective_is_refused() -> None:
    with pytest.raises(RolloutError, match="no objective"):
        gatefile.parse({"arms": ARMS, "slos": {}})


def test_a_few_sparse_errors_are_no_pass() -> None:
    sparse = counter("r_total", [0, 1, 2, 1, 0, 0], status="500")
    assert judged(RATIO, sparse, counter("r_total", [1] * SCRAPES, status="200")).verdict == "hold"


def test_two_samples_are_too_few() -> None:
    assert judged(RATIO, counter("r_total", [10, 11], status="500")).verdict == "hold"


def test_an_answer_with_a_warning_is_a_hold_whatever_it_says() -> None:
    faults = [{"t": t, "kind": "warning", "text": "partial data"} for t in range(15, 601, 15)]
    for bad in (1, 50):
        outcome = judged(RATIO, *traffic([bad] * SCRAPES), faults=faults)
        assert (outcome.verdict, outcome.reason) == ("hold", "PARTIAL_DATA")


def test_a_negative_time_out_is_refused() -> None:
    params = {"services": [GATE], "prometheus": {"url": "http://prometheus:9090", "timeout": "-20s"}}
    with pytest.raises(RolloutError, match="negative"):
        options.http(params, 15.0)


@pytest.mark.parametrize("key", ["scrape", "settle"])
def test_a_typo_in_an_interval_or_a_delay_is_refused(key: str) -> None:
    with pytest.raises(RolloutError, match="no duration"):
        gatefile.parse({**GATE, "defaults": {key: "60s-typo"}})


def test_an_objective_of_an_unknown_kind_is_refused_before_anything_runs() -> None:
    with pytest.raises(RolloutError, match="exactly one of"):
        gatefile.parse({**GATE, "slos": {"x": {"undefined_metric": "x", "limit": "1%"}}})


# Decision cases of other tools about promoting without evidence, and the test that has each of them here.
COVERED = {
    "argo-009": test_2_an_empty_vector_is_a_hold_with_the_reason_no_data_however_often,
    "argo-017": test_1_nan_with_only_a_failure_limit_is_a_hold,
    "argo-026": test_an_answer_with_a_warning_is_a_hold_whatever_it_says,
    "argo-027": test_a_negative_time_out_is_refused,
    "argo-100": test_a_typo_in_an_interval_or_a_delay_is_refused,
    "argo-101": test_a_typo_in_an_interval_or_a_delay_is_refused,
    "flagger-016": test_4_an_expression_that_answers_two_series_is_no_value,
    "flagger-018": test_an_objective_of_an_unknown_kind_is_refused_before_anything_runs,
    "flagger-020": test_2_an_empty_vector_is_a_hold_with_the_reason_no_data_however_often,
    "kayenta-017": test_2_an_empty_vector_is_a_hold_with_the_reason_no_data_however_often,
    "kayenta-022": test_a_few_sparse_errors_are_no_pass,
    "kayenta-025": test_7_a_latency_share_a_hundred_times_worse_in_seven_of_ten_scrapes_is_a_rollback,
    "kayenta-028": test_two_samples_are_too_few,
    "keptn2-026": test_1_nan_with_only_a_failure_limit_is_a_hold,
}
SHARES_ONLY = "compares means or effect sizes of series; here only counts of requests are compared"
WITHOUT_MEANING = {
    "argo-099": "there is no count of inconclusive looks to limit",
    "flagger-023": "an interval is taken as it is given, or refused; it is never raised in silence",
    "kayenta-001": SHARES_ONLY,
    "kayenta-004": SHARES_ONLY,
    "kayenta-008": SHARES_ONLY,
    "kayenta-013": SHARES_ONLY,
    "kayenta-020": SHARES_ONLY,
}


def test_each_case_of_a_peer_has_a_test_or_a_reason_why_not() -> None:
    path = Path(__file__).with_name("peer_gate_cases.json")
    known = [case["id"] for case in json.loads(path.read_text(encoding="utf-8"))["cases"]]
    assert len(set(known)) == len(known)
    assert sorted([*COVERED, *WITHOUT_MEANING]) == sorted(known)
    assert all(len(why) > 20 and "\n" not in why for why in WITHOUT_MEANING.values())


def test_all_tests_of_the_table_are_run() -> None:
    names = {name for name, value in globals().items() if name.startswith("test_") and callable(value)}
    assert {test.__name__ for test in COVERED.values()} <= names
