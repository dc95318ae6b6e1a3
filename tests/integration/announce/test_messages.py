# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that send one message, against the doubles, a real mail server and a real Alertmanager."""

from __future__ import annotations

import email
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from announce_tools import ROUTING_KEY, TOKEN, Doubles, Mailbox, run

DROP = {"effect": "apply_then_drop_connection", "times": 1}


def slack(doubles: Doubles, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "token": TOKEN, "base_url": f"{doubles.root}/api", "channel": "tars-deployments", "key": "k",
        "text": "1 % & p95 < 50 ms", "sent_file": str(tmp_path / "sent.json"), **more,
    }  # fmt: skip


def test_slack_posts_once_and_updates_by_its_time_stamp(doubles: Doubles, tmp_path: Path) -> None:
    assert run("slack_message", slack(doubles, tmp_path), check=True)["changed"] is True
    assert doubles.journal() == []
    first = run("slack_message", slack(doubles, tmp_path))
    assert (first["act"], first["changed"]) == ("sent", True)
    assert run("slack_message", slack(doubles, tmp_path))["changed"] is False
    second = run("slack_message", slack(doubles, tmp_path, text="10 %"))
    assert (second["act"], second["ts"]) == ("updated", first["ts"])
    assert second["diff"]["before"]["text"] == "1 % &amp; p95 &lt; 50 ms"
    run("slack_message", slack(doubles, tmp_path, key="k2", thread_ts=first["ts"], text="stage 1 passed"))
    messages = doubles.control("GET", "slack")["messages"]
    assert [(item["text"], item.get("thread_ts")) for item in messages] == [
        ("10 %", None),
        ("stage 1 passed", first["ts"]),
    ]
    assert doubles.problems() == []


def test_slack_says_what_is_wrong(doubles: Doubles, tmp_path: Path) -> None:
    wrong = run("slack_message", slack(doubles, tmp_path, channel="nowhere"))
    assert wrong["failed"] and wrong["reason"] == "slack_refused" and "channel_not_found" in wrong["msg"]
    assert "invalid_auth" in run("slack_message", slack(doubles, tmp_path, token="wrong-token-000"))["msg"]
    assert run("slack_message", slack(doubles, tmp_path, text=" "))["reason"] == "message_invalid"
    assert not (tmp_path / "sent.json").exists()


def test_a_slack_post_without_an_answer_is_not_repeated(doubles: Doubles, tmp_path: Path) -> None:
    doubles.fault("postMessage", **DROP)
    assert run("slack_message", slack(doubles, tmp_path))["failed"]
    assert len(doubles.control("GET", "slack")["messages"]) == 1
    doubles.fault(
        "postMessage", times=1, status=429, headers={"Retry-After": "1"}, json={"ok": False, "error": "ratelimited"}
    )
    assert run("slack_message", slack(doubles, tmp_path))["act"] == "sent"


def test_a_slack_webhook_can_only_post(doubles: Doubles, tmp_path: Path) -> None:
    hook = {"webhook": f"{doubles.root}/services/T00000000/B00000000/{TOKEN}", "key": "k", "text": "x"}
    hook["sent_file"] = str(tmp_path / "sent.json")
    assert run("slack_message", hook)["changed"] is True
    assert run("slack_message", {**hook, "text": "y"})["changed"] is False
    assert "no_service" in run("slack_message", {**hook, "key": "k3", "webhook": hook["webhook"] + "x"})["msg"]


def duty(doubles: Doubles, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "routing_key": ROUTING_KEY, "base_url": doubles.root, "action": "trigger",
        "dedup_key": "tars/1.0.1/eu/rollback",
        "summary": "rolled back", "severity": "critical", "sent_file": str(tmp_path / "sent.json"), **more,
    }  # fmt: skip


def test_pagerduty_opens_one_alert_and_resolves_it(doubles: Doubles, tmp_path: Path) -> None:
    assert run("pagerduty_event", duty(doubles, tmp_path), check=True)["act"] == "sent"
    assert doubles.journal() == []
    doubles.fault("enqueue", times=1, status=503)
    assert run("pagerduty_event", duty(doubles, tmp_path))["act"] == "sent"
    assert run("pagerduty_event", duty(doubles, tmp_path))["changed"] is False
    assert run("pagerduty_event", duty(doubles, tmp_path, summary="still"))["act"] == "updated"
    assert run("pagerduty_event", duty(doubles, tmp_path, action="resolve"))["act"] == "resolved"
    assert run("pagerduty_event", duty(doubles, tmp_path, action="resolve"))["changed"] is False
    alerts = doubles.control("GET", "pagerduty")["alerts"]
    assert [(alert["status"], len(alert["events"])) for alert in alerts] == [("resolve", 3)]
    assert run("pagerduty_event", duty(doubles, tmp_path, action="change", dedup_key=""))["changed"] is True
    assert doubles.problems() == []


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [({"dedup_key": ""}, "dedup_key"), ({"summary": "x" * 1025}, "1025"), ({"severity": None}, "severity"),
     ({"routing_key": "short-secret"}, "32"), ({"action": "change", "routing_key": "R" * 32}, "ruleset")],
)  # fmt: skip
def test_pagerduty_refuses_before_it_sends(doubles: Doubles, tmp_path: Path, wrong: Any, seen: str) -> None:
    result = run("pagerduty_event", duty(doubles, tmp_path, **wrong))
    assert result["failed"] and seen in result["msg"] and doubles.journal() == []


@pytest.mark.parametrize("region", ["us", "eu"])
def test_pagerduty_is_spoken_to_where_the_account_lives(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy that hangs up once it knows where they want to go."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def listen() -> None:
            while True:
                try:
                    caller, _address = proxy.accept()
                except OSError:
                    return
                with caller:
                    asked.append(caller.recv(4096).decode().split("\r\n")[0])

        threading.Thread(target=listen, daemon=True).start()
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        given = {"routing_key": ROUTING_KEY, "region": region}
        said = {"action": "trigger", "summary": "x", "severity": "error"}
        run("pagerduty_event", {**given, **said, "dedup_key": "k", "timeout": 1})
        receivers = [{"name": "pager", "type": "pagerduty", **given}]
        message = {"to": "pager", "key": "k", "event": "eu/aborted", "content": said}
        assert run("rollout_announce", {"receivers": receivers, "messages": [message], "budget": 1})["waiting"] == 1
    host = {"us": "events.pagerduty.com", "eu": "events.eu.pagerduty.com"}[region]
    assert len(asked) >= 2 and {line.split()[1] for line in asked} == {f"{host}:443"}


def mail(port: int, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1", "port": port, "tls": "never", "sender": "rollout@example.net",
        "key": "tars/1.0.1/finished",
        "thread": "tars/1.0.1/scheduled", "to": ["a@example.net", "b@example.net"],
        "subject": "done", "body": "All of it.",
        "sent_file": str(tmp_path / "sent.json"), **more,
    }  # fmt: skip


def test_mail_is_sent_once_and_threads(mailbox: tuple[Mailbox, int], tmp_path: Path) -> None:
    box, port = mailbox
    box.refuse = {"b@example.net": "550 no such user"}
    assert run("mail_notice", mail(port, tmp_path), check=True)["changed"] is True and box.mails == []
    done = run("mail_notice", mail(port, tmp_path))
    assert done["refused"] == {"b@example.net": "550 no such user"}
    assert run("mail_notice", mail(port, tmp_path, body="other"))["changed"] is False
    found = email.message_from_string(box.mails[0])
    assert (found["Auto-Submitted"], found["Message-ID"]) == ("auto-generated", done["message_id"])
    first = run("mail_notice", mail(port, tmp_path, key="tars/1.0.1/scheduled"))
    assert (found["References"], len(box.mails)) == (first["message_id"], 2)


def test_mail_wants_tls_unless_told_otherwise(mailbox: tuple[Mailbox, int], tmp_path: Path) -> None:
    box, port = mailbox
    refused = run("mail_notice", mail(port, tmp_path, tls="required"))
    assert refused["failed"] and "STARTTLS" in refused["msg"] and box.mails == []
    box.refuse = {"a@example.net": "451 later", "b@example.net": "451 later"}
    busy = run("mail_notice", mail(port, tmp_path, timeout=2))
    assert busy["reason"] == "mail_passing" and "451" in busy["msg"]
    box.refuse = {"a@example.net": "550 never", "b@example.net": "550 never"}
    assert run("mail_notice", mail(port, tmp_path))["reason"] == "mail_refused"
    assert "line break" in run("mail_notice", mail(port, tmp_path, subject="a\nBcc: x"))["msg"]


def hub(doubles: Doubles, **more: Any) -> dict[str, Any]:
    return {
        "repository": "example/tars", "token": TOKEN, "base_url": doubles.root, "key": "tars/1.0.1/eu", "ref": "v1.0.1",
        "environment": "eu", "state": "in_progress", "description": "Canary at 1 %", **more,
    }  # fmt: skip


def test_github_has_one_deployment_and_statuses_that_differ(doubles: Doubles) -> None:
    assert run("github_deployment", hub(doubles), check=True)["act"] == "sent"
    assert {entry["method"] for entry in doubles.journal()} == {"GET"}
    doubles.fault("POST .*/deployments$", **DROP)
    first = run("github_deployment", hub(doubles))
    assert first["act"] == "sent"
    assert run("github_deployment", hub(doubles))["changed"] is False
    assert run("github_deployment", hub(doubles, state="success"))["act"] == "updated"
    found = doubles.control("GET", "github")["deployments"]
    assert [[status["state"] for status in item["statuses"]] for item in found] == [["in_progress", "success"]]
    posts = [
        entry["body"]
        for entry in doubles.journal()
        if entry["path"].endswith("/deployments") and entry["method"] == "POST"
    ]
    assert posts and all(body["auto_merge"] is False for body in posts)
    assert doubles.problems() == []


def test_github_waits_for_a_limit_and_refuses_what_is_wrong(doubles: Doubles) -> None:
    doubles.fault("GET", times=1, status=403, headers={"Retry-After": "1"}, json={"message": "secondary rate limit"})
    assert run("github_deployment", hub(doubles))["act"] == "sent"
    doubles.fault("GET", status=403, json={"message": "Resource not accessible"})
    assert "Resource not accessible" in run("github_deployment", hub(doubles))["msg"]
    assert run("github_deployment", hub(doubles, description="x" * 141))["reason"] == "message_invalid"
    assert "401" in run("github_deployment", hub(doubles, token="wrong-token-000"))["msg"]


def test_github_waits_until_its_hour_begins_anew(doubles: Doubles) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 2)}
    doubles.fault("GET", times=1, status=403, headers=headers, json={"message": "API rate limit exceeded"})
    assert run("github_deployment", hub(doubles))["act"] == "sent"


def test_two_runs_that_race_take_the_older_deployment(doubles: Doubles) -> None:
    run("github_deployment", hub(doubles))
    # The other run's, made between our look and our post.
    other = {"ref": "v1.0.1", "environment": "eu", "auto_merge": False, "required_contexts": [],
             "payload": {"tars_run": "tars/1.0.1/eu"}}  # fmt: skip
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "test"}
    place = f"{doubles.root}/repos/example/tars/deployments"
    assert doubles.session.post(place, json=other, headers=headers, timeout=30).status_code == 201
    assert run("github_deployment", hub(doubles, state="success"))["act"] == "updated"
    found = doubles.control("GET", "github")["deployments"]
    assert [[item["state"] for item in deployment["statuses"]] for deployment in found] == [
        ["in_progress", "success"],
        [],
    ]


def test_a_deployment_that_is_not_listed_gets_no_status(doubles: Doubles) -> None:
    doubles.fault("GET .*/deployments", status=200, json=[])
    lost = run("github_deployment", hub(doubles))
    assert lost["reason"] == "outcome_unknown" and "does not list it" in lost["msg"]
    assert not any("/None/" in entry["path"] for entry in doubles.journal())


def test_statuspage_info_reads_kind_and_key(doubles: Doubles) -> None:
    place = {"page_id": "kctbh9vrtdwd", "api_key": TOKEN, "api_url": f"{doubles.root}/v1"}
    run("statuspage_incident", {**place, "kind": "realtime", "key": "k", "name": "x", "status": "investigating"})
    run("statuspage_incident", {**place, "kind": "realtime", "key": "k2", "name": "y", "status": "resolved"})
    assert [(i["key"], i["kind"]) for i in run("statuspage_info", {**place, "open_only": True})["incidents"]] == [
        ("k", "realtime")
    ]
    found = run("statuspage_info", {**place, "key": "k2", "gather": ["incidents"]}, check=True)
    assert [item["name"] for item in found["incidents"]] == ["y"] and "components" not in found and not found["changed"]
    assert len(run("statuspage_info", {**place, "gather": ["components"]})["components"]) == 3
    assert run("statuspage_info", {**place, "kind": "maintenance"})["incidents"] == []
