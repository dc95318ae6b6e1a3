# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's arithmetic: from a ledger and requests to rows, from rows to the verdict of the demo itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from tars_demo import __main__ as demo
from tars_demo import report, story
from tars_demo.child import Ended
from tars_demo.lab import next_release
from tars_demo.load import Totals
from tars_demo.report import Part

BAKES = {"stage": 15.0, "soak": 15.0, "back": 10.0}
PASSED = {"verdict": "pass", "decided_after_s": 15.2, "lines": ["api fine"]}


def event(at: float, phase: str, region: str = "us-west-2", **data: Any) -> Event:
    return Event(moment(at), region, "1.0.1", "step", phase, "", {"phase": phase, **data})


def rollout() -> list[story.Row]:
    events = [
        event(0, "planned"),
        event(1, "migrated"),
        event(21, "canary", cohort="backend", stage=0, intent={"act": "weight"}),
        event(40, "canary", cohort="backend", stage=0, evidence=PASSED),
        event(41, "canary", cohort="backend", stage=1, intent={"act": "weight"}, evidence=PASSED),
        Event(moment(42), "us-west-2", "1.0.1", "weight", "api", "", {}),
        event(60, "soaking", cohort="backend", stage=1, intent={"act": "soak"}, evidence=PASSED),
        event(80, "promoting", cohort="promotion", stage=0, intent={"act": "helm"}),
        event(99, "promoting", cohort="promotion", stage=2, intent={"act": "weight"}),
        event(120, "promoting", cohort="promotion", stage=3, intent={"act": "remove canary"}),
        event(130, "promoted", cohort="promotion", stage=3),
    ]
    return story.rows(events, BAKES)


def test_a_row_per_step_that_lasts_until_the_next_begins() -> None:
    rows = rollout()
    assert [(row.step, row.took) for row in rows] == [
        ("planned", 1),
        ("canary made", 20),
        ("backend[0]", 20),
        ("backend[1]", 19),
        ("soak 100 %", 20),
        ("stable replaced", 19),
        ("back 100 %", 21),
        ("canary away", 10),
        ("promoted", 0),
    ]
    assert [round(row.beyond) for row in rows[2:5]] == [5, 4, 5]


def test_a_verdict_belongs_to_the_step_that_it_ended_and_to_no_other() -> None:
    judged = [row for row in rollout() if row.verdict]
    assert [(row.step, row.verdict, row.decided_after, row.lines) for row in judged] == [
        ("backend[0]", "pass", 15.2, ("api fine",))
    ]


def test_regions_beside_each_other_are_kept_apart() -> None:
    events = [event(0, "planned", "a-1"), event(1, "planned", "b-2"), event(5, "migrated", "a-1")]
    assert [(row.region, row.step, row.took) for row in story.rows(events, BAKES)] == [
        ("a-1", "planned", 5),
        ("b-2", "planned", 0),
        ("a-1", "canary made", 0),
    ]


def test_requests_are_counted_in_the_step_of_their_region() -> None:
    rows = rollout()
    requests = [
        (21.0, "us-west-2", "api", False),
        (40.9, "us-west-2", "api", True),
        (41.0, "us-west-2", "api", False),
        (30.0, "staging", "api", True),
        (-3.0, "us-west-2", "api", True),
        (500.0, "us-west-2", "api", True),
    ]
    story.count(rows, requests)
    assert [(row.step, row.requests, row.failed) for row in rows if row.requests] == [
        ("backend[0]", 2, 1),
        ("backend[1]", 1, 0),
    ]


def parts(**changes: Any) -> tuple[Part, Part]:
    good = Part("1.0.1", 100, {"staging": {"outcome": "promoted"}, "us-west-2": {"outcome": "promoted"}}, code=0)
    good.totals = Totals(requests=report.ENOUGH)
    bad = Part("1.0.2-bad", 50, {"staging": {"outcome": "rolled_back", "decided_after_s": 12.5, "code": "x"}}, code=2)
    for name, value in changes.items():
        setattr(bad if name.startswith("bad_") else good, name.removeprefix("bad_"), value)
    return good, bad


NAMES = ["staging", "us-west-2"]


def test_the_document_of_a_demo_that_went_well() -> None:
    found = report.document(*parts(), NAMES)
    assert (found["ok"], found["problems"]) == (True, [])
    assert found["good"]["result"] == "promoted"
    assert (found["good"]["requests"], found["good"]["failed_requests"]) == (10_000, 0)
    assert (found["bad"]["result"], found["bad"]["decided_after_s"]) == ("rolled_back", 12.5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": 2}, "was not promoted everywhere"),
        ({"outcomes": {"staging": {"outcome": "promoted"}}}, "was not promoted everywhere: staging promoted"),
        ({"totals": Totals(requests=20_000, failed=1, failures={"reset": 1})}, "1 requests failed"),
        ({"totals": Totals(requests=9_999)}, "only 9999 requests were sent"),
        ({"bad_outcomes": {}}, "no region was entered"),
        ({"bad_outcomes": {"staging": {"outcome": "holding"}}}, "was not rolled back in its first region alone"),
        (
            {"bad_outcomes": {"staging": {"outcome": "promoted"}, "us-west-2": {"outcome": "rolled_back"}}},
            "was not rolled back in its first region alone",
        ),
    ],
)
def test_a_demo_that_did_not_show_it_says_why(changes: dict[str, Any], said: str) -> None:
    good, bad = parts(**changes)
    assert [text for text in report.problems(good, bad, NAMES) if said in text]
    assert report.document(good, bad, NAMES)["ok"] is False
    assert [line for line in report.tables(good, bad, NAMES) if line.startswith("NOT AS IT SHOULD BE") and said in line]


def test_the_next_releases_are_above_all_that_run() -> None:
    assert next_release(["1.0.0", "1.0.0"]) == ("1.0.1", "1.0.2-bad")
    assert next_release(["1.0.9", "1.0.11", "nightly"]) == ("1.0.12", "1.0.13-bad")


def test_the_planned_seconds_are_those_of_the_inventory() -> None:
    values = yaml.safe_load((demo.ROOT / "inventories/lab/group_vars/all.yml").read_text())
    assert {stage["bake"] for stage in values["rollout_stages"]} == {f"{demo.PLANNED['stage']:.0f}s"}
    assert values["rollout_soak"] == demo.PLANNED["soak"]
    assert values["rollout_back_bake"] == f"{demo.PLANNED['back']:.0f}s"


def test_one_demo_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "build" / "demo.lock"
    told = rf"runs in this checkout already \(process {os.getpid()}\)"
    with demo.alone(lock), pytest.raises(Ended, match=told), demo.alone(lock):
        pass
    with demo.alone(lock):
        pass
