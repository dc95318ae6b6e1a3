# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters, pods and label sets: what is counted does not depend on order, polls or restarts."""

from __future__ import annotations

import random

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Reading, Slo, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import Counters, RawSeries, target_of
from ansible_collections.tars.rollout.plugins.module_utils._metrics.store import Store
from hypothesis import given
from hypothesis import strategies as st

START = 1_700_000_000.0
ARMS = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}
ERRORS = Slo("errors", "ratio", 0.02, "requests_total", bad={"status": "5.."}, max_drift=0.1)
P95 = Slo("p95", "latency", 0.1, "latency_seconds", violation=0.25)
VALUES = st.lists(st.one_of(st.integers(0, 1000), st.just(float("nan"))), min_size=1, max_size=12)


def series(name: str, values: list[float | None], first: float = 0.0, step: float = 15.0, **labels: str) -> RawSeries:
    samples = [(START + first + index * step, value) for index, value in enumerate(values) if value is not None]
    return RawSeries(name, labels, samples)


def grown(*batch: RawSeries) -> list[list[float]]:
    found = Counters().steps((item, target_of(item.name, item.labels, {"status"})) for item in batch)
    return [[step.grown for step in steps] for steps in found]


def ratio(*batch: RawSeries, now: float = 600.0, polls: int = 1) -> Reading:
    store = Store([Spec((ERRORS,), ARMS)], START)
    for poll in range(polls):
        upto = START + now * (poll + 1) / polls
        store.add([RawSeries(s.name, s.labels, [x for x in s.samples if x[0] <= upto]) for s in batch])
    return store.readings(0, START + now)["errors"]


@given(VALUES, VALUES)
def test_growth_is_never_negative(one: list[float], two: list[float]) -> None:
    batch = [series("x_total", one, pod="a", status="200"), series("x_total", two, pod="a", status="500")]
    assert all(step >= 0 for steps in grown(*batch) for step in steps)


def test_a_restart_counts_from_zero() -> None:
    assert grown(series("x_total", [1000, 1010, 4, 9], pod="a")) == [[10, 4, 5]]


def test_a_series_that_is_born_counts_when_its_pod_was_there_before() -> None:
    ok, bad = (
        series("x_total", [0, 30, 60], pod="a", status="200"),
        series("x_total", [130, 132], 15, pod="a", status="500"),
    )
    assert grown(ok, bad) == [[30, 30], [130, 2]]
    assert grown(bad, ok) == [[130, 2], [30, 30]]


def test_a_pod_that_appears_counts_from_its_second_sample() -> None:
    ok, bad = series("x_total", [5000, 5010], pod="b", status="200"), series("x_total", [40, 41], pod="b", status="500")
    assert grown(ok, bad) == [[10], [1]]


def test_a_series_that_was_absent_while_its_pod_restarted_counts_from_zero() -> None:
    ok = series("x_total", [100, 110, 3, 9], pod="a", status="200")
    bad = series("x_total", [5, None, None, 40], pod="a", status="500")
    assert grown(ok, bad) == [[10, 3, 6], [40]]


def test_another_container_of_the_pod_did_not_restart() -> None:
    one = series("x_total", [100, 2], pod="a", container="app", status="200")
    two = series("x_total", [9000, None, None, 9005], pod="a", container="proxy", status="200")
    assert grown(one, two) == [[2], [5]]


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20), st.integers(1, 8), st.randoms(use_true_random=False))
def test_neither_polls_nor_order_change_what_is_counted(steps: list[int], polls: int, rng: random.Random) -> None:
    def counter(offset: int) -> list[float | None]:
        total, values = 0, []
        for index, step in enumerate(steps):
            # A restart now and then, so that the rules for those are tried as well.
            total = step if (index + offset) % 7 == 6 else total + step
            values.append(float(total))
        return values

    batch = [
        series("requests_total", counter(number), 4.0 * number, track=track, pod=f"{track}-{number}", status=status)
        for track in ARMS
        for number in range(2)
        for status in ("200", "500")
    ]
    shuffled = [RawSeries(s.name, dict(rng.sample(list(s.labels.items()), len(s.labels))), s.samples) for s in batch]
    rng.shuffle(shuffled)
    once = ratio(*batch)
    assert ratio(*shuffled).tallies == once.tallies
    assert ratio(*shuffled, polls=polls).tallies == once.tallies
    assert all(0 <= tally.bad <= tally.n for tally in once.tallies)


def test_a_late_sample_still_finds_its_scrape() -> None:
    store = Store([Spec((ERRORS,), ARMS)], START)
    whole = series("requests_total", [0, 30, 60, 90], track="canary", pod="a", status="200")
    store.add([RawSeries(whole.name, whole.labels, whole.samples[:2])])
    assert store.readings(0, START + 30)["errors"].tallies[1].n == 0
    store.add([whole])
    reading = store.readings(0, START + 45)["errors"]
    assert [tally.n for tally in reading.tallies] == [30, 30, 30]
    assert reading.changed == 1


def test_a_label_that_no_series_has_is_missing_data() -> None:
    problem = ratio(series("requests_total", [0, 30], track="canary", pod="a", code="200")).problem
    assert problem is not None and problem[0] == "NO_DATA"
    assert "no label status" in problem[1] and "code" in problem[1]


def test_what_was_before_is_history_and_not_evidence() -> None:
    reading = ratio(series("requests_total", [0, 10, 20, 30, 40], -45, track="stable", pod="a", status="500"))
    assert [tally.m for tally in reading.tallies][:2] == [10, 0]
    assert sum(m for _bad, m in reading.history) == 30


def latency(bounds: dict[str, float], **labels: str) -> Reading:
    """Growth of the buckets in one scrape."""
    store = Store([Spec((P95,), ARMS)], START)
    store.add(
        series("latency_seconds_bucket", [0, value], track="canary", pod="a", le=le, **labels)
        for le, value in bounds.items()
    )
    return store.readings(0, START + 15)["p95"]


def test_boundaries_are_numbers() -> None:
    reading = latency({"0.10": 90, "2.5e-1": 95, "+Inf": 100})
    tally = reading.tallies[0]
    assert reading.exact
    assert (tally.n, tally.bad, tally.high, tally.over, tally.under) == (100, 10, 10, 5, 5)


def test_a_limit_between_two_buckets_is_bracketed() -> None:
    reading = latency({"0.05": 80, "0.2": 96, "1": 99, "+Inf": 100})
    tally = reading.tallies[0]
    assert not reading.exact
    assert (tally.bad, tally.high, tally.over, tally.under) == (4, 20, 4, 1)


@pytest.mark.parametrize("bounds", [{"0.1": 5.0, "0.25": 6.0}, {}])
def test_without_a_total_nothing_can_be_said(bounds: dict[str, float]) -> None:
    if bounds:
        problem = latency(bounds).problem
        assert problem is not None and problem[0] == "BUCKETS_TOO_COARSE"
    else:
        assert latency({}).canary.newest is None


def test_a_metric_that_is_scraped_rarely_is_not_stale() -> None:
    store = Store([Spec((ERRORS,), ARMS, scrape_s=5, expect_pods={"canary": 1})], START)
    for number in range(1, 5):
        at = START + 60 * number
        store.add([series("requests_total", [30 * number], 60 * number, track="canary", pod="a", status="200")])
        store.add([series("up", [1], 60 * number, track="canary", pod="a")])
    reading = store.readings(0, at + 50)["errors"]
    assert reading.canary.interval == 60
    assert reading.canary.fresh(290, 5)
    assert store.pods(0, at + 50)["canary"] == 1


def test_the_same_requests_in_all_and_by_class_count_once() -> None:
    reading = ratio(
        series("requests_total", [0, 90], track="canary", pod="a", status="200"),
        series("requests_total", [0, 10], track="canary", pod="a", status="503"),
        series("requests_total", [0, 100], track="canary", pod="a", status_class="2xx"),
        series("requests_total", [0, 100], track="canary", pod="a"),
    )
    assert (reading.tallies[0].n, reading.tallies[0].bad) == (100, 10)
    assert reading.problem is None
