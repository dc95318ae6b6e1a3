# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""PagerDuty: alerts by dedup key, and change events.

Source: the vendor's Events API v2. There is no read side: whether something changed is known from what was sent before.
A resolve sent with another routing key is dropped silently, so both of one alert must use the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, digest, refuse

SERVERS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
SEVERITIES = ("critical", "error", "warning", "info")
ACTIONS = ("trigger", "acknowledge", "resolve")
SUMMARY_LIMIT, KEY_LIMIT, KEY_LENGTH = 1024, 255, 32


@dataclass(frozen=True)
class PagerDuty:
    """One service by its routing key."""

    routing_key: str = field(repr=False)
    base_url: str = SERVERS["us"]


def send(wire: Wire, duty: PagerDuty, wanted: Mapping[str, Any], sent: Mapping[str, Any]) -> Outcome:
    """One event. ``wanted``: action (or change), dedup_key, summary, source, severity, and what else a
    payload takes.
    """
    body = _body(duty, wanted)
    action = wanted["action"]
    shown = {name: value for name, value in body.items() if name != "routing_key"}
    ids = {"dedup_key": wanted.get("dedup_key"), "action": action, "digest": digest(shown)}
    if sent.get("digest") == ids["digest"]:
        return Outcome("unchanged", sent)
    if action in ("acknowledge", "resolve") and sent.get("action") == "resolve":
        return Outcome("unchanged", sent)
    act = {"resolve": "resolved"}.get(action, "updated" if sent and sent.get("action") != "resolve" else "sent")
    before = {"action": sent.get("action")} if sent else {}
    if not wire.check_mode:
        # The key says where it goes; it stands in the body and in nothing that is shown.
        wire.scrubber.add(duty.routing_key)
        path = "v2/change/enqueue" if action == "change" else "v2/enqueue"
        with wire.client(duty.base_url, {}) as client:
            client.json("POST", path, json=body, idempotent=action != "change")
    return Outcome(act, ids, before, shown)


def _body(duty: PagerDuty, wanted: Mapping[str, Any]) -> dict[str, Any]:
    action, key = wanted["action"], wanted.get("dedup_key") or ""
    if len(duty.routing_key) != KEY_LENGTH:
        raise refuse(f"routing_key has {len(duty.routing_key)} characters, not {KEY_LENGTH}", "Give an integration key")
    links = {"links": wanted["links"]} if wanted.get("links") else {}
    if action == "change":
        if duty.routing_key.startswith("R"):
            raise refuse("routing_key belongs to a ruleset, which takes no change events", "Give a service's key")
        return {"routing_key": duty.routing_key, "payload": _payload(wanted, ("timestamp", "custom_details")), **links}
    if not key or len(key) > KEY_LIMIT:
        raise refuse(
            f"dedup_key has {len(key)} characters",
            f"Give one of at most {KEY_LIMIT}, such as tars/1.0.1/eu/rollback: without it nothing can be resolved",
        )
    body: dict[str, Any] = {"routing_key": duty.routing_key, "event_action": action, "dedup_key": key}
    if action != "trigger":
        return body
    if wanted.get("severity") not in SEVERITIES:
        raise refuse(f"severity is {wanted.get('severity')!r}", f"Give one of {', '.join(SEVERITIES)}")
    payload = _payload(wanted, ("timestamp", "component", "group", "class", "custom_details"))
    client = {name: wanted[name] for name in ("client", "client_url") if wanted.get(name)}
    return {**body, "payload": {**payload, "severity": wanted["severity"]}, **client, **links}


def _payload(wanted: Mapping[str, Any], others: tuple[str, ...]) -> dict[str, Any]:
    summary = wanted.get("summary") or ""
    if not summary.strip():
        raise refuse("summary is empty", "Give the sentence that people on call will read")
    if len(summary) > SUMMARY_LIMIT:
        raise refuse(f"summary has {len(summary)} characters, more than {SUMMARY_LIMIT}", "Shorten it")
    more = {name: wanted[name] for name in others if wanted.get(name)}
    return {"summary": summary, "source": wanted.get("source") or "tars.rollout", **more}
