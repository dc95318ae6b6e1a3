# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubles of Slack, PagerDuty and GitHub take nothing that their services would not, and note every mistake."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from announce_tools import ROUTING_KEY, TOKEN, Doubles, start

SLACK = {"channel": "C0DEPLOY0001", "text": "x"}
PAGER = {
    "routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": "k",
    "payload": {"summary": "x", "source": "eu", "severity": "error"},
}  # fmt: skip
HUB = {
    "ref": "v1.0.1", "environment": "eu", "auto_merge": False, "required_contexts": [], "payload": {"tars_run": "k"},
}  # fmt: skip
PLACES: dict[str, tuple[str, dict[str, Any], str]] = {
    "slack": ("api/chat.postMessage", SLACK, f"Bearer {TOKEN}"),
    "pagerduty": ("v2/enqueue", PAGER, ""),
    "github": ("repos/example/tars/deployments", HUB, f"Bearer {TOKEN}"),
}
JSON = "application/json"


def ask(doubles: Doubles, name: str, *, kind: str = JSON, key: str = "", scheme: str = "Bearer") -> requests.Response:
    path, body, token = PLACES[name]
    headers = {
        "User-Agent": "test",
        **({"Content-Type": kind} if kind else {}),
        **({"Authorization": token.replace("Bearer", scheme)} if token else {}),
    }
    data = json.dumps({**body, **({key: "x"} if key else {})}).encode()
    return doubles.session.post(f"{doubles.root}/{path}", data=data, headers=headers, timeout=30)


def taken(doubles: Doubles, name: str) -> int:
    state = doubles.control("GET", name)
    return sum(len(state[part]) for part in ("messages", "alerts", "deployments") if part in state)


@pytest.mark.parametrize("name", PLACES)
def test_what_is_right_is_taken(doubles: Doubles, name: str) -> None:
    assert ask(doubles, name).ok and taken(doubles, name) == 1 and doubles.problems() == []


WRONG = {
    "unknown key": {"key": "no_such_key"}, "text/plain": {"kind": "text/plain"}, "no type": {"kind": ""},
    "other scheme": {"scheme": "OAuth"}, "scheme in small letters": {"scheme": "bearer"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "what"),
    # PagerDuty's key is in the body: it has no scheme.
    [(name, what) for name in PLACES for what in WRONG if name != "pagerduty" or "scheme" not in what],
)
def test_what_is_wrong_is_refused_and_noted(doubles: Doubles, name: str, what: str) -> None:
    answer = ask(doubles, name, **WRONG[what])
    # Slack refuses with 200.
    assert (answer.json()["ok"] is False) if name == "slack" else 400 <= answer.status_code < 500, answer.text
    assert taken(doubles, name) == 0 and doubles.problems() != []


def test_a_call_that_hangs_does_not_keep_the_double(tmp_path: Path) -> None:
    process, root = start(tmp_path)
    doubles = Doubles(root)
    doubles.fault("postMessage", effect="hang", seconds=60)

    def hang() -> None:
        with contextlib.suppress(requests.RequestException):
            ask(doubles, "slack")

    caller = threading.Thread(target=hang, daemon=True)
    caller.start()
    other = Doubles(root)
    while not other.journal():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert process.stdout is not None
    process.stdout.close()
