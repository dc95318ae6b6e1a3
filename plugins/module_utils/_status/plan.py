# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What to write: a whole new incident, or the changes of the one that is there. Pure: no socket, no clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._status.wanted import Wanted, check_family, check_window
from ansible_collections.tars.rollout.plugins.module_utils._status.words import (
    COMPONENT_STATUSES,
    MAINTENANCE,
    TERMINAL,
    WINDOW,
    Incident,
    called,
    instant,
    key_of,
    kind_of,
    refuse,
    same_instant,
)


def creation(wanted: Wanted) -> dict[str, Any]:
    """The fields of a new incident; refused where they do not suffice for one."""
    fields = dict(wanted.fields)
    if "name" not in fields:
        raise refuse(
            f"There is no incident with the key {wanted.key}, and none can be made without a name",
            "Give name, or check the key",
            reason="incident_absent",
        )
    missing = [name for name in WINDOW if name not in fields]
    if wanted.kind == "maintenance" and missing:
        raise refuse(f"A new maintenance needs {' and '.join(missing)}", f"Give {' and '.join(missing)}")
    if wanted.kind == "historical":
        if not wanted.backfill_date:
            raise refuse("A new historical incident needs backfill_date", "Give backfill_date, a day as 2026-01-31")
        fields |= {"backfilled": True, "backfill_date": wanted.backfill_date}
    return {
        **fields,
        **wanted.flags,
        "deliver_notifications": wanted.deliver,
        "metadata": {"tars": {"key": wanted.key}},
    }


def changes(wanted: Wanted, incident: Incident) -> dict[str, Any]:
    """The fields to write, empty for none. Texts, times and maps are compared by what they mean."""
    check_family(wanted.status, wanted.kind or kind_of(incident))
    fields = {
        **_status(wanted, incident),
        **{name: wanted.fields[name] for name in ("name", "impact_override") if _differs(wanted, incident, name)},
        **_window(wanted, incident),
        **_components(wanted, incident),
        **_reminders(wanted, incident),
        **{name: value for name, value in wanted.flags.items() if bool(incident.get(name)) != value},
    }
    if wanted.key and key_of(incident) != wanted.key:
        fields["metadata"] = _merged(incident, wanted.key)
    return {**fields, "deliver_notifications": wanted.deliver} if fields else {}


def _status(wanted: Wanted, incident: Incident) -> dict[str, Any]:
    now, status = str(incident.get("status")), wanted.status
    if (
        wanted.auto
        and not wanted.reopen
        and status in MAINTENANCE[: MAINTENANCE.index(now) if now in MAINTENANCE else 0]
    ):
        # The service itself has moved it on; to say so again would take it back.
        return {}
    if now in TERMINAL and status and status != now and not wanted.reopen:
        raise refuse(
            f"The incident {called(incident)} has ended, and status {status} would open it again",
            "Set reopen: true when that is meant; use another key for something new",
            reason="incident_ended",
        )
    changed = bool(status) and status != now
    result = {"status": status} if changed else {}
    body = wanted.fields.get("body")
    if body is not None and (changed or body != newest_body(incident, status or now)):
        result["body"] = body
    return result


def newest_body(incident: Incident, status: str) -> str | None:
    """Text of the newest update with that status; None where there is none."""
    updates = [item for item in incident.get("incident_updates") or () if item.get("status") == status]
    # The service lists the newest first; what it says of the time decides, and the order among equals.
    newest = max(enumerate(updates), key=lambda pair: (_moment(pair[1].get("created_at")), -pair[0]), default=None)
    return None if newest is None else str(newest[1].get("body") or "")


def _moment(text: Any) -> datetime:
    """As a moment, since the page's time zone may change between two updates; without one before all others."""
    return instant(text) or datetime.min.replace(tzinfo=UTC)


def _differs(wanted: Wanted, incident: Incident, name: str) -> bool:
    return name in wanted.fields and wanted.fields[name] != incident.get(name)


def _window(wanted: Wanted, incident: Incident) -> dict[str, Any]:
    given = {name: wanted.fields[name] for name in WINDOW if name in wanted.fields}
    if kind_of(incident) != "maintenance" and (given or wanted.flags):
        raise refuse(
            f"{[*given, 'auto_transition'][0]} does not fit the incident {called(incident)}",
            "It is for kind maintenance only",
        )
    moved = {name: text for name, text in given.items() if not same_instant(text, incident.get(name))}
    if moved:
        check_window({**{name: incident.get(name) for name in WINDOW}, **moved})
    return moved


def _components(wanted: Wanted, incident: Incident) -> dict[str, Any]:
    held = {item["id"]: item for item in incident.get("components") or ()}
    result: dict[str, Any] = {}
    ids = wanted.fields.get("component_ids")
    # Components of the map are touched as well, whether the list names them or not.
    if ids is not None and set(ids) | set(wanted.fields.get("components", ())) != set(held):
        result["component_ids"] = ids
    statuses = dict(wanted.fields.get("components", {}))
    if wanted.restore:
        # Of a maintenance that is over only what it left behind: another status is of something that came later.
        over = incident.get("status") == "completed"
        fine = {*COMPONENT_STATUSES} - {"under_maintenance"} if over else {"operational"}
        broken = [key for key, item in held.items() if item.get("status") not in fine and not item.get("group")]
        statuses = {**dict.fromkeys(broken, "operational"), **statuses}
    if any(key not in held or held[key].get("status") != status for key, status in statuses.items()):
        result["components"] = statuses
    return result


def _reminders(wanted: Wanted, incident: Incident) -> dict[str, Any]:
    text = wanted.fields.get("reminder_intervals")
    if text is None:
        return {}
    if kind_of(incident) == "maintenance":
        raise refuse("reminder_intervals does not fit kind maintenance", "It is for kind realtime only")
    return {} if _loaded(text) == _loaded(incident.get("reminder_intervals")) else {"reminder_intervals": text}


def _loaded(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def _merged(incident: Incident, key: str) -> dict[str, Any]:
    """All metadata with our key in it: whether the service merges or replaces is not documented."""
    metadata = incident.get("metadata")
    held: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    own = held.get("tars")
    return {**held, "tars": {**(own if isinstance(own, Mapping) else {}), "key": key}}


def difference(incident: Incident | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Ansible's diff: the fields that are written, as they are and as they will be."""
    shown = {name: value for name, value in fields.items() if incident is None or name != "deliver_notifications"}
    if incident is None:
        return {"before": {}, "after": shown}
    before = {name: _before(incident, name, shown.get("status")) for name in shown}
    return {"before": before, "after": shown}


def _before(incident: Incident, name: str, status: Any) -> Any:
    components = incident.get("components") or ()
    if name == "body":
        return newest_body(incident, str(incident.get("status"))) or ""
    if name == "components":
        return {item["id"]: item.get("status") for item in components}
    return [item["id"] for item in components] if name == "component_ids" else incident.get(name)
