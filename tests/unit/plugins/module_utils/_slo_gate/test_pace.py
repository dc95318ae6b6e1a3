# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Polls come right after the samples, also where an exporter is slow or its process is gone."""

from __future__ import annotations

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.pace import INGEST, LATEST, STEP, Pace, moment
from fake_prometheus import START, Clock, FakePrometheus, judge
from hypothesis import given
from hypothesis import strategies as st


def pod(name: str, *at: float) -> RawSeries:
    return RawSeries("requests_total", {"pod": name}, [(one, 1.0) for one in at])


@given(st.lists(st.integers(0, 14999), min_size=1, max_size=12, unique=True))
def test_the_moment_is_that_of_the_sample_before_the_longest_pause(moments: list[int]) -> None:
    found = moment([pod(str(at), START + at / 1000) for at in moments], START, 15.0)
    assert found is not None

    def pause(at: int) -> int:
        return min((other - at) % 15000 or 15000 for other in moments)

    assert pause(round(found * 1000)) == max(map(pause, moments))


@pytest.mark.parametrize("ingest", [0.02, 0.25, 0.4])
def test_a_slow_exporter_costs_no_scrape(ingest: float) -> None:
    prometheus = FakePrometheus(Clock(), bad=0.08)
    prometheus.ingest = ingest
    slow = judge(prometheus, fail_on=[])
    assert slow["verdict"] == "rollback"
    assert slow["decided_after_s"] <= 24.1 + max(ingest, INGEST) + STEP


def test_a_slow_exporter_is_asked_twice_only_until_its_delay_is_known() -> None:
    def polls(ingest: float) -> int:
        prometheus = FakePrometheus(Clock())
        prometheus.ingest = ingest
        result = judge(prometheus)
        assert result["verdict"] == "pass"
        assert result["cost"]["poll_requests"] == result["cost"]["polls"]
        return int(result["cost"]["polls"])

    quick = polls(0.02)
    assert quick <= 300 / 15 + 2
    assert polls(0.4) == quick + 2
    assert polls(1.9) == quick + 9


def test_a_process_that_is_gone_is_waited_for_only_a_while() -> None:
    pace = Pace(START, 15.0)
    pace.measure([pod("a", START + 3), pod("b", START + 4)])
    at = pace.after(START + 15)
    assert at == pytest.approx(START + 19 + INGEST)
    assert not pace.missed(at, [pod("a", START + 18), pod("b", START + 19)])
    # The series of b end: at first its moment is the one to wait for, then that of a is.
    assert pace.missed(START + 34 + INGEST, [pod("a", START + 33), pod("b", START + 19)])
    assert pace.missed(START + 49 + INGEST + STEP, [pod("a", START + 48)])
    at = pace.after(START + 60)
    assert at == pytest.approx(START + 63 + INGEST + 2 * STEP)
    assert not pace.missed(at, [pod("a", START + 63)])


def test_polls_come_late_by_two_seconds_at_most() -> None:
    pace = Pace(START, 15.0)
    pace.measure([pod("a", START + 3)])
    missed = 0
    for scrape in range(1, 40):
        at = pace.after(START + 15 * scrape)
        missed += pace.missed(at, [pod("a", START + 3)])
    assert missed == pytest.approx(LATEST / STEP, abs=1)
    assert pace.after(START + 900) == pytest.approx(START + 903 + LATEST)


def test_a_poll_that_came_for_no_sample_moves_nothing() -> None:
    pace = Pace(START, 15.0)
    pace.measure([pod("a", START + 3)])
    assert not pace.missed(START + 10, [pod("a", START - 12)])
    assert not pace.missed(START + 18 + INGEST, [])
    assert pace.after(START + 15) == pytest.approx(START + 18 + INGEST)
