# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which phase may follow which."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._record.phases import PATH, PHASES, PhaseError, check


def test_the_way_of_a_good_release() -> None:
    for now, then in itertools.pairwise(PATH):
        check(now, then)


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase not in ("rolling_back", "rolled_back")])
def test_a_rollback_from_anywhere(phase: str) -> None:
    check(phase, "rolling_back", held="canary")
    check("rolling_back", "rolled_back")


@pytest.mark.parametrize("held", ["canary", "soaking", "promoting"])
def test_a_hold_goes_on_where_it_stood_or_with_what_is_next(held: str) -> None:
    check(held, "holding")
    check("holding", held, held)
    check("holding", PATH[PATH.index(held) + 1], held)
    with pytest.raises(PhaseError):
        check("holding", "planned", held)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("planned", "canary"), ("canary", "promoting"), ("canary", "promoted"), ("soaking", "promoted"),
        ("promoting", "canary"), ("promoted", "canary"), ("rolled_back", "canary"), ("rolled_back", "planned"),
        ("planned", "holding"), ("rolling_back", "canary"), ("planned", "rolled_back"),
    ],
)  # fmt: skip
def test_no_shortcut_and_no_way_back(now: str, then: str) -> None:
    with pytest.raises(PhaseError, match=f"is {now} and cannot become {then}; next may be ") as caught:
        check(now, then)
    assert caught.value.reason == "phase_order"


def test_the_same_phase_is_no_step() -> None:
    for phase in PHASES:
        check(phase, phase)


def test_a_word_that_is_no_phase() -> None:
    with pytest.raises(PhaseError) as caught:
        check("planned", "shipping")
    assert caught.value.reason == "phase_unknown"
