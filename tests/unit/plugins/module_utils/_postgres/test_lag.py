# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How old is the newest position that was replayed? Positions are bytes of the log, times seconds."""

from __future__ import annotations

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.lag import MEMORY, Positions
from hypothesis import given
from hypothesis import strategies as st


def test_a_replica_that_has_everything_has_no_lag_however_long_nothing_was_written() -> None:
    seen = Positions()
    assert [seen.text(now, 500, 500) for now in (0.0, 1.0, 3600.0)] == ["lag 0 s"] * 3


def test_the_lag_is_the_age_of_the_newest_position_that_was_replayed() -> None:
    seen = Positions()
    assert seen.text(10.0, 100, 100) == "lag 0 s"
    assert seen.text(11.0, 200, 100) == "lag 1 s, 100 bytes"
    assert seen.text(12.0, 300, 200) == "lag 1 s, 100 bytes"
    # Between two remembered positions the older one counts: all that is sure is that it was replayed.
    assert seen.text(13.0, 400, 299) == "lag 2 s, 101 bytes"
    # It stands still: seconds grow with the clock and bytes with what is written.
    assert seen.text(20.0, 900, 299) == "lag 9 s, 601 bytes"
    assert seen.text(21.0, 900, 900) == "lag 0 s"


def test_what_was_behind_from_the_beginning_is_over_what_is_known() -> None:
    seen = Positions()
    assert seen.text(5.0, 1000, 10) == "lag over 0 s, 990 bytes"
    assert seen.text(9.0, 1000, 20) == "lag over 4 s, 980 bytes"


def test_memory_has_an_end() -> None:
    seen = Positions()
    for second in range(MEMORY + 10):
        seen.text(float(second), 1000 + second, 999)
    assert seen.text(float(MEMORY + 10), 10**6, 999) == f"lag over {MEMORY - 1} s, 999001 bytes"


@given(st.lists(st.tuples(st.floats(0.1, 10), st.integers(1, 100)), min_size=1, max_size=30), st.data())
def test_it_is_never_shown_younger_than_it_is(steps: list[tuple[float, int]], data: st.DataObject) -> None:
    seen, now, written, history = Positions(), 0.0, 0, []
    replayed = 0
    for pause, more in steps:
        now, written = now + pause, written + more
        history.append((now, written))
        replayed = data.draw(st.integers(replayed, written))
        text = seen.text(now, written, replayed)
        # What is missing was written after the last of these moments at the earliest.
        missing = [at for at, position in history if position > replayed]
        if missing:
            shown = float(text.removeprefix("lag ").removeprefix("over ").split(" ")[0])
            assert shown >= now - missing[0] - 0.5
        else:
            assert text == "lag 0 s"


@pytest.mark.parametrize("replayed", [100, 101])
def test_a_position_beyond_what_was_read_before_is_no_lag(replayed: int) -> None:
    # The primary is asked first, so a replica may be further when it is asked.
    assert Positions().text(1.0, 100, replayed) == "lag 0 s"
