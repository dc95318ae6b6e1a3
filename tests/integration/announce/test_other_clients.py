# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubles from outside: other people's clients take them for the services."""

from __future__ import annotations

import github
import pytest
from announce_tools import TOKEN, Doubles
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient


def test_slack_sdk(doubles: Doubles) -> None:
    client = WebClient(token=TOKEN, base_url=f"{doubles.root}/api/")
    assert client.auth_test()["team"] == "T.A.R.S."
    posted = client.chat_postMessage(channel="tars-deployments", text="from outside")
    client.chat_postMessage(channel=posted["channel"], text="below", thread_ts=posted["ts"])
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="changed")
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.chat_postMessage(channel="nowhere", text="x")
    hook = WebhookClient(f"{doubles.root}/services/T00000000/B00000000/{TOKEN}")
    assert hook.send(text="by the webhook").body == "ok"
    texts = [item["text"] for item in doubles.control("GET", "slack")["messages"]]
    assert texts == ["changed", "below", "by the webhook"]


def test_pygithub(doubles: Doubles) -> None:
    client = github.Github(auth=github.Auth.Token(TOKEN), base_url=doubles.root, retry=None)
    repository = client.get_repo("example/tars")
    made = repository.create_deployment("v1.0.1", auto_merge=False, environment="eu", payload={"tars_run": "k"})
    made.create_status("success", description="done")
    found = list(repository.get_deployments(environment="eu"))
    assert [(item.id, item.payload["tars_run"]) for item in found] == [(made.id, "k")]
    assert [status.state for status in found[0].get_statuses()] == ["success"]
