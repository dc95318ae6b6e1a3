# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls on an incident's postmortem: a draft is written first, then published."""

from __future__ import annotations

from typing import Any

from double_server import body
from double_server.call import Call, Reply, invalid
from double_server.paging import only

from .incidents import find
from .page import Page

EMPTY: dict[str, Any] = {
    "body": None,
    "body_draft": None,
    "body_draft_updated_at": None,
    "body_updated_at": None,
    "published_at": None,
    "notify_subscribers": False,
    "notify_twitter": False,
    "custom_tweet": None,
}
"""What an incident without one shows; the vendor does not say whether it answers so or with 404."""


def read(page: Page, call: Call, strict: bool) -> Reply:
    """GET."""
    only(call, ())
    return Reply(200, _of(page, call))


def drafted(page: Page, call: Call, strict: bool) -> Reply:
    """PUT: write the draft."""
    values = _values(call, {"body_draft"}, strict)
    if not isinstance(values.get("body_draft"), str):
        raise invalid({"body_draft": ["must be a string"]})
    held = _of(page, call)
    held.update(body_draft=values["body_draft"], body_draft_updated_at=page.stamp())
    return Reply(200, _keep(page, call, held))


def published(page: Page, call: Call, strict: bool) -> Reply:
    """PUT publish: the draft becomes public."""
    values = _values(call, {"notify_subscribers", "notify_twitter", "custom_tweet"}, strict)
    held = _of(page, call)
    if held["body_draft"] is None:
        raise invalid({"postmortem": ["has no draft to publish"]})
    now = page.stamp()
    held.update(values, body=held["body_draft"], body_updated_at=now, published_at=now)
    find(page, call)["postmortem_body"] = held["body"]
    return Reply(200, _keep(page, call, held))


def reverted(page: Page, call: Call, strict: bool) -> Reply:
    """PUT revert: public no more, the draft stays."""
    held = _of(page, call)
    held.update(body=None, body_updated_at=None, published_at=None)
    find(page, call)["postmortem_body"] = None
    return Reply(200, _keep(page, call, held))


def deleted(page: Page, call: Call, strict: bool) -> Reply:
    """DELETE."""
    find(page, call)["postmortem_body"] = None
    page.postmortems.pop(call.args["incident_id"], None)
    return Reply(204, None)


def _of(page: Page, call: Call) -> dict[str, Any]:
    incident = find(page, call)
    return dict(page.postmortems.get(incident["id"], EMPTY))


def _keep(page: Page, call: Call, held: dict[str, Any]) -> dict[str, Any]:
    page.postmortems[call.args["incident_id"]] = held
    return held


def _values(call: Call, known: set[str], strict: bool) -> dict[str, Any]:
    only(call, ())
    values, _is_form = body.read(call, "postmortem")
    unknown = sorted(set(values) - known)
    call.problems += [f"unknown key postmortem.{name}" for name in unknown]
    if unknown and strict:
        raise invalid({name: ["is not a field that can be written"] for name in unknown})
    return {name: value for name, value in values.items() if name in known}
