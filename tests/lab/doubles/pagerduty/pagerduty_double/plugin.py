# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plug-in: alerts of services, each behind its routing key."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from double_server import api
from double_server.call import Call, Refused, Reply
from double_server.clock import Clock, stamp

LARGEST = 512 * 1024


class Plugin(api.Api):
    name = "pagerduty"
    prefixes = ("/v2/",)
    contract = str(Path(__file__).with_name("pagerduty.yaml"))

    def __init__(self, clock: Clock, token: str) -> None:
        super().__init__(clock, token)
        self._alerts: list[dict[str, Any]] = []
        self._changes: list[dict[str, Any]] = []

    def routes(self) -> Sequence[tuple[str, str, api.Handler]]:
        return (("POST", "/v2/enqueue", self._event), ("POST", "/v2/change/enqueue", self._change))

    def admit(self, call: Call) -> None:
        """Nothing: the key is in the body."""
        if len(call.raw) > LARGEST:
            raise Refused(
                413, {"status": "invalid event", "message": "Event object is too large", "errors": []}, "too large"
            )

    def refuse(self, problem: str) -> Refused:
        answer = {"status": "invalid event", "message": "Event object is invalid", "errors": [problem]}
        return Refused(400, answer, f"against the contract: {problem}")

    def absent(self, problem: str) -> Refused:
        return Refused(404, {"status": "not found", "message": problem, "errors": []}, problem)

    def limited(self, wait: int, status: int) -> Reply:
        # The vendor says to come back in minutes, and sends no Retry-After.
        return Reply(
            429, {"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly"}
        )

    def start(self, given: Mapping[str, Any]) -> None:
        self._alerts = []
        self._changes = []

    def state(self) -> Any:
        return {"alerts": self._alerts, "changes": self._changes}

    def messages(self) -> Sequence[api.Message]:
        alerts = [
            api.Message(
                f"service {alert['service']}, key {alert['dedup_key']}",
                alert["summary"],
                [f"{event['at']} {event['action']}: {event['summary']}" for event in alert["events"]],
                alert["status"] if alert["status"] != "trigger" else alert["severity"],
            )
            for alert in reversed(self._alerts)
        ]
        changes = [
            api.Message("change event", item["summary"], [item["at"]], "change") for item in reversed(self._changes)
        ]
        return [*alerts, *changes]

    def _event(self, call: Call) -> Reply:
        event = self._parsed(call)
        action, key = event["event_action"], event.get("dedup_key")
        service = _service(event["routing_key"])
        alert = next(
            (item for item in self._alerts
             if (item["service"], item["dedup_key"]) == (service, key) and item["status"] != "resolve"),
            None,
        )  # fmt: skip
        payload = event.get("payload") or {}
        if action == "trigger":
            if alert is None:
                key = key or uuid.uuid4().hex
                alert = {"service": service, "dedup_key": key, "status": "trigger", "events": []}
                self._alerts.append(alert)
            alert |= {"summary": payload["summary"], "severity": payload["severity"], "payload": payload}
        elif alert is None:
            # Dropped without a word, as at the vendor: nothing is open under this key and this routing key.
            call.problems.append(f"{action} for {key}: no open alert of this service has that key")
        if alert is not None:
            alert["status"] = action if action != "trigger" or alert["status"] != "acknowledge" else "acknowledge"
            told = {"at": stamp(self.clock.now()), "action": action, "summary": payload.get("summary", "")}
            alert["events"].append(told)
        return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def _change(self, call: Call) -> Reply:
        event = self._parsed(call)
        if event["routing_key"].startswith("R"):
            raise self.refuse("routing_key: a ruleset takes no change events")
        payload = event["payload"]
        self._changes.append({**payload, "service": _service(event["routing_key"]), "at": stamp(self.clock.now())})
        return Reply(202, {"status": "success", "message": "Change event processed"})

    def _parsed(self, call: Call) -> dict[str, Any]:
        try:
            call.parsed = json.loads(call.raw)
        except ValueError:
            raise self.refuse("the body is no JSON") from None
        if not isinstance(call.parsed, dict):
            raise self.refuse("the body is no object")
        return call.parsed


def _service(routing_key: str) -> str:
    """A name for a service that does not tell its key."""
    return hashlib.sha256(routing_key.encode()).hexdigest()[:8]
