# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plug-in: one page behind one key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from double_server import api
from double_server.call import Call, Refused, Reply, invalid, not_found, not_yet
from double_server.clock import Clock

from . import auth, incidents, postmortem
from .page import Page
from .routes import NOT_YET, ROUTES


class Plugin(api.Api):
    name = "statuspage"
    prefixes = ("/v1/",)
    contract = str(Path(__file__).with_name("statuspage.yaml"))
    suffix = ".json"
    lenient = True

    def __init__(self, clock: Clock, token: str, page_id: str) -> None:
        super().__init__(clock, token)
        self.page = Page(page_id, clock.now)

    def routes(self) -> Sequence[tuple[str, str, api.Handler]]:
        own = [(method, path, self._bound(handler)) for method, path, handler in ROUTES]
        return [*[(method, path, _later(method, path)) for method, path in NOT_YET], *own]

    def _bound(self, handler: Any) -> api.Handler:
        def bound(call: Call) -> Reply:
            if call.args["page_id"] != self.page.id:
                # What the vendor answers to a key of another page is not documented.
                raise not_found(f"no page {call.args['page_id']} for this key")
            reply: Reply = handler(self.page, call, self.strict)
            return reply

        return bound

    def admit(self, call: Call) -> None:
        auth.check(call, self.token, self.strict)

    def refuse(self, problem: str) -> Refused:
        return invalid({"body": [problem]})

    def absent(self, problem: str) -> Refused:
        return not_found(problem)

    def limited(self, wait: int, status: int) -> Reply:
        return Reply(status, {"error": "Rate limit exceeded"}, {"Retry-After": str(wait)})

    def start(self, given: Mapping[str, Any]) -> None:
        self.page.load()
        self.page.load(given.get("components"), given.get("incidents"))
        held = given.get("postmortems", {})
        self.page.postmortems = {key: {**postmortem.EMPTY, **item} for key, item in held.items()}

    def state(self) -> Any:
        shown = [self.page.shown(item) for item in self.page.incidents]
        return {"page": self.page.id, "incidents": shown, "components": list(self.page.components.values())}

    def messages(self) -> Sequence[api.Message]:
        shown = [self._message(item) for item in self.page.incidents]
        parts = [api.Message("component", item["name"], (), item["status"]) for item in self.page.components.values()]
        return [*shown, *parts]

    def _message(self, incident: Mapping[str, Any]) -> api.Message:
        window = ""
        if incident["scheduled_for"]:
            window = f", window {incident['scheduled_for']} to {incident['scheduled_until']}"
        lines = [
            f"{update['created_at']} {update['status']}: {update['body']}"
            + (" (subscribers were notified)" if update.get("deliver_notifications") else "")
            for update in incident["incident_updates"]
        ]
        return api.Message(f"incident {incident['id']}{window}", incident["name"], lines, incident["status"])

    def moved(self, before: datetime, after: datetime) -> None:
        incidents.move(self.page, before, after)


def _later(method: str, path: str) -> api.Handler:
    def answer(call: Call) -> Reply:
        raise not_yet(f"{method} {path}")

    return answer
