# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _wait
from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._wait import (
    Deadline,
    Observation,
    Stop,
    SystemClock,
    WaitTimeout,
    wait_for,
)
from hypothesis import given
from hypothesis import strategies as st

SECONDS = st.floats(0, 1e6)


@given(budget=SECONDS, steps=st.lists(SECONDS, max_size=10))
def test_a_deadline_only_runs_down(budget: float, steps: list[float], new_clock: Any) -> None:
    clock = new_clock()
    deadline = Deadline(clock, budget)
    before = deadline.remaining
    assert before == budget
    for step in steps:
        clock.time += step
        assert 0 <= deadline.remaining <= before
        assert deadline.over == (deadline.elapsed >= budget)
        before = deadline.remaining


@pytest.mark.parametrize("budget", [-1, float("nan"), float("inf")])
def test_a_budget_is_a_finite_number(budget: float, clock: Any) -> None:
    with pytest.raises(ValueError, match="finite"):
        Deadline(clock, budget)


@given(budget=st.floats(0, 1000), interval=st.floats(1, 100), true_at=st.floats(0, 1500))
def test_a_wait_keeps_its_budget_and_misses_nothing(
    budget: float, interval: float, true_at: float, new_clock: Any
) -> None:
    clock = new_clock(now=0.0)
    looks: list[float] = []

    def look() -> Observation:
        looks.append(clock.time)
        return Observation(clock.time >= true_at, f"at {clock.time:g}", len(looks))

    try:
        waited = wait_for("it", look, clock=clock, budget=budget, interval=interval)
    except WaitTimeout as error:
        assert true_at > looks[-1] and error.details["attempts"] == len(looks)
        assert looks[-1] == pytest.approx(budget)
    else:
        assert waited.last.value == waited.attempts == len(looks)
        assert waited.elapsed >= true_at or true_at == 0
    assert looks[0] == 0
    assert clock.time <= budget + 1e-6


def test_the_error_of_a_wait_names_what_was_seen_last(clock: Any) -> None:
    with pytest.raises(WaitTimeout) as caught:
        wait_for(
            "3 ready pods",
            lambda: Observation(False, "2 of 3 ready"),
            clock=clock,
            budget=10,
            interval=4,
            reason="pods_not_ready",
            hint="Look at the pods",
        )
    error = caught.value
    assert (
        str(error)
        == "Waited 10 s for 3 ready pods and it did not come true; last seen: 2 of 3 ready. Look at the pods."
    )
    assert (error.reason, error.details) == (
        "pods_not_ready",
        {"last_seen": "2 of 3 ready", "attempts": 4, "elapsed": 10.0},
    )
    assert clock.slept == [4, 4, 2]


def test_a_fault_of_the_look_ends_the_wait(clock: Any) -> None:
    def look() -> Observation:
        raise RolloutError("no", reason="x")

    with pytest.raises(RolloutError, match="no"):
        wait_for("it", look, clock=clock, budget=10, interval=1)
    with pytest.raises(ValueError, match="interval"):
        wait_for("it", look, clock=clock, budget=10, interval=0)


def test_a_sleep_ends_when_stopped_from_another_thread() -> None:
    stop = Stop()
    threading.Timer(0.1, stop.set, ["told so"]).start()
    began = time.monotonic()
    with pytest.raises(Interrupted, match=r"Stopped while resting: told so\."):
        SystemClock(stop).sleep(30, "resting")
    assert time.monotonic() - began < 10
    with pytest.raises(Interrupted):
        SystemClock(stop).sleep(0, "resting again")


def test_a_stop_set_by_a_signal_handler_wakes_every_waiter() -> None:
    stop = Stop()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(stop.wait(30))) for _round in range(5)]
    for thread in threads:
        thread.start()

    def handle(*_: Any) -> None:
        stop.set("signal")

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        for thread in threads:
            thread.join(5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert woken == [True] * 5


def test_the_first_reason_to_stop_stays_and_time_passes_without_one() -> None:
    stop = Stop()
    began = time.monotonic()
    assert not stop.wait(0.05) and not stop
    assert time.monotonic() - began >= 0.04
    stop.check("working")
    stop.set("first")
    stop.set("second")
    assert stop.why == "first" and stop.wait(30)


def test_a_sleep_may_be_longer_than_the_kernel_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    threading.Timer(0.1, stop.set, ["told so"]).start()
    assert stop.wait(30 * 86400.0)
    monkeypatch.setattr(_wait, "_LONGEST_POLL", 0.02)
    began = time.monotonic()
    assert not Stop().wait(0.1)
    assert 0.09 <= time.monotonic() - began < 10


def test_the_systems_clock_knows_both_times() -> None:
    clock = SystemClock(Stop())
    assert clock.now() == pytest.approx(time.time(), abs=1)
    assert clock.monotonic() <= clock.monotonic()
