# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One event to all receivers: told once, brought up to date, off the critical path, tried again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from announce_tools import PAGE, ROUTING_KEY, TOKEN, Doubles, run


def event(doubles: Doubles, folder: Path, name: str, **more: Any) -> dict[str, Any]:
    """The options that tell ``us-west-2/<name>`` to a status page, Slack and PagerDuty."""
    status = {"started": "in_progress", "finished": "completed", "rolled_back": "completed"}[name.partition("/")[0]]
    window = {"scheduled_for": "2026-01-31T02:00:00Z", "scheduled_until": "2026-01-31T04:00:00Z", "name": "T.A.R.S."}
    named = window if status == "in_progress" else {}
    contents = {
        "page": {"kind": "maintenance", "status": status, "body": f"{name}.", **named},
        "slack": {"channel": "tars-deployments", "text": f"now {name}", "reply": name},
        "pager": {"action": "trigger", "summary": name, "severity": "error"},
    }
    return {
        "receivers": [
            {"name": "page", "type": "statuspage", "page_id": PAGE, "token": TOKEN, "url": f"{doubles.root}/v1"},
            {"name": "slack", "type": "slack", "token": TOKEN, "url": f"{doubles.root}/api"},
            {"name": "pager", "type": "pagerduty", "routing_key": ROUTING_KEY, "url": doubles.root},
        ],
        "messages": [
            {"to": to, "key": "tars-1.0.1", "event": f"us-west-2/{name}", "content": content}
            for to, content in contents.items()
        ],
        "sent_file": str(folder / "announced.json"),
        "ledger": str(folder / "ledger.jsonl"),
        "region": "us-west-2",
        "release": "1.0.1",
        "budget": 60,
        **more,
    }


def acts(result: dict[str, Any]) -> list[str]:
    assert "results" in result, result
    return [item["act"] for item in result["results"]]


def test_an_event_is_told_once_and_the_next_one_updates(doubles: Doubles, tmp_path: Path) -> None:
    assert acts(run("rollout_announce", event(doubles, tmp_path, "started"), check=True)) == ["sent"] * 3
    assert {entry["method"] for entry in doubles.journal()} <= {"GET"}
    assert acts(run("rollout_announce", event(doubles, tmp_path, "started"))) == ["sent"] * 3
    asked = len(doubles.journal())
    again = run("rollout_announce", event(doubles, tmp_path, "started"))
    assert (acts(again), again["changed"]) == (["unchanged"] * 3, False)
    assert len(doubles.journal()) == asked, "a second run asks nobody anything"
    assert acts(run("rollout_announce", event(doubles, tmp_path, "finished"))) == ["updated"] * 3
    messages = doubles.control("GET", "slack")["messages"]
    assert [item["text"] for item in messages] == ["now finished", "started", "finished"]
    assert [item["status"] for item in doubles.control("GET", "incidents")] == ["completed"]
    assert len(doubles.control("GET", "pagerduty")["alerts"]) == 1
    assert doubles.problems() == []
    told = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["subject"]) for line in told] == [
        ("announced", "us-west-2/started"),
        ("announced", "us-west-2/finished"),
    ]
    assert TOKEN not in (tmp_path / "announced.json").read_text()


def test_a_new_start_after_a_rollback_is_told(doubles: Doubles, tmp_path: Path) -> None:
    for name in ("started", "rolled_back"):
        run("rollout_announce", event(doubles, tmp_path, name))
    slack = event(doubles, tmp_path, "started")
    slack["messages"] = [item for item in slack["messages"] if item["to"] == "slack"]
    assert acts(run("rollout_announce", slack)) == ["updated"]
    texts = [item["text"] for item in doubles.control("GET", "slack")["messages"]]
    assert texts[1:] == ["started", "rolled_back", "started"]


def test_receivers_that_hang_cost_the_budget_and_are_tried_again(doubles: Doubles, tmp_path: Path) -> None:
    doubles.fault(".*", effect="hang", seconds=15)
    late = run("rollout_announce", event(doubles, tmp_path, "started", budget=2))
    assert acts(late) == ["failed"] * 3 and not late.get("failed") and late["waiting"] == 3
    # Of the 2 seconds; the rest is a busy machine's.
    assert late["elapsed"] < 10, late["elapsed"]
    doubles.control("POST", "faults", {"faults": []})
    retry = run("rollout_announce", event(doubles, tmp_path, "started", messages=[], retry=True))
    assert acts(retry) == ["sent"] * 3 and retry["waiting"] == 0
    assert acts(run("rollout_announce", event(doubles, tmp_path, "started"))) == ["unchanged"] * 3
    assert acts(run("rollout_announce", event(doubles, tmp_path, "started", messages=[], retry=True))) == []


def test_what_was_overtaken_is_not_told_late(doubles: Doubles, tmp_path: Path) -> None:
    doubles.fault(".*", status=503)
    run("rollout_announce", event(doubles, tmp_path, "started", budget=1))
    doubles.control("POST", "faults", {"faults": []})
    finished = event(doubles, tmp_path, "finished")
    finished["messages"] = [item for item in finished["messages"] if item["to"] == "pager"]
    run("rollout_announce", finished)
    late = run("rollout_announce", event(doubles, tmp_path, "started", messages=[], retry=True))
    # The key of the alert was told something newer, and is no longer waiting; the others are told now.
    assert sorted(acts(late)) == ["sent", "sent"]
    assert [item["summary"] for item in doubles.control("GET", "pagerduty")["alerts"]] == ["finished"]


def test_a_line_that_fails_brings_no_second_message(doubles: Doubles, tmp_path: Path) -> None:
    doubles.control("POST", "reset", {"rates": {"slack": {"requests": 1, "window_s": 60, "status": 429}}})
    params = event(doubles, tmp_path, "started", budget=3)
    assert acts(run("rollout_announce", params)) == ["sent", "failed", "sent"]
    kept = doubles.control("GET", "slack")["messages"]
    assert [item["text"] for item in kept] == ["now started"]
    doubles.control("POST", "clock", {"advance": 120})
    retry = run("rollout_announce", event(doubles, tmp_path, "started", messages=[], retry=True, budget=3))
    assert acts(retry) == ["sent"]
    assert [item["text"] for item in doubles.control("GET", "slack")["messages"]] == ["now started", "started"]


def test_what_was_never_begun_is_not_ended(doubles: Doubles, tmp_path: Path) -> None:
    params = event(doubles, tmp_path, "finished")
    params["messages"][2]["content"] = {"action": "resolve"}
    assert acts(run("rollout_announce", params)) == ["unchanged", "sent", "unchanged"]
    assert doubles.control("GET", "incidents") == [] and doubles.problems() == []


def test_public_messages_need_the_lease(doubles: Doubles, tmp_path: Path) -> None:
    result = run("rollout_announce", event(doubles, tmp_path, "started", may_speak=False))
    assert acts(result) == ["withheld", "sent", "sent"] and result["waiting"] == 0
    assert doubles.control("GET", "incidents") == []


def test_one_receiver_that_refuses_is_not_the_others(doubles: Doubles, tmp_path: Path) -> None:
    params = event(doubles, tmp_path, "started")
    params["messages"][1]["content"]["channel"] = "nowhere"
    result = run("rollout_announce", params)
    assert acts(result) == ["sent", "failed", "sent"] and result["not_told"] == ["slack"]
    # It was refused for good: to try the same again would not help.
    assert result["waiting"] == 0 and "channel_not_found" in json.dumps(result["warnings"])


def test_input_that_cannot_be_meant_is_refused(doubles: Doubles, tmp_path: Path) -> None:
    for change, seen in (
        ({"messages": [{"to": "nobody", "key": "k", "content": {}}]}, "nobody"),
        ({"messages": [{"to": "slack", "key": "k", "content": {"txt": "x"}}]}, "txt"),
        ({"messages": [{"to": "slack", "key": "k", "content": {}}]}, "text"),
        ({"budget": 0}, "budget"),
    ):
        result = run("rollout_announce", event(doubles, tmp_path, "started", **change))
        assert result["failed"] and seen in result["msg"], result["msg"]
    (tmp_path / "announced.json").write_text("[]")
    assert "announced.json" in json.dumps(run("rollout_announce", event(doubles, tmp_path, "started")))
