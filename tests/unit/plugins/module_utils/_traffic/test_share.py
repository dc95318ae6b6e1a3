# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When counts prove a share: intervals that hold what they promise, two looks in a row, towards the wanted side."""

from __future__ import annotations

import random

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._traffic.share import Watch, share
from hypothesis import given
from hypothesis import strategies as st


@given(total=st.integers(1, 10**6), data=st.data())
def test_the_interval_holds_the_rate(total: int, data: st.DataObject) -> None:
    found = share(data.draw(st.integers(0, total)), total)
    assert found.percent is not None
    assert 0 <= found.low <= found.percent + 1e-9 and found.percent - 1e-9 <= found.high <= 100


def test_known_values() -> None:
    found = share(52, 503)
    assert (round(found.low, 1), round(found.high, 1)) == (8.0, 13.3)
    # What the reference says: 73 requests exclude 5 %, 380 exclude 1 %.
    assert share(0, 73).high == pytest.approx(5.0, abs=0.01)
    assert share(0, 380).high == pytest.approx(1.0, abs=0.01)


def test_two_looks_in_a_row_with_new_requests() -> None:
    watch = Watch(10, 50)
    assert not watch.look(50, 50)
    assert not watch.look(50, 50)
    assert watch.look(60, 55)


def test_a_look_that_does_not_exclude_the_old_share_begins_anew() -> None:
    watch = Watch(0, 50)
    assert not watch.look(1, 1)
    watch.look(2, 0)
    assert not watch.look(2, 1)
    assert watch.look(2, 2)


def test_moving_away_from_both_is_no_proof() -> None:
    watch = Watch(50, 90)
    assert not any(watch.look(count, 0) for count in (100, 200, 300))
    assert watch.contradicts


def test_without_a_move_nothing_is_to_prove() -> None:
    watch = Watch(25, 25)
    assert not watch.moves and not watch.look(75, 25) and not watch.look(150, 50)
    assert not watch.contradicts


@pytest.mark.parametrize(("old", "new"), [(0, 10), (10, 50), (50, 100), (50, 0), (90, 100)])
def test_the_share_that_did_not_move_is_rarely_called_proven(old: int, new: int) -> None:
    """Twenty looks of 25 requests each at the old share: a false proof in less than 10 % of the runs."""
    source, false = random.Random(7), 0
    for _run in range(400):
        watch, canary, total = Watch(old, new), 0, 0
        for _look in range(20):
            canary += sum(source.random() * 100 < old for _request in range(25))
            total += 25
            if watch.look(total - canary, canary):
                false += 1
                break
    assert false / 400 < 0.1, false / 400
