# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage double: incidents that are made, and those that are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from statuspage_client import DASHBOARD, EVALUATION, GROUP, WINDOW, Client


def test_only_the_name_is_needed(page: Client) -> None:
    made = page.made(name="x")
    assert (made["status"], made["impact"], made["scheduled_for"]) == ("investigating", "none", None)
    assert re.fullmatch(r"[a-z0-9]{12}", made["id"])
    assert made["incident_updates"][0]["body"] == ""
    # The vendor's default tells every subscriber.
    assert made["incident_updates"][0]["deliver_notifications"] is True
    assert page.call("GET", f"/incidents/{made['id']}").json() == made
    assert page.call("GET", f"/incidents/{made['id']}.json").json() == made


def test_a_maintenance_window_with_everything(page: Client) -> None:
    made = page.made(
        name="Deployment",
        status="scheduled",
        body="No downtime expected.",
        impact_override="maintenance",
        component_ids=[EVALUATION, DASHBOARD],
        deliver_notifications=False,
        metadata={"tars": {"key": "tars-v1.0.1-ga"}},
        scheduled_auto_transition=True,
        auto_transition_to_operational_state=True,
        scheduled_for="2025-11-19T19:00:00-07:00",
        scheduled_until="2025-11-20T03:00:00.500Z",
    )
    assert made["scheduled_for"] == "2025-11-20T02:00:00.000Z"
    assert made["scheduled_until"] == "2025-11-20T03:00:00.500Z"
    assert made["scheduled_auto_in_progress"] is True
    assert made["metadata"] == {"tars": {"key": "tars-v1.0.1-ga"}}
    assert [item["name"] for item in made["components"]] == ["Evaluation Engine", "Dashboard API"]
    # An association changes no status.
    assert {item["status"] for item in made["components"]} == {"operational"}
    assert made["incident_updates"][0]["deliver_notifications"] is False


def test_a_component_map_sets_statuses_and_is_told_in_the_update(page: Client) -> None:
    made = page.made(name="x", components={EVALUATION: "partial_outage"})
    assert made["components"][0]["status"] == "partial_outage"
    change = made["incident_updates"][0]["affected_components"]
    assert change == [
        {
            "code": EVALUATION,
            "name": "Evaluation Engine",
            "old_status": "operational",
            "new_status": "partial_outage",
        }
    ]
    listed = {item["id"]: item["status"] for item in page.call("GET", "/components").json()}
    assert listed == {EVALUATION: "partial_outage", DASHBOARD: "operational", GROUP: "operational"}


def test_a_historical_incident(page: Client) -> None:
    made = page.made(name="Past outage", body="x", backfilled=True, backfill_date="2025-10-01")
    assert made["status"] == "resolved"


def test_forms_are_taken_as_well(page: Client) -> None:
    form = [
        ("incident[name]", "x"),
        ("incident[status]", "investigating"),
        ("incident[body]", "y"),
        ("incident[deliver_notifications]", "false"),
        ("incident[component_ids][]", EVALUATION),
        ("incident[component_ids][]", DASHBOARD),
        ("incident[components][" + EVALUATION + "]", "major_outage"),
        ("incident[metadata][tars][key]", "k"),
    ]
    response = page.call("POST", "/incidents", data=form)
    assert response.status_code == 201, response.text
    made = response.json()
    assert made["metadata"] == {"tars": {"key": "k"}}
    assert [item["status"] for item in made["components"]] == ["major_outage", "operational"]
    assert made["incident_updates"][0]["deliver_notifications"] is False


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"status": "investigating"}, "name"),
        ({"name": " "}, "name"),
        ({"name": 5}, "name"),
        ({"name": "n" * 256}, "name"),
        ({"body": "b" * 25001}, "body"),
        ({"status": "done"}, "status"),
        ({"status": ["resolved"]}, "status"),
        ({"status": "scheduled"}, "scheduled_for"),
        ({"status": "investigating", **WINDOW}, "status"),
        ({"scheduled_for": WINDOW["scheduled_for"]}, "scheduled_until"),
        ({**WINDOW, "scheduled_until": WINDOW["scheduled_for"]}, "scheduled_until"),
        ({**WINDOW, "scheduled_until": "2025-11-20T01:00:00Z"}, "scheduled_until"),
        ({**WINDOW, "scheduled_until": "2025-11-20T04:00:00+02:00"}, "scheduled_until"),
        ({**WINDOW, "scheduled_for": "2025-11-20"}, "scheduled_for"),
        ({**WINDOW, "scheduled_for": "2025-11-20T02:00:00"}, "scheduled_for"),
        ({**WINDOW, "scheduled_for": "2025-13-20T02:00:00Z"}, "scheduled_for"),
        ({"scheduled_auto_completed": True}, "scheduled_auto_completed"),
        ({"impact": "minor"}, "impact"),
        ({"message": "y"}, "message"),
        ({"impact_override": "huge"}, "impact_override"),
        ({"deliver_notifications": "false"}, "deliver_notifications"),
        ({"components": [EVALUATION]}, "components"),
        ({"components": {EVALUATION: "broken"}}, "components"),
        ({"components": {"nobody000000": "operational"}}, "components"),
        ({"components": {GROUP: "operational"}}, "components"),
        ({"component_ids": ["nobody000000"]}, "component_ids"),
        ({"component_ids": EVALUATION}, "component_ids"),
        ({"metadata": {"key": "k"}}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"backfill_date": "2025-10-01"}, "backfill_date"),
        ({"backfilled": True}, "backfill_date"),
        ({"backfilled": True, "backfill_date": "2025-10-01T00:00:00Z"}, "backfill_date"),
        ({"backfilled": True, "backfill_date": "2025-10-01", "component_ids": [EVALUATION]}, "component_ids"),
        ({"reminder_intervals": [1, 5]}, "reminder_intervals"),
        ({"reminder_intervals": "[5, 1]"}, "reminder_intervals"),
        ({"reminder_intervals": "[1, 1]"}, "reminder_intervals"),
        ({"reminder_intervals": "25"}, "reminder_intervals"),
        ({"reminder_intervals": "0"}, "reminder_intervals"),
        ({**WINDOW, "reminder_intervals": "4"}, "reminder_intervals"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_made(page: Client, fields: dict[str, Any], field: str) -> None:
    given = fields if field == "name" else {"name": "x", **fields}
    response = page.create(**given)
    assert response.status_code == 422, response.text
    assert field in response.json()["error"]
    assert page.call("GET", "/incidents").json() == []


@pytest.mark.parametrize("text", ["[1, 5, 7, 10]", "4", "[]", "24", None])
def test_legal_reminders(page: Client, text: str | None) -> None:
    assert page.made(name="x", reminder_intervals=text)["reminder_intervals"] == text


def test_the_longest_texts_fit(page: Client) -> None:
    made = page.made(name="n" * 255, body="b" * 25000)
    assert len(made["incident_updates"][0]["body"]) == 25000


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        # What curl sends when nobody names a type.
        ("application/x-www-form-urlencoded", '{"incident":{"name":"x"}}'),
        ("application/json", "incident[name]=x"),
        ("text/plain", '{"incident":{"name":"x"}}'),
        ("application/json", '{"name":"x"}'),
        ("application/json", '{"incident":{"name":"x"},"notify":true}'),
        ("application/json", '{"incident":["x"]}'),
        ("application/json", ""),
        ("application/json", b"\xff"),
        ("application/x-www-form-urlencoded", "name=x"),
        ("application/x-www-form-urlencoded", "incident[name]=x&incident[name]=y"),
        ("application/x-www-form-urlencoded", "incident[name]=x&incident[name][a]=y"),
        ("application/x-www-form-urlencoded", "incident[name][]=x"),
        ("application/x-www-form-urlencoded", "incident[][a]=x"),
        ("application/x-www-form-urlencoded", b"incident[name]=\xff"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_422(page: Client, kind: str, text: str | bytes) -> None:
    response = page.call("POST", "/incidents", data=text, headers={"Content-Type": kind})
    assert response.status_code == 422, response.text
    assert page.call("GET", "/incidents").json() == []
