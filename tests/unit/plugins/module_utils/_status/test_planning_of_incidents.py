# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a status call asks for, which incident is ours, and what is to be written: without a page."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._status import find, parts, plan, postmortem, words
from ansible_collections.tars.rollout.plugins.module_utils._status.wanted import wanted

KEY = "tars-v1"
NEW: dict[str, Any] = {
    "kind": "maintenance",
    "key": KEY,
    "name": "Deployment",
    "status": "scheduled",
    "body": "Soon.",
    "scheduled_for": "2025-11-20T02:00:00Z",
    "scheduled_until": "2025-11-20T03:00:00Z",
}


def incident(**other: Any) -> dict[str, Any]:
    update = {"id": "u1", "status": "scheduled", "body": "Soon.", "created_at": "2025-11-19T08:00:00.000Z"}
    return {
        "id": "m1aaaaaaaaaa",
        "name": "Deployment",
        "status": "scheduled",
        "impact_override": None,
        "metadata": {"tars": {"key": KEY}},
        "scheduled_for": "2025-11-19T19:00:00.000-07:00",
        "scheduled_until": "2025-11-19T20:00:00.000-07:00",
        "components": [],
        "incident_updates": [update],
        **other,
    }


def changed(params: dict[str, Any], **other: Any) -> dict[str, Any]:
    fields = plan.changes(wanted(params), incident(**other))
    if fields:
        assert fields.pop("deliver_notifications") is False
    return fields


def test_the_same_moment_in_another_zone_is_no_change() -> None:
    assert changed(NEW) == {}
    assert changed({**NEW, "scheduled_until": "2025-11-20T03:30:00Z"}) == {"scheduled_until": "2025-11-20T03:30:00Z"}


@pytest.mark.parametrize("text", ["2025-11-20 02:00:00+00:00", "2025-11-20t02:00:00z", "2025-11-20T02:00:00.000Z"])
def test_other_writings_of_a_moment_are_understood(text: str) -> None:
    assert changed({**NEW, "scheduled_for": text}) == {}


@pytest.mark.parametrize("text", ["", "tomorrow", "2025-11-20", "2025-11-20T02:00:00", "2025-13-01T00:00:00Z", "1"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(RolloutError, match="time zone"):
        wanted({**NEW, "scheduled_for": text})


def test_the_newest_update_of_the_status_decides_about_the_text() -> None:
    updates = [
        {"id": "u3", "status": "in_progress", "body": "Soon.", "created_at": "2025-11-20T02:00:00Z"},
        {"id": "u2", "status": "scheduled", "body": "Later.", "created_at": "2025-11-19T09:00:00Z"},
        {"id": "u1", "status": "scheduled", "body": "Soon.", "created_at": "2025-11-19T08:00:00Z"},
    ]
    assert changed(NEW, incident_updates=updates) == {"body": "Soon."}
    assert changed(NEW, incident_updates=updates[1:][::-1]) == {"body": "Soon."}
    assert changed({**NEW, "body": "Later."}, incident_updates=updates) == {}


def test_without_any_update_the_text_is_sent() -> None:
    assert changed(NEW, incident_updates=[]) == {"body": "Soon."}
    assert changed(NEW, incident_updates=None) == {"body": "Soon."}


def test_a_status_without_a_text_sends_no_text() -> None:
    params = {"kind": "maintenance", "key": KEY, "status": "verifying"}
    assert changed(params, status="in_progress") == {"status": "verifying"}


def test_a_new_status_sends_its_text_even_if_it_was_said_before() -> None:
    assert changed(NEW, status="in_progress") == {"status": "scheduled", "body": "Soon."}
    assert changed({**NEW, "auto_transition": False}, status="in_progress")["status"] == "scheduled"


def test_a_terminal_status_is_left_only_when_that_is_said() -> None:
    with pytest.raises(RolloutError, match="reopen") as caught:
        changed(NEW, status="completed")
    assert caught.value.reason == "incident_ended"
    assert changed({**NEW, "reopen": True}, status="completed") == {"status": "scheduled", "body": "Soon."}
    ended = {"kind": "maintenance", "key": KEY, "status": "completed"}
    assert changed(ended, status="completed") == {}


@pytest.mark.parametrize("metadata", [None, {}, [], "odd", {"tars": None}, {"tars": {"key": 5}}])
def test_odd_metadata_holds_no_key(metadata: Any) -> None:
    assert words.key_of(incident(metadata=metadata)) == ""
    assert changed(NEW, metadata=metadata) == {"metadata": {"tars": {"key": KEY}}}


def test_components_are_compared_by_what_they_are() -> None:
    held = [{"id": "a" * 12, "status": "major_outage"}, {"id": "b" * 12, "status": "operational"}]
    ids = {"kind": "maintenance", "key": KEY, "component_ids": ["b" * 12, "a" * 12]}
    assert changed(ids, components=held) == {}
    assert changed({**ids, "component_ids": ["a" * 12]}, components=held) == {"component_ids": ["a" * 12]}
    assert changed({**ids, "component_ids": []}, components=held) == {"component_ids": []}
    both = {"kind": "maintenance", "key": KEY, "component_ids": ["a" * 12], "components": {"b" * 12: "operational"}}
    assert changed(both, components=held) == {}


def test_restoring_names_what_is_broken_and_no_group() -> None:
    held = [
        {"id": "a" * 12, "status": "major_outage"},
        {"id": "b" * 12, "status": "operational"},
        {"id": "g" * 12, "status": "major_outage", "group": True},
    ]
    params = {"kind": "maintenance", "key": KEY, "status": "completed", "restore_components": True}
    fields = changed(params, components=held)
    assert fields == {"status": "completed", "components": {"a" * 12: "operational"}}
    with pytest.raises(RolloutError, match="restore_components"):
        wanted({**params, "status": "verifying"})


@pytest.mark.parametrize("text", ["[1, 5]", "[1,5]"])
def test_reminders_are_compared_as_numbers(text: str) -> None:
    params = {"kind": "realtime", "key": KEY, "reminder_intervals": [1, 5]}
    assert changed(params, status="identified", reminder_intervals=text) == {}


@pytest.mark.parametrize("value", [0, 25, True, 1.5, "x", "[1, 1]", [2, 1], [True], {"a": 1}, "1, 5", [[1]]])
def test_reminders_that_make_no_sense(value: Any) -> None:
    with pytest.raises(RolloutError, match="reminder_intervals"):
        words.reminders(value)


@pytest.mark.parametrize(("value", "sent"), [("4", "4"), ("[1, 5]", "[1, 5]"), ([], "[]"), ([24], "[24]")])
def test_reminders_are_sent_as_text(value: Any, sent: str) -> None:
    assert words.reminders(value) == sent


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"scheduled_for": None, "scheduled_until": None}, "scheduled_for and scheduled_until"),
        ({"scheduled_until": None}, "scheduled_until"),
        ({"name": None}, "name"),
        ({"kind": "historical", "status": None, "scheduled_for": None, "scheduled_until": None}, "backfill_date"),
    ],
)
def test_what_is_needed_for_a_new_one(params: dict[str, Any], told: str) -> None:
    with pytest.raises(RolloutError, match=told):
        plan.creation(wanted({**NEW, **params}))


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"kind": "realtime", "status": "identified"}, "scheduled_for does not fit"),
        ({"backfill_date": "2025-10-01"}, "historical only"),
        ({"components": {"a" * 12: "broken"}}, "broken"),
        ({"adopt": "name", "name": None}, "without a name"),
        ({"name": "  "}, "empty"),
        ({"edit_update": {"update_id": "u", "body": "n" * 25001}}, "25000"),
    ],
)
def test_options_that_do_not_fit(params: dict[str, Any], told: str) -> None:
    with pytest.raises(RolloutError, match=told):
        wanted({**NEW, **params})


def test_an_incident_that_was_read_twice_is_one() -> None:
    assert find.by_key([incident(), incident()], KEY) == incident()
    assert find.by_key([incident(metadata=None)], KEY) is None


def test_open_ones_are_taken_over_before_ended_ones() -> None:
    asked = wanted({**NEW, "adopt": "name"})
    ended, still_open = incident(id="e", status="completed", metadata=None), incident(id="o", metadata=None)
    assert find.by_name([ended, still_open], asked) == still_open
    assert find.by_name([ended], asked) is None
    assert find.by_name([incident(id="r", status="identified", metadata=None)], asked) is None
    assert find.by_name([incident(status="completed", metadata={"tars": {"key": "old"}})], asked) is None


def test_what_a_postmortem_needs() -> None:
    asked = {"body": "Why", "publish": True, "notify_subscribers": False}
    quiet = {"notify_subscribers": False, "notify_twitter": False}
    assert postmortem.postmortem(asked, {}) == postmortem.PostmortemPlan("Why", quiet)
    assert postmortem.postmortem(asked, {"body_draft": "Why"}) == postmortem.PostmortemPlan(None, quiet)
    public = {"body": "Why", "published_at": "2025-11-20T02:00:00Z"}
    assert not postmortem.postmortem(asked, public).changed
    assert postmortem.postmortem({**asked, "body": "More"}, public).draft == "More"
    assert postmortem.postmortem({"body": "Why"}, {"body_draft": "Why"}).changed is False


def test_touched_components_are_those_of_open_incidents() -> None:
    held = [{"id": "a"}]
    assert parts.touched([incident(components=held)]) == {"a"}
    assert parts.touched([incident(components=held, status="completed")]) == set()


def test_a_diff_shows_what_is_written() -> None:
    fields = plan.changes(wanted({**NEW, "body": "Now.", "status": "in_progress"}), incident())
    diff = plan.difference(incident(), fields)
    assert diff == {
        "before": {"status": "scheduled", "body": "Soon."},
        "after": {"status": "in_progress", "body": "Now."},
    }
