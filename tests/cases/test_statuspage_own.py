# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of our own in the form of the case file: what its examples do not show, and what must be refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .statuspage_format import Double
from .test_statuspage_cases import play

FIXTURES = json.loads((Path(__file__).parent / "statuspage_cases.json").read_text(encoding="utf-8"))["fixtures"]
PAGE = f"/v1/pages/{FIXTURES['page_id']}"
KEY = "tars-v1.0.1-ga"
ROLLBACK = f"{KEY}-rollback"
EVALUATION, DASHBOARD, GROUP = "8kbf7d35c070", "vtnh60py4yd7", "grp000000001"
WINDOW = {"scheduled_for": "2025-11-20T02:00:00Z", "scheduled_until": "2025-11-20T03:00:00Z"}
BODY = "We are deploying T.A.R.S. v1.0.1. No downtime expected."
NEW: dict[str, Any] = {
    "kind": "maintenance",
    "key": KEY,
    "name": "T.A.R.S. v1.0.1 Production Deployment",
    "status": "scheduled",
    "body": BODY,
    "component_ids": [EVALUATION, DASHBOARD],
    "impact_override": "maintenance",
    **WINDOW,
}
REALTIME = {"kind": "realtime", "key": ROLLBACK}
SEARCH = {"method": "GET", "path": f"{PAGE}/incidents", "query": {"limit": "100", "page": "1"}}
PARTS = {"method": "GET", "path": f"{PAGE}/components", "query": {"page": "1", "per_page": "100"}}
MAINTENANCE_ID, REALTIME_ID = "m1aaaaaaaaaa", "r1eeeeeeeeee"


def fixture(name: str, **other: Any) -> dict[str, Any]:
    return {**copy.deepcopy(FIXTURES["incidents"][name]), **other}


def post(**fields: Any) -> dict[str, Any]:
    key = fields.pop("key", KEY)
    body = {"deliver_notifications": False, "metadata": {"tars": {"key": key}}, **fields}
    return {"method": "POST", "path": f"{PAGE}/incidents", "json": {"incident": body}}


def patch(incident_id: str = MAINTENANCE_ID, **fields: Any) -> dict[str, Any]:
    body = {"deliver_notifications": False, **fields}
    return {"method": "PATCH", "path": f"{PAGE}/incidents/{incident_id}", "json": {"incident": body}}


def set_part(component_id: str, status: str) -> dict[str, Any]:
    return {"method": "PATCH", "path": f"{PAGE}/components/{component_id}", "json": {"component": {"status": status}}}


def changes(params: dict[str, Any], *requests: Any, again: Any = (SEARCH,), **given: Any) -> dict[str, Any]:
    """Changes the page by these requests; the same task again only reads."""
    return {
        "module": "statuspage_incident",
        "given": given,
        "params": params,
        "expect": {"requests": list(requests), "changed": True},
        "rerun": {"requests": list(again), "changed": False},
    }


def same(params: dict[str, Any], *requests: Any, **given: Any) -> dict[str, Any]:
    expect = {"requests": list(requests or (SEARCH,)), "changed": False}
    return {"module": "statuspage_incident", "given": given, "params": params, "expect": expect}


def refuses(params: dict[str, Any], regex: str, *requests: Any, **given: Any) -> dict[str, Any]:
    expect = {"requests": list(requests), "changed": False, "failed": True, "msg_regex": regex}
    return {"module": "statuspage_incident", "given": given, "params": params, "expect": expect}


def part(params: dict[str, Any], *requests: Any, **expect: Any) -> dict[str, Any]:
    given = expect.pop("given", {})
    return {
        "module": "statuspage_component",
        "given": given,
        "params": params,
        "expect": {"requests": list(requests), **expect},
    }


def fault(match: str, times: int = 1, **what: Any) -> list[dict[str, Any]]:
    return [{"match": match, "times": times, **what}]


CREATED = post(**{name: value for name, value in NEW.items() if name not in ("kind", "key")})
LATE = "2025-11-20T04:00:00Z"
DROP = {"effect": "apply_then_drop_connection"}
STARTED = {"kind": "maintenance", "key": KEY, "status": "in_progress", "body": "Started."}
ENDED = {"kind": "maintenance", "key": KEY, "status": "completed", "body": "Done."}
OWN_ID = {"method": "GET", "path": f"{PAGE}/incidents/{MAINTENANCE_ID}"}
ROLLED_BACK = "T.A.R.S. v1.0.1 rollback"

CASES: dict[str, dict[str, Any]] = {
    "the next status with its text": changes(
        STARTED, SEARCH, patch(status="in_progress", body="Started."), incidents=["maint_scheduled"]
    ),
    "another text in the same status": changes(
        {**NEW, "body": "A bit later."}, SEARCH, patch(body="A bit later."), incidents=["maint_scheduled"]
    ),
    "the same text in the same status": same(NEW, incidents=["maint_scheduled"]),
    "notifications alone are no change": same({**NEW, "deliver_notifications": True}, incidents=["maint_scheduled"]),
    "a longer window": changes(
        {**NEW, "scheduled_until": LATE}, SEARCH, patch(scheduled_until=LATE), incidents=["maint_scheduled"]
    ),
    "a new name and impact": changes(
        {"kind": "maintenance", "key": KEY, "name": "New", "impact_override": "minor"},
        SEARCH,
        patch(name="New", impact_override="minor"),
        incidents=["maint_scheduled"],
    ),
    "automation of a window that is there": changes(
        {"kind": "maintenance", "key": KEY, "auto_transition": True},
        SEARCH,
        patch(
            **dict.fromkeys(
                (
                    "scheduled_auto_in_progress",
                    "scheduled_auto_completed",
                    "auto_transition_to_maintenance_state",
                    "auto_transition_to_operational_state",
                ),
                True,
            )
        ),
        incidents=["maint_scheduled"],
    ),
    "a window that the service moved on is not taken back": same(
        {**NEW, "auto_transition": True},
        incidents=[
            fixture(
                "maint_in_progress",
                scheduled_auto_in_progress=True,
                scheduled_auto_completed=True,
                auto_transition_to_maintenance_state=True,
                auto_transition_to_operational_state=True,
            )
        ],
    ),
    "components go back with the end": changes(
        {**ENDED, "restore_components": True},
        SEARCH,
        patch(status="completed", body="Done.", components={EVALUATION: "operational", DASHBOARD: "operational"}),
        incidents=["maint_in_progress"],
    ),
    "an incident by its id": changes(
        {**STARTED, "incident_id": MAINTENANCE_ID},
        OWN_ID,
        patch(status="in_progress", body="Started."),
        again=[OWN_ID],
        incidents=["maint_scheduled"],
    ),
    "an incident by its id alone": changes(
        {"incident_id": MAINTENANCE_ID, "status": "verifying"},
        OWN_ID,
        patch(status="verifying"),
        again=[OWN_ID],
        incidents=["maint_in_progress"],
    ),
    "the second page": same(
        NEW, SEARCH, {**SEARCH, "query": {"limit": "100", "page": "2"}}, incidents=["maint_scheduled"], filler_newer=150
    ),
    "a name alone is nobody's": changes(NEW, SEARCH, CREATED, incidents=["maint_no_metadata"]),
    "metadata of others is kept": changes(
        {**NEW, "adopt": "name"},
        SEARCH,
        patch("m2bbbbbbbbbb", metadata={"jira": {"id": "A-1"}, "tars": {"region": "eu", "key": KEY}}),
        incidents=[fixture("maint_no_metadata", metadata={"jira": {"id": "A-1"}, "tars": {"region": "eu"}})],
    ),
    "an ended incident is opened when that is said": changes(
        {**REALTIME, "status": "monitoring", "reopen": True},
        SEARCH,
        patch(REALTIME_ID, status="monitoring"),
        incidents=["rt_resolved"],
    ),
    "a historical incident": changes(
        {"kind": "historical", "key": "h1", "name": "Past outage", "body": "x", "backfill_date": "2025-10-01"},
        SEARCH,
        post(key="h1", name="Past outage", body="x", backfilled=True, backfill_date="2025-10-01"),
    ),
    "a realtime incident with statuses": changes(
        {**REALTIME, "name": "x", "status": "investigating", "components": {EVALUATION: "major_outage"}},
        SEARCH,
        post(key=ROLLBACK, name="x", status="investigating", components={EVALUATION: "major_outage"}),
    ),
    "components are looked at first": changes(
        {**NEW, "validate_components": True}, PARTS, SEARCH, CREATED, again=[PARTS, SEARCH]
    ),
    "a draft of a postmortem": changes(
        {**REALTIME, "postmortem": {"body": "Draft"}},
        SEARCH,
        {"method": "GET", "path": f"{PAGE}/incidents/{REALTIME_ID}/postmortem"},
        {
            "method": "PUT",
            "path": f"{PAGE}/incidents/{REALTIME_ID}/postmortem",
            "json": {"postmortem": {"body_draft": "Draft"}},
        },
        again=[SEARCH, {"method": "GET", "path": f"{PAGE}/incidents/{REALTIME_ID}/postmortem"}],
        incidents=["rt_resolved"],
    ),
    "an update that brought no answer was done": changes(
        STARTED,
        SEARCH,
        patch(status="in_progress", body="Started."),
        SEARCH,
        incidents=["maint_scheduled"],
        faults=fault("PATCH", **DROP),
    ),
    "an update that failed is sent again": changes(
        STARTED,
        SEARCH,
        patch(status="in_progress", body="Started."),
        SEARCH,
        patch(status="in_progress", body="Started."),
        incidents=["maint_scheduled"],
        faults=fault("PATCH", status=502),
    ),
    "a creation that was turned away is sent again": changes(
        NEW, SEARCH, CREATED, CREATED, faults=fault("POST", status=429, headers={"Retry-After": "1"})
    ),
    "a page of a gateway in place of the answer": changes(
        NEW, SEARCH, CREATED, SEARCH, CREATED, faults=fault("POST", status=200, text="<html>Login</html>")
    ),
    "reading again after 503": changes(NEW, SEARCH, SEARCH, CREATED, faults=fault("GET", status=503)),
    "a longer wait than allowed": refuses(
        {**NEW, "rate_limit_max_wait": 5},
        "420.*Retry-After: 60",
        SEARCH,
        faults=fault("GET", status=420, headers={"Retry-After": "60"}),
    ),
    "an HTML page in place of the list": refuses(
        NEW, "HTTP 200 with an HTML page", SEARCH, faults=fault("GET", status=200, text="<html>Login</html>")
    ),
    "an object in place of the list": refuses(NEW, "a list", SEARCH, faults=fault("GET", status=200, json={"a": 1})),
    "422 is not repeated": refuses(
        NEW, "too long", SEARCH, CREATED, faults=fault("POST", 9, status=422, json={"error": ["Name is too long"]})
    ),
    "a status of the other kind": refuses({**NEW, "status": "monitoring"}, "monitoring.*maintenance"),
    "a maintenance status for an incident": refuses({**REALTIME, "name": "x", "status": "scheduled"}, "realtime"),
    "a status of the other kind, by id": refuses(
        {"incident_id": MAINTENANCE_ID, "status": "resolved"}, "maintenance", OWN_ID, incidents=["maint_scheduled"]
    ),
    "an equal window": refuses({**NEW, "scheduled_until": WINDOW["scheduled_for"]}, "not after"),
    "a reversed window": refuses({**NEW, "scheduled_until": "2025-11-20T01:00:00+00:00"}, "not after"),
    "a window that becomes reversed": refuses(
        {"kind": "maintenance", "key": KEY, "scheduled_for": LATE}, "not after", SEARCH, incidents=["maint_scheduled"]
    ),
    "a time without zone": refuses({**NEW, "scheduled_for": "2025-11-20T02:00:00"}, "time zone"),
    "a day that is none": refuses({**NEW, "scheduled_for": "2025-02-30T02:00:00Z"}, "time zone"),
    "a long name": refuses({**NEW, "name": "n" * 256}, "256.*255"),
    "a long body": refuses({**NEW, "body": "n" * 25001}, "25001.*25000"),
    "impact": refuses({**NEW, "impact": "minor"}, "impact_override"),
    "an unknown component": refuses(
        {**NEW, "component_ids": ["zzzzzzzzzzzz"], "validate_components": True}, "zzzzzzzzzzzz", PARTS
    ),
    "a name where an id is meant": refuses(
        {**NEW, "component_ids": ["Dashboard API"]}, "Dashboard API.*vtnh60py4yd7", PARTS
    ),
    "two incidents with one key": refuses(
        NEW,
        "m1aaaaaaaaaa.*m9aaaaaaaaaa",
        SEARCH,
        incidents=["maint_scheduled", fixture("maint_scheduled", id="m9aaaaaaaaaa")],
    ),
    "a key of the other kind": refuses({**REALTIME, "key": KEY}, "maintenance", SEARCH, incidents=["maint_scheduled"]),
    "a name of somebody else": refuses(
        {**NEW, "key": "other", "adopt": "name"}, f"m1aaaaaaaaaa.*{KEY}", SEARCH, incidents=["maint_scheduled"]
    ),
    "two with the name to adopt": refuses(
        {**NEW, "adopt": "name"},
        "m2bbbbbbbbbb.*m9aaaaaaaaaa",
        SEARCH,
        incidents=["maint_no_metadata", fixture("maint_no_metadata", id="m9aaaaaaaaaa")],
    ),
    "an ended incident stays so": refuses(
        {**REALTIME, "status": "monitoring"}, "reopen", SEARCH, incidents=["rt_resolved"]
    ),
    "nothing to update and no name": refuses(STARTED, "name", SEARCH),
    "an id that is not there": refuses(
        {**NEW, "incident_id": "nnnnnnnnnnnn"},
        "nnnnnnnnnnnn",
        {"method": "GET", "path": f"{PAGE}/incidents/nnnnnnnnnnnn"},
    ),
    "an id of another key": refuses(
        {**NEW, "key": "other", "incident_id": MAINTENANCE_ID}, KEY, OWN_ID, incidents=["maint_scheduled"]
    ),
    "deletion without permission": refuses({"kind": "maintenance", "key": KEY, "state": "absent"}, "allow_delete"),
    "reminders for a maintenance": refuses({**NEW, "reminder_intervals": 4}, "reminder_intervals"),
    "an update that is not there": refuses(
        {**REALTIME, "edit_update": {"update_id": "u1", "body": "x"}}, "u1.*u9", SEARCH, incidents=["rt_identified"]
    ),
    "no kind": refuses({"key": KEY}, "kind"),
    "no key": refuses({"kind": "realtime", "name": "x"}, "key"),
    "an empty token": refuses({**NEW, "api_key": ""}, "api_key"),
    "another page": refuses(
        {**NEW, "page_id": "another00page"}, "404", {**SEARCH, "path": "/v1/pages/another00page/incidents"}
    ),
    "a component by its id": part(
        {"component_id": DASHBOARD, "status": "partial_outage"},
        PARTS,
        set_part(DASHBOARD, "partial_outage"),
        changed=True,
    ),
    "an unknown name of a component": part(
        {"component": "Nobody", "status": "operational"}, PARTS, changed=False, failed=True, msg_regex="Nobody"
    ),
    "a group": part(
        {"component": "Core services", "status": "operational"},
        PARTS,
        changed=False,
        failed=True,
        msg_regex="grp000000001.*derived",
    ),
    "a rate limit is never taken for absence": part(
        {"component": "Evaluation Engine", "status": "operational", "rate_limit_max_wait": 1},
        PARTS,
        changed=False,
        failed=True,
        msg_regex="420",
        given={"faults": fault("GET", 9, status=420, headers={"Retry-After": "9"})},
    ),
    "all components": part(
        {"all": "major_outage"},
        PARTS,
        set_part(EVALUATION, "major_outage"),
        set_part(DASHBOARD, "major_outage"),
        changed=True,
    ),
    "all but those of open incidents": part(
        {"all": True, "status": "under_maintenance", "skip_if_in_open_incident": True},
        PARTS,
        SEARCH,
        set_part(DASHBOARD, "under_maintenance"),
        changed=True,
        skipped=[EVALUATION],
        given={"incidents": ["rt_identified"]},
    ),
}


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    running = Double(tmp_path_factory.mktemp("double"), FIXTURES["api_key"], FIXTURES["page_id"])
    yield running
    running.close()


@pytest.mark.parametrize("name", CASES)
def test_own_case(name: str, double: Double) -> None:
    case = {**CASES[name], "fixtures": FIXTURES}
    double.reset(case)
    play(case, double)


@pytest.mark.parametrize("name", ["the next status with its text", "another text in the same status", "all components"])
def test_check_mode_reads_the_same_and_writes_nothing(name: str, double: Double) -> None:
    case = {**CASES[name], "fixtures": FIXTURES}
    reads = [asked for asked in case["expect"]["requests"] if asked["method"] == "GET"]
    case |= {"check_mode": True, "expect": {"requests": reads, "changed": True, "diff": True}}
    case.pop("rerun", None)
    double.reset(case)
    play(case, double)


def test_the_limit_of_calls_is_a_rolling_window(double: Double) -> None:
    double.reset({"fixtures": {**FIXTURES, "rate_limit": {"requests": 2, "window_s": 1, "status": 429}}})
    headers = {"Authorization": f"OAuth {FIXTURES['api_key']}"}
    answers = [double.session.get(f"{double.root}{PAGE}/incidents", headers=headers, timeout=10) for _turn in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"
    ran = double.run("statuspage_incident", NEW)
    assert ran.result["changed"] is True and ran.requests[-1]["status"] == 201
