# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubles from outside: other people's clients take them for the services."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import github
import pagerduty
import pytest
from announce_tools import ROUTING_KEY, TOKEN, Doubles, start, stop
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient
from tars_servers.certificates import Authority


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


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[tuple[Doubles, Authority]]:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("doubles")
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    process, root = start(tmp_path, "--certificate", str(both))
    yield Doubles(root), authority
    stop(process)


def test_pagerduty(over_tls: tuple[Doubles, Authority]) -> None:
    """PagerDuty's own client speaks to nothing but https."""
    doubles, authority = over_tls
    context = ssl.create_default_context(cafile=str(authority.bundle))
    client = pagerduty.EventsApiV2Client(ROUTING_KEY, base_url=doubles.root, verify=context)
    key = client.trigger("rolled back", "us-west-2", dedup_key="tars/1.0.1", severity="critical")
    assert key == "tars/1.0.1" and client.acknowledge(key) == key and client.resolve(key) == key
    # With a moment of ours: the one that this version of the client makes by itself is an AttributeError.
    client.submit("1.0.1 begins", "us-west-2", timestamp="2026-01-31T12:00:00Z")
    seen = doubles.control("GET", "pagerduty")
    assert [(alert["dedup_key"], alert["status"]) for alert in seen["alerts"]] == [(key, "resolve")]
    assert [change["summary"] for change in seen["changes"]] == ["1.0.1 begins"]
    with pytest.raises(pagerduty.HttpError):
        pagerduty.EventsApiV2Client("short", base_url=doubles.root, verify=context).trigger("x", "y")
