# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits, schedule and draws of the load generator: arithmetic only."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from tarslab.load.plan import KEPT, NEW, Plan, PlanError, host_name, parse_services

TARGET = "http://127.0.0.1:20001"


def plan(**changes: Any) -> Plan:
    return Plan(**{"target": TARGET, "regions": ("us-west-2",), **changes})


def test_due_times_do_not_drift() -> None:
    run = plan(rps=7, duration=600)
    assert run.due(0) == 0
    assert run.due(7 * 600) == 600
    assert run.total == 4200


@pytest.mark.parametrize(
    ("rps", "duration", "total"), [(100, 60, 6000), (0.5, 3, 2), (3, 0.1, 1), (10, 0.25, 3), (0.1, 30, 3)]
)
def test_total_counts_the_due_requests(rps: float, duration: float, total: int) -> None:
    run = plan(rps=rps, duration=duration)
    assert run.total == total
    assert run.due(total - 1) < duration <= run.due(total) + 1e-9


def test_draws_repeat_with_the_seed_and_differ_without() -> None:
    def first(seed: int) -> list[Any]:
        return list(itertools.islice(plan(seed=seed, new_share=0.5).draws(), 200))

    assert first(3) == first(3)
    assert first(3) != first(4)


def test_draws_follow_the_shares() -> None:
    run = plan(services={"api": 3, "insight": 1}, regions=("us_west_2", "us-east-1"), new_share=0.2)
    draws = list(itertools.islice(run.draws(), 20_000))
    services = Counter(draw.service for draw in draws)
    regions = Counter(draw.region for draw in draws)
    kinds = Counter(draw.kind for draw in draws)
    assert services["api"] == pytest.approx(15_000, rel=0.03)
    assert regions.keys() == {"us-west-2", "us-east-1"}
    assert regions["us-west-2"] == pytest.approx(10_000, rel=0.03)
    assert kinds[NEW] == pytest.approx(4_000, rel=0.05)
    assert kinds[NEW] + kinds[KEPT] == 20_000


def test_websockets_reach_every_service_before_one_gets_a_second() -> None:
    run = plan(services={"api": 1, "insight": 1}, regions=("a", "b"), websockets=5)
    where = [(draw.service, draw.region) for draw in run.websocket_draws()]
    assert where == [("api", "a"), ("api", "b"), ("insight", "a"), ("insight", "b"), ("api", "a")]


def test_bound_follows_from_rate_and_time_out() -> None:
    assert plan(rps=100, timeout=10).bound == 1100
    assert plan(rps=1, timeout=1).bound == 100
    assert plan(rps=1000, timeout=60).bound == 10_000
    assert plan(max_in_flight=7).bound == 7


def test_host_name() -> None:
    assert host_name("api", "us-west-2") == "api.us-west-2.tars.localhost"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rps": 1001}, "at most 1000 requests per second"),
        ({"rps": 0}, "rps"),
        ({"rps": float("nan")}, "rps"),
        ({"duration": 7201}, "at most 7200 seconds"),
        ({"duration": -1}, "duration"),
        ({"timeout": 0}, "timeout"),
        ({"new_share": 1.5}, "share from 0 to 1"),
        ({"new_share": float("nan")}, "share from 0 to 1"),
        ({"websockets": 501}, "0 to 500"),
        ({"regions": ()}, "region"),
        ({"services": {}}, "at least one"),
        ({"services": {"api": 0}}, "greater than 0"),
        ({"path": "x"}, "does not begin with /"),
        ({"max_in_flight": 10_001}, "at most 10000"),
    ],
)
def test_what_is_outside_the_limits_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan(**changes)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1", "http://127.8.8.8:80/", "http://[::1]:80", "http://localhost:8"]
)
def test_loopback_targets(target: str) -> None:
    assert plan(target=target).target == target


@pytest.mark.parametrize(
    "target",
    [
        "http://192.0.2.1:80",
        "http://0.0.0.0:80",
        "http://example.invalid:80",
        "http://127.0.0.1.example.invalid:80",
        "http://localhost.example.invalid:80",
        "http://[2001:db8::1]:80",
        "http://127.0.0.1@192.0.2.1:80",
        "https://127.0.0.1:80",
        "http://127.0.0.1",
        "http://127.0.0.1:99999",
        "127.0.0.1:80",
        "",
    ],
)
def test_every_other_target_is_refused(target: str) -> None:
    with pytest.raises(PlanError, match="target"):
        plan(target=target)


def test_services_are_read_with_and_without_shares() -> None:
    assert parse_services(["api,insight=0.5", "ppo=2"]) == {"api": 1.0, "insight": 0.5, "ppo": 2.0}
    assert parse_services([]) == {}


@pytest.mark.parametrize("words", [["api=x"], ["api=0"], ["=1"], ["api=nan"], ["api,api"], ["api=-1"]])
def test_services_that_make_no_sense_are_refused(words: list[str]) -> None:
    with pytest.raises(PlanError, match="services"):
        parse_services(words)
