# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a live line says of a statement that runs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.blockers import Blocker
from ansible_collections.tars.rollout.plugins.module_utils._postgres.statement import Look
from hypothesis import given
from hypothesis import strategies as st

QUIET = Look("", None, 0.4, 0.0, [], [], "")
WRITER = Blocker("writer", 42, "RowExclusiveLock", "idle in transaction", 61.4, "billing", "app")


def test_before_the_server_shows_a_phase() -> None:
    assert QUIET.text == "starts  0 s"


@pytest.mark.parametrize(
    ("percent", "in_phase", "text"),
    [
        # A quarter took 10 s, so the rest takes 30 s.
        (25.0, 10.0, "building index 25 %  50 s, phase ends in about 30 s"),
        (50.0, 8.0, "building index 50 %  50 s, phase ends in about 8 s"),
        # Too early to tell, over, and not measured: nothing is foretold.
        (0.0, 10.0, "building index 0 %  50 s"),
        (0.9, 10.0, "building index 1 %  50 s"),
        (100.0, 10.0, "building index 100 %  50 s"),
        (None, 10.0, "building index  50 s"),
    ],
)
def test_phase_percent_and_when_it_ends(percent: float | None, in_phase: float, text: str) -> None:
    assert Look("building index", percent, 50.0, in_phase, [], [], "").text == text


def test_who_is_in_the_way_who_waits_and_the_lag() -> None:
    other = replace(WRITER, pid=43)
    queue = [{"pid": 7, "query": "ALTER"}, {"pid": 8, "query": "SELECT"}]
    seen = replace(QUIET, phase="waiting for old snapshots", blockers=[WRITER, other], behind=queue, lag="lag 2 s")
    assert seen.text == (
        "waiting for old snapshots  0 s, held up by writer pid 42 (billing, app), idle in transaction, 61 s old, "
        "2 wait behind us, lag 2 s"
    )


@given(st.floats(1, 99.99), st.floats(0, 1e6))
def test_what_is_foretold_is_the_rest_at_the_pace_so_far(percent: float, in_phase: float) -> None:
    found = re.search(r"phase ends in about (\d+) s", replace(QUIET, percent=percent, in_phase=in_phase).text)
    assert found is not None
    # Rounded to whole seconds, so half a second off.
    assert abs(int(found[1]) - (in_phase / percent * 100 - in_phase)) <= 0.5 + 1e-6 * in_phase * 100
