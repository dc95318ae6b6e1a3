# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selectors: few, narrow, and rightly quoted."""

from __future__ import annotations

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Slo, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.query import (
    Selector,
    needed_bounds,
    quoted,
    selectors,
    stable_selectors,
    with_bounds,
)


def spec(service: str, *slos: Slo, **more: int) -> Spec:
    arms = {"canary": {"service": service, "track": "canary"}, "stable": {"service": service, "track": "stable"}}
    return Spec(slos or (Slo("errors", "ratio", 0.02, "requests_total"),), arms, expect_pods=more, service=service)


def test_all_services_and_arms_are_one_selector() -> None:
    found = selectors([spec("api", canary=3), spec("insight")])
    assert [item.text for item in found] == [
        '{__name__=~"requests_total|up",service=~"api|insight",track=~"canary|stable"}'
    ]


def test_what_has_no_arm_is_a_selector_of_its_own() -> None:
    lag = Slo("lag", "gauge", 10, "pg_lag", {"server": "replica-.*"}, arm="any")
    free = Slo("flag", "gauge", 0, "regression", arm="any")
    texts = [item.text for item in selectors([spec("api", Slo("e", "ratio", 0.02, "r_total"), lag, free)])]
    assert texts == [
        '{__name__=~"pg_lag|regression"}',
        '{__name__=~"r_total",service=~"api",track=~"canary|stable"}',
    ]


def test_a_narrower_objective_joins_a_wider_selector() -> None:
    restarts = Slo("restarts", "count", 3, "restarts_total", {"pod": "api-.*"})
    found = selectors([spec("api", Slo("e", "ratio", 0.02, "r_total"), restarts)])
    assert [item.text for item in found] == [
        '{__name__=~"r_total|restarts_total",service=~"api",track=~"canary|stable"}'
    ]


def test_only_the_buckets_that_limits_need() -> None:
    bounds = needed_bounds(["0.05", "0.10", "0.1", "2.5", "+Inf", "odd"], [0.1, float("inf"), float("-inf")])
    assert bounds == {"0.10", "0.1", "+Inf"}
    assert needed_bounds(["inf", "1e2"], [100.0]) == {"inf", "1e2", "+Inf"}
    text = with_bounds(Selector(frozenset({"x_bucket"})), bounds).text
    assert text == '{__name__=~"x_bucket",le=~"0\\\\.1|0\\\\.10|\\\\+Inf|"}'


def test_quotes_and_backslashes_stay_what_they_are() -> None:
    assert quoted('a"b\\.c\n') == '"a\\"b\\\\.c\\n"'


def test_the_history_is_only_of_stable_and_only_of_shares() -> None:
    gauge = Slo("cpu", "gauge", 1, "cpu")
    assert [item.text for item in stable_selectors([spec("api", gauge, Slo("e", "ratio", 0.02, "r_total"))])] == [
        '{__name__=~"r_total",service=~"api",track=~"stable"}'
    ]
    assert stable_selectors([spec("api", gauge)]) == []
