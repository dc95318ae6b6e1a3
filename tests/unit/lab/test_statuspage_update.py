# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage double: changes of an incident."""

from __future__ import annotations

from typing import Any

import pytest
from statuspage_client import EVALUATION, WINDOW, Client


def test_status_or_body_append_an_update(page: Client) -> None:
    made = page.made(name="x", status="investigating", body="one")
    page.patch(made, status="monitoring", body="two", deliver_notifications=False)
    now = page.patch(made, status="resolved").json()
    told = [(update["status"], update["body"]) for update in now["incident_updates"]]
    assert told == [("resolved", ""), ("monitoring", "two"), ("investigating", "one")]
    assert now["monitoring_at"] and now["resolved_at"]
    assert now["updated_at"] >= made["updated_at"] and now["created_at"] == made["created_at"]
    opened = page.patch(made, status="identified").json()
    assert opened["resolved_at"] is None


def test_other_fields_append_none(page: Client) -> None:
    made = page.made(name="x")
    now = page.call("PUT", f"/incidents/{made['id']}", json={"incident": {"name": "y", "impact_override": "minor"}})
    assert now.status_code == 200
    assert (now.json()["name"], now.json()["impact"], len(now.json()["incident_updates"])) == ("y", "minor", 1)


def test_complete_and_restore_in_one_call(page: Client) -> None:
    made = page.made(name="x", **WINDOW, components={EVALUATION: "under_maintenance"})
    now = page.patch(made, status="completed", body="Done.", components={EVALUATION: "operational"}).json()
    assert now["components"][0]["status"] == "operational"
    assert now["incident_updates"][0]["affected_components"][0]["new_status"] == "operational"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "incident"),
        ({"status": "identified"}, "status"),
        ({"scheduled_until": "2025-11-20T01:59:59Z"}, "scheduled_until"),
        ({"backfilled": True}, "backfilled"),
        ({"message": "y"}, "message"),
        ({"components": {"nobody000000": "operational"}}, "components"),
        ({"metadata": {"other": {}}}, "metadata"),
        ({"metadata": {"tars": {"release": "1"}}}, "metadata"),
        ({"reminder_intervals": "4"}, "reminder_intervals"),
    ],
)
def test_a_wrong_change_changes_nothing(page: Client, fields: dict[str, Any], field: str) -> None:
    made = page.made(name="x", **WINDOW, metadata={"tars": {"key": "k"}})
    response = page.patch(made, **fields)
    assert response.status_code == 422, response.text
    assert field in response.json()["error"]
    assert page.call("GET", f"/incidents/{made['id']}").json() == made


def test_a_realtime_incident_becomes_no_maintenance(page: Client) -> None:
    made = page.made(name="x")
    assert page.patch(made, **WINDOW).status_code == 422
    assert page.patch(made, status="completed").status_code == 422


def test_merged_metadata_passes(page: Client) -> None:
    made = page.made(name="x", metadata={"tars": {"key": "k"}, "other": {"a": 1}})
    whole = {"tars": {"key": "k2", "run": "1"}, "other": {"a": 1}}
    assert page.patch(made, metadata=whole).json()["metadata"] == whole


def test_a_change_of_nobody_is_404(page: Client) -> None:
    assert page.patch({"id": "zzzzzzzzzzzz"}, name="x").status_code == 404
