# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is, and the table of status."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record import order, overview
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease
from ansible_collections.tars.rollout.plugins.module_utils._values import moment

DAY = datetime(2026, 1, 31, tzinfo=UTC).timestamp()
GOOD = Record("tars", "us-west-2", "2", "h", "alice-1", phase="promoted", phase_since=moment(DAY))


def test_nobody_before_and_all_promoted() -> None:
    assert order.turn([], "2", "h", DAY) == order.Turn(DAY)
    assert order.turn([("a", GOOD), ("b", GOOD)], "2", "h", DAY + 1) == order.Turn(DAY + 1)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "a has no release at all"),
        (replace(GOOD, release="1"), "a has release 1, which is promoted"),
        (replace(GOOD, phase="rolled_back", reason="SLO"), "a is rolled_back (SLO)"),
        (replace(GOOD, plan_hash="x"), "a was promoted by another plan (x)"),
    ],
)
def test_one_before_that_is_not_through(record: Record | None, words: str) -> None:
    found = order.turn([("a", record), ("b", GOOD)], "2", "h", DAY)
    assert found == order.Turn(None, words)


def test_a_gap_is_counted_from_the_end_of_the_last_one() -> None:
    late = replace(GOOD, phase_since=moment(DAY + 600))
    found = order.turn([("a", GOOD), ("b", late)], "2", "h", DAY + 700, gap=3600)
    assert found.begins == DAY + 4200 and "3600 s are to lie between" in found.why
    assert order.turn([("a", late)], "2", "h", DAY + 4200, gap=3600) == order.Turn(DAY + 4200)


@pytest.mark.parametrize(
    ("hours", "now", "begins"),
    [
        ("10-15", 9, 10), ("10-15", 12, 12), ("10-15", 15, 34), ("20-02", 1, 1), ("20-02", 3, 20),
        ("20-02", 23.5, 23.5), ("00:00-24:00", 5, 5), ("22:30-23:00", 23.5, 46.5), ("", 3, 3),
    ],
)  # fmt: skip
def test_hours(hours: str, now: float, begins: float) -> None:
    assert order.within(hours, DAY + now * 3600) == DAY + begins * 3600


@pytest.mark.parametrize("hours", ["10", "25-26", "10-10", "ten-eleven", "10:750-11", "10-24:30"])
def test_hours_that_cannot_be_meant(hours: str) -> None:
    with pytest.raises(RolloutError) as caught:
        order.within(hours, DAY)
    assert caught.value.reason == "hours_invalid"


NOW = DAY + 100
LIVE = Lease("alice-1/laptop/4.5", 55, NOW - 5)
DEAD = replace(LIVE, renewed=NOW - 90)
CALL = "ansible-playbook playbooks/"
RUNNING = replace(GOOD, phase="canary", cohort="backend", stage=1, weights={"api": 25, "insight": 25})


def row(record: Record | None, lease: Lease | None = None) -> overview.Row:
    return overview.row("us-west-2", "us_west_2", record, lease, NOW, CALL)


def test_rows() -> None:
    assert row(None).phase == "no release yet"
    live = row(RUNNING, LIVE)
    assert (live.who, live.weight, live.stage, live.command) == ("alice-1/laptop/4.5", "25 %", "1", "")
    lost = row(replace(RUNNING, weights={"api": 100, "insight": 25}), DEAD)
    assert (lost.who, lost.weight) == ("(alice-1)", "api 100 %, insight 25 %")
    assert lost.command == f"{CALL}ga_rollout.yml -e rollout_release=2"
    assert row(GOOD).command == ""


def test_the_command_to_go_on() -> None:
    holding = replace(RUNNING, phase="holding", held="canary", reason=overview.AWAITING)
    assert row(holding).command == f"{CALL}decide.yml --limit us_west_2 -e decide=promote -e decide_why=..."
    other = {"decision": "promote", "cohort": "backend", "stage": 0}
    assert "decide.yml" in row(replace(holding, approvals=(other,))).command
    decided = row(replace(holding, approvals=({**other, "stage": 1},)))
    assert decided.command == f"{CALL}ga_rollout.yml -e rollout_release=2"
    rolled = replace(RUNNING, phase="rolled_back", reason="WORSE_THAN_STABLE")
    assert row(rolled).command.endswith("-e rollout_supersede=true")
    assert row(replace(rolled, reason="controller_lost")).command.endswith("rollout_release=2")
    # Of all regions that were to go back: the rollout itself would be refused by those that are back already.
    back = replace(RUNNING, phase="rolling_back", intent={"act": "restore", "fence": 5})
    assert row(back).command == f"{CALL}rollback.yml -e rollback_of=2"
    assert row(replace(back, intent={"act": "cut"})).command.endswith("ga_rollout.yml -e rollout_release=2")


def test_the_table_has_equal_columns() -> None:
    lines = overview.table([row(RUNNING, LIVE), row(None)])
    assert lines[0].split() == [
        "region",
        "release",
        "phase",
        "cohort",
        "stage",
        "weight",
        "who",
        "since",
        "go",
        "on",
        "with",
    ]
    assert lines[1].index("canary") == lines[0].index("phase") == lines[2].index("no release")
