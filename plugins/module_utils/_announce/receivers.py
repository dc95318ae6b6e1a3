# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Receivers as options, and one message to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce import (
    alertmanager,
    github,
    mail,
    pagerduty,
    slack,
    statuspage,
)
from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, refuse
from ansible_collections.tars.rollout.plugins.module_utils._http import bearer

KINDS = ("statuspage", "slack", "pagerduty", "mail", "github", "alertmanager")
CONTENT = {
    "statuspage": statuspage.CONTENT,
    "slack": frozenset({"channel", "text", "blocks", "reply", "markup"}),
    "pagerduty": frozenset(
        {"action", "summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details",
         "links", "client", "client_url"}
    ),
    "mail": frozenset({"to", "subject", "body", "thread", "sender"}),
    "github": frozenset(
        {"ref", "environment", "task", "description", "state", "log_url", "environment_url", "auto_inactive",
         "required_contexts"}
    ),
    "alertmanager": frozenset(
        {"region", "region_label", "matchers", "duration", "comment", "created_by", "state"}
    ),
}  # fmt: skip
"""What a message to a receiver of this kind may say."""
_NEEDED = {
    "statuspage": ("page_id", "token"),
    "slack": (),
    "pagerduty": ("routing_key",),
    "mail": ("host",),
    "github": ("repository", "token"),
    "alertmanager": ("url",),
}
_SAID = {
    "statuspage": ("kind",),
    "slack": ("text",),
    "pagerduty": ("action",),
    "mail": ("to", "subject", "body"),
    "github": ("ref", "environment", "state"),
    "alertmanager": ("region",),
}


def receiver_options() -> dict[str, Any]:
    """The options of one receiver."""
    return {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "required": True, "choices": list(KINDS)},
        "public": {"type": "bool"},
        "url": {"type": "str"},
        "token": {"type": "str", "no_log": True},
        "webhook": {"type": "str", "no_log": True},
        "routing_key": {"type": "str", "no_log": True},
        "region": {"type": "str", "choices": list(pagerduty.SERVERS), "default": "us"},
        "page_id": {"type": "str"},
        "repository": {"type": "str"},
        "host": {"type": "str"},
        "port": {"type": "int", "default": 587},
        "tls": {"type": "str", "choices": list(mail.TLS), "default": "required"},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sender": {"type": "str"},
        "ca": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
    }


def check(receiver: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Refuse a receiver that lacks what its type needs, and content that its type does not know."""
    kind, name = receiver["type"], receiver["name"]
    missing = [option for option in _NEEDED[kind] if not receiver.get(option)]
    if kind == "slack" and not (receiver.get("token") or receiver.get("webhook")):
        missing = ["token or webhook"]
    if missing:
        raise refuse(
            f"The receiver {name} ({kind}) has no {' and no '.join(missing)}", "Give it", reason="receiver_invalid"
        )
    unknown = sorted(set(content) - CONTENT[kind])
    unsaid = [option for option in _SAID[kind] if not content.get(option)]
    if unknown or unsaid:
        seen = f"has {', '.join(unknown)}, which {kind} does not know" if unknown else f"lacks {', '.join(unsaid)}"
        raise refuse(f"A message to {name} {seen}", f"It may have {', '.join(sorted(CONTENT[kind]))}")


def deliver(
    wire: Wire, receiver: Mapping[str, Any], message: Mapping[str, Any], sent: Mapping[str, Any], work: Any
) -> Outcome:
    """Say it, or bring what was said up to date. ``work`` makes calls of the status page's module."""
    kind, content = receiver["type"], message["content"]
    url = receiver.get("url")
    if kind == "statuspage":
        return statuspage.tell(wire, receiver, message, sent, work)
    if kind == "slack":
        place = slack.Slack(receiver.get("token") or "", receiver.get("webhook") or "", url or slack.API)
        plain = content.get("markup") != "mrkdwn"
        texts = {name: slack.escaped(content[name]) for name in ("text", "reply") if plain and content.get(name)}
        about = {"event": message.get("event"), "late": message.get("late")}
        return slack.tell(wire, place, {**content, **texts, **about}, sent)
    if kind == "pagerduty":
        if content["action"] == "resolve" and not sent:
            # Of a rollout that opened no alert there is none to resolve.
            return Outcome("unchanged")
        duty = pagerduty.PagerDuty(receiver["routing_key"], url or pagerduty.SERVERS[receiver["region"]])
        return pagerduty.send(wire, duty, {**content, "dedup_key": message["key"]}, sent)
    if kind == "mail":
        server = mail.Server(
            receiver["host"],
            receiver["port"],
            receiver["tls"],
            receiver.get("user") or "",
            receiver.get("password") or "",
        )
        sender = content.get("sender") or receiver.get("sender") or f"tars-rollout@{receiver['host']}"
        return mail.send(wire, server, {**content, "sender": sender, "key": message["key"]}, sent)
    if kind == "github":
        repo = github.Repository(receiver["repository"], receiver["token"], url or github.API)
        return github.deploy(wire, repo, {**content, "key": message["key"]}, sent)
    headers = bearer(receiver["token"]) if receiver.get("token") else {}
    wanted = {"duration": 3600, **content, "key": message["key"]}
    return alertmanager.silence(wire, alertmanager.Alertmanager(receiver["url"], headers), wanted)
