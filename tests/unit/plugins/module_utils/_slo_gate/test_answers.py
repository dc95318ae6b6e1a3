# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever bytes Prometheus answers: a verdict with a reason or a clear failure, in time, and never a pass."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from fake_prometheus import GATE, SLOS, START, Clock, FakePrometheus, judge, reply
from hypothesis import given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
VALUES = st.sampled_from(["NaN", "+Inf", "-1", "0", "1", "7", "1e300", "x", ""])
SAMPLES = st.tuples(st.floats(START - 900, START + 400) | JSON, VALUES).map(list)
NAMES = ("requests_total", "seconds_bucket", "seconds_count", "heat", "restarts_total", "up")
SERIES = st.fixed_dictionaries(
    {
        "metric": st.fixed_dictionaries(
            {"__name__": st.sampled_from(NAMES), "track": st.sampled_from(["canary", "stable"])},
            optional={
                "status": st.sampled_from(["200", "500"]),
                "pod": st.text(max_size=3),
                "le": st.sampled_from(["0.1", "0.25", "+Inf", "NaN", "x"]),
            },
        ),
        "values": st.lists(SAMPLES, max_size=6),
    }
)
ROWS = st.fixed_dictionaries({"metric": st.just({}), "value": SAMPLES})


def success(kind: str, result: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


REPLIES = st.one_of(
    st.binary(max_size=40),
    JSON.map(lambda body: json.dumps(body).encode()),
    st.lists(SERIES, max_size=4).map(lambda found: success("matrix", found)),
    st.lists(ROWS, max_size=2).map(lambda found: success("vector", found)),
    SAMPLES.map(lambda sample: success("scalar", sample)),
)
EVERY_KIND = {
    **GATE,
    "expect_pods": {"canary": 1},
    "slos": {
        **SLOS,
        "p95": {"latency": "seconds", "limit": "100ms", "violation": "250ms", "max_drift": "50%"},
        "heat": {"gauge": "heat", "limit": 5, "for": "30s"},
        "restarts": {"count": "restarts_total", "limit": 3, "arm": "any"},
        "custom": {"expr": "foo", "limit": 5},
    },
}


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([200, 400, 422]), REPLIES), min_size=1, max_size=12), st.booleans())
def test_whatever_is_answered_the_end_is_no_pass_and_a_reason_or_a_clear_failure(
    replies: list[tuple[int, bytes]], clock_too: bool
) -> None:
    prometheus = FakePrometheus(Clock())
    count = iter(range(10**6))

    def garbage(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        if form.get("query") == "time()" and not clock_too:
            return None
        status, body = replies[next(count) % len(replies)]
        return reply(body, status)

    prometheus.before = garbage
    try:
        result = judge(prometheus, baseline_history="10m", services=[EVERY_KIND], fail_on=[])
    except RolloutError as error:
        assert str(error)
    else:
        # A handful of samples proves nothing, whichever way they point; only a hard rule needs a single one.
        assert (result["verdict"], result["reason"]) == ("rollback", "HARD_RULE") or result["verdict"] == "hold"
        assert result["reason"]


@pytest.mark.parametrize("told", ["NaN", "+Inf", "1e300", "-5", "0"])
def test_a_time_that_no_clock_tells_is_refused_before_the_bake(told: str) -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda _self, form: (
        reply(success("scalar", [1, told])) if form.get("query") == "time()" else None
    )
    with pytest.raises(RolloutError, match="Asked Prometheus for its time and got"):
        judge(prometheus)


@pytest.mark.parametrize("stamps", [(1, 2), (START, math.inf), (START - 1e9, START + 1e9)])
@pytest.mark.parametrize("name", ["requests_total", "seconds_bucket"])
def test_samples_of_moments_that_nobody_asked_for_count_nothing(name: str, stamps: tuple[float, float]) -> None:
    rows = [
        {
            "metric": {"__name__": name, "track": "stable", "le": "+Inf", "status": "500"},
            "values": [[stamps[0], "0"], [stamps[1], "7"]],
        }
    ]
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda _self, form: reply(success("matrix", rows)) if "[" in form.get("query", "") else None
    slos = {name: slo for name, slo in EVERY_KIND["slos"].items() if name != "custom"}
    try:
        result = judge(prometheus, services=[{**EVERY_KIND, "slos": slos}])
    except RolloutError as error:
        assert math.isinf(stamps[1]) and "is no sample" in str(error)
    else:
        assert result["verdict"] == "hold"


def test_a_clock_that_is_set_back_by_years_in_the_middle_is_a_hold_and_not_a_wait() -> None:
    def early(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        if self.clock.time < START + 30:
            return None
        return replace(reply(self.body("query", form)), headers={"date": "Thu, 01 Jan 1998 00:00:00 GMT"})

    prometheus = FakePrometheus(Clock())
    prometheus.before = early
    result = judge(prometheus)
    assert (result["verdict"], result["reason"]) == ("hold", "CLOCK_SKEW")
    assert prometheus.clock.time <= START + 1200
