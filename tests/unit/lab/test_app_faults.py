# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a release: what they accept, and how often they strike."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tarsapp.faults import NAMES, FaultError, Faults, parse


def test_nothing_given_means_nothing_is_wrong() -> None:
    assert parse({}) == Faults()
    assert parse({}).active() == {}


@pytest.mark.parametrize(
    ("given_values", "active"),
    [
        ({"error_share": 0.06}, {"error_share": 0.06}),
        ({"error_share": True}, {"error_share": 1.0}),
        ({"bad_reward": True}, {"bad_reward": 0.5}),
        ({"bad_reward": False}, {}),
        ({"latency_ms": 300, "latency_jitter_ms": 50}, {"latency_ms": 300.0, "latency_jitter_ms": 50.0}),
        ({"bad_drain": True}, {"bad_drain": "exit"}),
        ({"bad_drain": "hang"}, {"bad_drain": "hang"}),
        ({"crash_loop": 8, "leak_mib_per_min": 60}, {"crash_loop": 8.0, "leak_mib_per_min": 60.0}),
    ],
)
def test_what_is_on(given_values: dict[str, Any], active: dict[str, Any]) -> None:
    assert parse(given_values).active() == active


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"eror_share": 0.1}, "'eror_share' is unknown; known are error_share"),
        ({"error_share": 6}, "error_share takes a share from 0 to 1"),
        ({"error_share": -0.1}, "share"),
        ({"error_share": float("nan")}, "share"),
        ({"error_share": "0.1"}, "takes a number, not '0.1'"),
        ({"latency_ms": True}, "latency_ms takes a number"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"bad_drain": "slow"}, "exit or hang"),
        ({"wrong_results": None}, "takes a number"),
        ([], "must be an object"),
    ],
)
def test_what_is_refused(values: Any, said: str) -> None:
    with pytest.raises(FaultError, match=said):
        parse(values)


@given(name=st.text(max_size=20).filter(lambda text: text not in NAMES), value=st.floats() | st.none() | st.text())
def test_no_unknown_name_is_ever_accepted(name: str, value: Any) -> None:
    with pytest.raises(FaultError):
        parse({name: value})


@given(share=st.floats(min_value=0.02, max_value=0.98), seed=st.integers(0, 1000))
def test_errors_come_at_random_in_the_given_share(share: float, seed: int) -> None:
    rng, faults, draws = random.Random(seed), Faults(error_share=share), 4000
    seen = sum(faults.fails(rng) for _round in range(draws))
    assert abs(seen - share * draws) < 6 * (share * (1 - share) * draws) ** 0.5


def test_delay_lies_between_latency_and_latency_plus_jitter() -> None:
    rng, faults = random.Random(1), Faults(latency_ms=300, latency_jitter_ms=50)
    delays = [faults.delay(rng) for _round in range(1000)]
    assert 0.3 <= min(delays) < 0.305
    assert 0.345 < max(delays) <= 0.35
    assert Faults().delay(rng) == 0
