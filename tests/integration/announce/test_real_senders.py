# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Alertmanager: it keeps our silences, and sends its alerts to the doubles."""

from __future__ import annotations

from typing import Any

import requests
from announce_tools import Doubles, run, until


def test_it_sends_to_the_doubles(alertmanager: str, doubles: Doubles) -> None:
    alert = {"labels": {"alertname": "HighErrorRate", "region": "eu", "severity": "critical"}}
    requests.post(f"{alertmanager}/api/v2/alerts", json=[alert], timeout=30).raise_for_status()
    until(lambda: doubles.control("GET", "pagerduty")["alerts"], "the alert at PagerDuty")
    until(lambda: doubles.control("GET", "slack")["messages"], "the message at Slack")
    assert doubles.problems() == []


def test_a_silence_is_kept_moved_and_taken_away(alertmanager: str) -> None:
    wanted: dict[str, Any] = {"url": alertmanager, "key": "tars/1.0.1/eu", "region": "eu"}
    wanted["matchers"] = [{"name": "track", "value": "canary"}]
    assert run("alertmanager_silence", wanted, check=True)["act"] == "sent"
    made = run("alertmanager_silence", wanted)
    assert made["act"] == "sent"
    assert run("alertmanager_silence", wanted)["changed"] is False
    assert run("alertmanager_silence", {**wanted, "region": "us", "key": "tars/1.0.1/us"})["act"] == "sent"
    longer = run("alertmanager_silence", {**wanted, "duration": 10000})
    assert (longer["act"], longer["silence_id"]) == ("updated", made["silence_id"])
    other = run("alertmanager_silence", {**wanted, "matchers": []})
    assert other["act"] == "updated" and other["silence_id"] != made["silence_id"]
    assert run("alertmanager_silence", {**wanted, "state": "absent"})["act"] == "removed"
    assert run("alertmanager_silence", {**wanted, "state": "absent"})["changed"] is False
    listed = requests.get(f"{alertmanager}/api/v2/silences", timeout=30).json()
    active = [item["matchers"][0]["value"] for item in listed if item["status"]["state"] == "active"]
    assert active == ["us"], "the other region's silence is untouched"
    assert run("alertmanager_silence", {**wanted, "duration": 5})["reason"] == "message_invalid"
