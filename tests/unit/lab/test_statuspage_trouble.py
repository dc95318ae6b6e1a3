# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage double: planted faults, the limit of calls, and the calls beside those on whole incidents."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from statuspage_client import DASHBOARD, EVALUATION, GROUP, WINDOW, Client


def test_a_fault_answers_in_place_of_doing_anything_and_counts_down(page: Client) -> None:
    fault = {"match": "POST .*/incidents", "status": 500, "times": 2, "headers": {"X-Fault": "1"}, "text": "<html>"}
    page.control("POST", "reset", json={"faults": [fault]})
    for _turn in range(2):
        answer = page.create(name="x")
        assert (answer.status_code, answer.text, answer.headers["X-Fault"]) == (500, "<html>", "1")
        assert answer.headers["Content-Type"].startswith("text/html")
    assert page.create(name="x").status_code == 201
    journal = page.control("GET", "requests")["requests"]
    assert [entry["status"] for entry in journal] == [500, 500, 201]
    assert journal[0]["body"] == {"incident": {"name": "x"}}
    assert len(page.control("GET", "incidents")) == 1


def test_a_dropped_connection_leaves_what_was_done(page: Client) -> None:
    page.control("POST", "reset", json={"faults": [{"match": "POST", "effect": "apply_then_drop_connection"}]})
    with pytest.raises(requests.ConnectionError):
        page.create(name="x")
    assert [item["name"] for item in page.call("GET", "/incidents").json()] == ["x"]


def test_a_wrong_key_is_refused_before_any_fault(page: Client) -> None:
    page.control("POST", "reset", json={"faults": [{"match": ".*", "status": 500}]})
    assert page.call("GET", "/incidents", headers={"Authorization": "OAuth other"}).status_code == 401
    assert page.call("GET", "/incidents").status_code == 500


@pytest.mark.parametrize(
    "given",
    [
        {"faults": [{"match": "x"}]},
        {"faults": [{"match": "x", "status": 500, "effect": "apply_then_drop_connection"}]},
        {"faults": [{"match": "x", "effect": "explode"}]},
        {"faults": [{"match": "(", "status": 500}]},
        {"faults": [{"status": 500}]},
        {"faults": [5]},
        {"rate_limit": {"requests": 1, "per": 1}},
        {"rate_limit": {"requests": 1, "status": 503}},
        {"postmortems": [1]},
    ],
)
def test_a_reset_with_senseless_trouble_is_refused(page: Client, given: Any) -> None:
    answer = page.session.post(f"{page.root}/_double/reset", json=given, timeout=10)
    assert answer.status_code == 422, answer.text
    assert page.call("GET", "/incidents").status_code == 200


def test_the_window_of_calls_turns_away_and_does_not_count_what_it_turned_away(page: Client) -> None:
    page.control("POST", "reset", json={"rate_limit": {"requests": 2, "window_s": 60}})
    answers = [page.create(name="x") for _turn in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 420, 420]
    assert 55 <= int(answers[3].headers["Retry-After"]) <= 60
    page.control("POST", "reset")
    assert page.call("GET", "/incidents").status_code == 200


def test_an_incident_is_deleted_once(page: Client) -> None:
    incident = page.made(name="x")
    assert page.call("DELETE", f"/incidents/{incident['id']}").json()["id"] == incident["id"]
    assert page.call("DELETE", f"/incidents/{incident['id']}").status_code == 404
    assert page.call("GET", "/incidents").json() == []


def test_the_filtered_lists(page: Client) -> None:
    page.made(name="rt")
    page.patch(page.made(name="rt-ended"), status="resolved")
    page.made(name="past", status="scheduled", **WINDOW)
    page.made(
        name="next", status="scheduled", scheduled_for="2100-01-01T00:00:00Z", scheduled_until="2100-01-02T00:00:00Z"
    )
    page.patch(page.made(name="runs", status="scheduled", **WINDOW), status="in_progress")
    states = ("unresolved", "scheduled", "upcoming", "active_maintenance")
    found = {state: [item["name"] for item in page.call("GET", f"/incidents/{state}").json()] for state in states}
    assert found == {
        "unresolved": ["rt"],
        "scheduled": ["next", "past"],
        "upcoming": ["next"],
        "active_maintenance": ["runs"],
    }


def test_an_update_is_corrected(page: Client) -> None:
    incident = page.made(name="x", body="wrng")
    path = f"/incidents/{incident['id']}/incident_updates/{incident['incident_updates'][0]['id']}"
    assert page.call("PATCH", path, json={"incident_update": {"body": "right"}}).json()["body"] == "right"
    assert page.call("GET", f"/incidents/{incident['id']}").json()["incident_updates"][0]["body"] == "right"
    assert page.call("PATCH", path, json={"incident_update": {"status": "resolved"}}).status_code == 422
    assert page.call("PATCH", path, json={"incident_update": {"body": "n" * 25001}}).status_code == 422
    assert page.call("PATCH", path[:-1], json={"incident_update": {"body": "x"}}).status_code == 404


def test_a_postmortem_is_written_published_taken_back_and_deleted(page: Client) -> None:
    path = f"/incidents/{page.made(name='x')['id']}/postmortem"
    assert page.call("GET", path).json()["body_draft"] is None
    assert page.call("PUT", f"{path}/publish", json={"postmortem": {}}).status_code == 422
    assert page.call("PUT", path, json={"postmortem": {"body": "x"}}).status_code == 422
    assert page.call("PUT", path, json={"postmortem": {"body_draft": "Why"}}).json()["body"] is None
    public = page.call("PUT", f"{path}/publish", json={"postmortem": {"notify_subscribers": False}}).json()
    assert public["body"] == "Why" and public["published_at"]
    assert page.call("GET", "/incidents", params={"q": "why"}).json()[0]["postmortem_body"] == "Why"
    assert page.call("PUT", f"{path}/revert").json()["published_at"] is None
    assert page.call("DELETE", path).status_code == 204
    assert page.call("GET", path).json()["body_draft"] is None


def test_a_components_status_is_set_but_not_a_groups(page: Client) -> None:
    def set_status(component: str, status: str) -> int:
        return page.call("PATCH", f"/components/{component}", json={"component": {"status": status}}).status_code

    assert set_status(EVALUATION, "partial_outage") == 200
    assert (set_status(GROUP, "operational"), set_status(DASHBOARD, "broken")) == (422, 422)
    assert set_status("zzzzzzzzzzzz", "operational") == 404
    statuses = {item["id"]: item["status"] for item in page.call("GET", "/components").json()}
    assert statuses[EVALUATION] == "partial_outage" and statuses[DASHBOARD] == "operational"
    assert page.call("PATCH", f"/components/{EVALUATION}", json={"component": {"state": "x"}}).status_code == 422
