# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls on incidents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from double_server import body
from double_server.call import Call, Reply, invalid, not_found
from double_server.paging import number, only

from . import rules
from .fields import REALTIME, TERMINAL, WRITABLE, check_fields, from_form, instant, stamp
from .page import AUTOMATION, Page, blank

LIMIT = 100

_PLAIN = ("name", "status", "impact_override", "metadata", "reminder_intervals", *AUTOMATION)
"""Fields that are stored as they came."""

_UPDATE = ("body", "display_at", "deliver_notifications", "wants_twitter_update")
"""Fields of a published update that can be corrected."""


def listed(page: Page, call: Call, strict: bool) -> Reply:
    """GET: all kinds, all states, newest first.

    How `q` matches is not documented in detail; it is a part of the text here, without regard to case. The first page
    is 1 (not documented for this list; 0 is refused).
    """
    query = only(call, ("q", "limit", "page"))
    limit = number(query, "limit", LIMIT, LIMIT)
    first = (number(query, "page", 1) - 1) * limit
    word = query.get("q", "").lower()
    found = [item for item in page.incidents if word in _searched(item)]
    return Reply(200, [page.shown(item) for item in found[first : first + limit]])


def created(page: Page, call: Call, strict: bool) -> Reply:
    """POST: a new incident with its first update."""
    only(call, ())
    values = _values(call, strict)
    _refuse(rules.check_create(values, page))
    now = page.stamp()
    # Only `name` is required. The default status is not documented: the first of the family here, and resolved for a
    # historical incident.
    status = "resolved" if values.get("backfilled") else rules.family(values)[0]
    incident = blank(page.id, page.new_id()) | {"status": status, "created_at": now}
    _write(page, incident, values, now)
    page.incidents.insert(0, incident)
    return Reply(201, page.shown(incident))


def read(page: Page, call: Call, strict: bool) -> Reply:
    """GET of one."""
    only(call, ())
    return Reply(200, page.shown(find(page, call)))


def updated(page: Page, call: Call, strict: bool) -> Reply:
    """PATCH and PUT (the same): change fields; `status` or `body` appends a public update."""
    only(call, ())
    incident = find(page, call)
    values = _values(call, strict)
    _refuse(rules.check_update(values, incident, page))
    _write(page, incident, values, page.stamp())
    return Reply(200, page.shown(incident))


def deleted(page: Page, call: Call, strict: bool) -> Reply:
    """DELETE: gone, and shown once more."""
    only(call, ())
    incident = find(page, call)
    page.incidents.remove(incident)
    return Reply(200, page.shown(incident))


def filtered(state: str) -> Callable[[Page, Call, bool], Reply]:
    """GET of one of the four lists: `unresolved` is realtime, the others are maintenance."""

    def listing(page: Page, call: Call, strict: bool) -> Reply:
        query = only(call, ("page", "per_page"))
        size = number(query, "per_page", LIMIT, LIMIT)
        first = (number(query, "page", 1) - 1) * size
        now = page.moment()
        found = [item for item in page.incidents if state in _states(item, now)]
        return Reply(200, [page.shown(item) for item in found[first : first + size]])

    return listing


def move(page: Page, before: datetime, after: datetime) -> None:
    """What the service does by itself when a window's start or end comes, for those with the flags.

    Only what lies between the two moments counts: a window that is entered after its time is a person's business.
    """
    for incident in page.incidents:
        if rules.family(incident) == REALTIME:
            continue
        if incident["scheduled_auto_in_progress"] and before < instant(incident["scheduled_for"]) <= after:
            _by_itself(page, incident, "scheduled", "in_progress")
        if incident["scheduled_auto_completed"] and before < instant(incident["scheduled_until"]) <= after:
            _by_itself(page, incident, "in_progress", "completed")


def _by_itself(page: Page, incident: dict[str, Any], expected: str, status: str) -> None:
    if incident["status"] != expected:
        return
    start = status == "in_progress"
    values: dict[str, Any] = {"status": status, "body": ""}
    values["deliver_notifications"] = incident[
        f"auto_transition_deliver_notifications_at_{'start' if start else 'end'}"
    ]
    flag = "auto_transition_to_maintenance_state" if start else "auto_transition_to_operational_state"
    if incident[flag]:
        state = "under_maintenance" if start else "operational"
        values["components"] = {key: state for key in incident["components"] if not page.components[key].get("group")}
    _write(page, incident, values, page.stamp())


def edited(page: Page, call: Call, strict: bool) -> Reply:
    """PATCH of one published update."""
    only(call, ())
    incident = find(page, call)
    update = next((item for item in incident["incident_updates"] if item["id"] == call.args["update_id"]), None)
    if update is None:
        raise not_found(f"no update {call.args['update_id']} of incident {incident['id']}")
    values, _is_form = body.read(call, "incident_update")
    unknown = sorted(set(values) - set(_UPDATE))
    call.problems += [f"unknown key incident_update.{name}" for name in unknown]
    if unknown and strict:
        raise invalid({name: ["is not a field that can be written"] for name in unknown})
    _refuse(check_fields({name: value for name, value in values.items() if name in WRITABLE}))
    update.update({name: value for name, value in values.items() if name in ("body", "display_at")})
    incident["updated_at"] = page.stamp()
    return Reply(200, update)


def _states(incident: dict[str, Any], now: datetime) -> set[str]:
    if incident["status"] in TERMINAL:
        return set()
    if rules.family(incident) == REALTIME:
        return {"unresolved"}
    if incident["status"] != "scheduled":
        return {"active_maintenance"}
    # The difference between the two is not documented; upcoming is what has not begun by the clock here.
    return {"scheduled", "upcoming"} if instant(incident["scheduled_for"]) > now else {"scheduled"}


def _values(call: Call, strict: bool) -> dict[str, Any]:
    values, is_form = body.read(call, "incident")
    unknown = sorted(set(values) - set(WRITABLE))
    call.problems += [f"unknown key incident.{name}" for name in unknown]
    # Whether the vendor ignores or refuses unknown keys is not documented; strict refuses.
    if unknown and strict:
        raise invalid({name: ["is not a field that can be written"] for name in unknown})
    known = {name: value for name, value in values.items() if name in WRITABLE}
    known = from_form(known) if is_form else known
    _refuse(check_fields(known))
    if "scheduled_auto_transition" in known:
        known["scheduled_auto_in_progress"] = known.pop("scheduled_auto_transition")
    return known


def _write(page: Page, incident: dict[str, Any], values: dict[str, Any], now: str) -> None:
    is_new = not incident["incident_updates"]
    for name in _PLAIN:
        if name in values:
            incident[name] = values[name]
    for name in rules.WINDOW:
        if name in values:
            incident[name] = stamp(instant(values[name]))
    # The vendor computes the impact from the components; its table is not documented, so only what is certain is here.
    plain = "none" if rules.family(incident) == REALTIME else "maintenance"
    incident["impact"] = incident["impact_override"] or plain
    # component_ids replaces the association, a map of statuses adds to it. Effect on a window in the future: open.
    touched = [*values.get("component_ids", incident["components"]), *values.get("components", {})]
    incident["components"] = list(dict.fromkeys(touched))
    affected = page.set_statuses(values.get("components", {}))
    incident["updated_at"] = now
    if is_new or "status" in values or "body" in values:
        incident["incident_updates"].insert(0, _update(page, incident, values, affected, now))
        _note_times(incident, now)


def _update(
    page: Page, incident: dict[str, Any], values: dict[str, Any], affected: list[dict[str, Any]] | None, now: str
) -> dict[str, Any]:
    return {
        "id": page.new_id(),
        "incident_id": incident["id"],
        "status": incident["status"],
        "body": values.get("body", ""),
        "created_at": now,
        "display_at": now,
        # The vendor's default: every subscriber is told. That is why our modules always send the field.
        "deliver_notifications": values.get("deliver_notifications", True),
        "affected_components": affected,
    }


def _note_times(incident: dict[str, Any], now: str) -> None:
    if incident["status"] == "monitoring":
        incident["monitoring_at"] = now
    # A resolved incident that is opened again has no end any more.
    incident["resolved_at"] = (incident["resolved_at"] or now) if incident["status"] == "resolved" else None


def find(page: Page, call: Call) -> dict[str, Any]:
    """The incident that the path names, or 404."""
    incident = page.find(call.args["incident_id"])
    if incident is None:
        raise not_found(f"no incident {call.args['incident_id']}")
    return incident


def _searched(incident: dict[str, Any]) -> str:
    # Not in the metadata: that is why a client has to page through the list to find its own key.
    texts = [incident["name"], incident["status"], incident["postmortem_body"] or ""]
    return "\n".join([*texts, *(update["body"] for update in incident["incident_updates"])]).lower()


def _refuse(errors: dict[str, list[str]]) -> None:
    if errors:
        raise invalid(errors)
