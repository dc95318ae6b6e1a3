# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments and durations; whole numbers are tested where users give them (_traffic/test_request.py)."""

from __future__ import annotations

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._values import duration, moment, seconds_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "seconds"), [(600, 600), (0.5, 0.5), ("600", 600), ("90s", 90), ("10m", 600), ("1h30m", 5400)]
)
def test_a_duration(value: object, seconds: float) -> None:
    assert duration("wait_timeout", value) == seconds


@pytest.mark.parametrize("value", ["", "soon", "10 minutes", "-1", True, None, "10m!"])
def test_no_duration(value: object) -> None:
    with pytest.raises(RolloutError, match="which is no duration") as caught:
        duration("wait_timeout", value)
    assert caught.value.reason == "wait_timeout_invalid"


@given(st.integers(0, 4 * 10**12))
def test_moments_go_there_and_back(milliseconds: int) -> None:
    assert seconds_of(moment(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=0.0011)


def test_a_moment_reads_as_utc() -> None:
    assert moment(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"
    assert seconds_of("2023-11-14T23:13:20.500+01:00") == 1_700_000_000.5


@pytest.mark.parametrize("text", ["2023-11-14T22:13:20", "yesterday", ""])
def test_no_moment(text: str) -> None:
    with pytest.raises(ValueError):
        seconds_of(text)
