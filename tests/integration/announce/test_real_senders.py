# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Alertmanager: it keeps our silences, and sends its alerts to the doubles."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from announce_tools import ROUTING_KEY, TOKEN, Doubles, run
from tars_servers import programs

CONFIG = """
route:
  receiver: pager
  group_wait: 0s
  group_interval: 1s
  routes: [{{receiver: pager, continue: true}}, {{receiver: slack}}]
receivers:
  - name: pager
    pagerduty_configs: [{{routing_key: {key}, url: "{root}/v2/enqueue", send_resolved: true}}]
  - name: slack
    slack_configs: [{{api_url: "{root}/services/T00000000/B00000000/{token}", channel: "#tars-deployments"}}]
"""


@pytest.fixture
def alertmanager(doubles: Doubles, tmp_path: Path) -> Iterator[str]:
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIG.format(key=ROUTING_KEY, root=doubles.root, token=TOKEN), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(programs.alertmanager()),
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    _until(lambda: _ready(url), "Alertmanager to be ready")
    yield url
    process.terminate()
    process.wait(20)


def test_it_sends_to_the_doubles(alertmanager: str, doubles: Doubles) -> None:
    alert = {"labels": {"alertname": "HighErrorRate", "region": "eu", "severity": "critical"}}
    requests.post(f"{alertmanager}/api/v2/alerts", json=[alert], timeout=30).raise_for_status()
    _until(lambda: doubles.control("GET", "pagerduty")["alerts"], "the alert at PagerDuty")
    _until(lambda: doubles.control("GET", "slack")["messages"], "the message at Slack")
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


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False


def _until(look: Any, what: str) -> None:
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end, f"waited 60 s for {what}"
        time.sleep(0.2)
