# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What a call of statuspage_incident asks for, checked as far as that goes without asking the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._status.words import (
    BODY_LIMIT,
    COMPONENT_STATUSES,
    FAMILIES,
    NAME_LIMIT,
    TERMINAL,
    WINDOW,
    instant,
    looks_like_id,
    refuse,
    reminders,
    rfc3339,
)

AUTOMATION = {
    "scheduled_auto_in_progress": True,
    "scheduled_auto_completed": True,
    "auto_transition_to_maintenance_state": True,
    "auto_transition_to_operational_state": True,
    "auto_transition_deliver_notifications_at_start": False,
    "auto_transition_deliver_notifications_at_end": False,
}
"""What auto_transition: true means; the false ones stay false whatever it is."""


@dataclass(frozen=True)
class Wanted:
    """One incident as it should be. ``fields`` holds what was given, under the names of the API."""

    kind: str
    key: str
    incident_id: str
    fields: Mapping[str, Any]
    deliver: bool = False
    auto: bool | None = None
    restore: bool = False
    reopen: bool = False
    adopt: bool = False
    absent: bool = False
    backfill_date: str = ""
    postmortem: Mapping[str, Any] | None = None
    edit_update: Mapping[str, Any] | None = None
    validate: bool = False
    flags: Mapping[str, bool] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The status asked for, empty for none."""
        return str(self.fields.get("status", ""))

    @property
    def components(self) -> list[str]:
        """Ids of all components that are named, each once."""
        return list(dict.fromkeys([*self.fields.get("component_ids", ()), *self.fields.get("components", {})]))


_PLAIN = ("name", "status", "body", "impact_override", *WINDOW, "component_ids", "components")


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The options in one piece; RolloutError where they cannot be meant."""
    fields = {name: params[name] for name in _PLAIN if params.get(name) is not None}
    # YAML makes a date of an unquoted text, and Ansible a text with a space of that.
    fields |= {name: rfc3339(str(fields[name])) for name in WINDOW if name in fields}
    if params.get("reminder_intervals") is not None:
        fields["reminder_intervals"] = reminders(params["reminder_intervals"])
    kind = params.get("kind") or ""
    if kind == "historical":
        # As templates give them: no component is what such an incident has.
        fields = {name: value for name, value in fields.items() if value or name not in ("components", "component_ids")}
    _check_address(params, kind)
    _check_fields(params, fields, kind)
    _check_kind(params, fields, kind)
    _check_acts(params, fields)
    components = [*fields.get("component_ids", ()), *fields.get("components", {})]
    auto = params.get("auto_transition")
    return Wanted(
        kind=kind,
        key=params.get("key") or "",
        incident_id=params.get("incident_id") or "",
        fields=fields,
        deliver=bool(params.get("deliver_notifications")),
        auto=auto,
        restore=bool(params.get("restore_components")),
        reopen=bool(params.get("reopen")),
        adopt=params.get("adopt") == "name",
        absent=params.get("state") == "absent",
        backfill_date=params.get("backfill_date") or "",
        postmortem=params.get("postmortem"),
        edit_update=params.get("edit_update"),
        validate=bool(params.get("validate_components")) or not all(map(looks_like_id, components)),
        flags={} if auto is None else {name: auto and value for name, value in AUTOMATION.items()},
    )


def _check_address(params: Mapping[str, Any], kind: str) -> None:
    if params.get("key") and not params["key"].strip():
        raise refuse("key is blank", "Give key, a text that stays the same for this incident")
    if not params.get("key") and not params.get("incident_id"):
        raise refuse("Neither key nor incident_id is given", "Give key, a text that stays the same for this incident")
    if not kind and not params.get("incident_id"):
        raise refuse("kind is not given", "Give kind: realtime, maintenance or historical")
    if params.get("impact") is not None:
        raise refuse(
            "impact was given, which the service computes from the components and nobody can set",
            "Use impact_override",
        )


def _check_fields(params: Mapping[str, Any], fields: Mapping[str, Any], kind: str) -> None:
    for option, limit in (("name", NAME_LIMIT), ("body", BODY_LIMIT)):
        if len(fields.get(option, "")) > limit:
            raise refuse(f"{option} has {len(fields[option])} characters, more than {limit}", f"Shorten {option}")
    edit = params.get("edit_update") or {}
    if len(edit.get("body") or "") > BODY_LIMIT:
        raise refuse(f"edit_update.body has {len(edit['body'])} characters, more than {BODY_LIMIT}", "Shorten it")
    if "name" in fields and not fields["name"].strip():
        raise refuse("name is empty", "Give the title that people will read")
    for option in WINDOW:
        if option in fields and instant(fields[option]) is None:
            raise refuse(
                f"{option} is {fields[option]!r}, which is no moment with a time zone",
                "Give it as 2026-01-31T02:00:00Z",
            )
    check_window(fields)
    unknown = {key: value for key, value in fields.get("components", {}).items() if value not in COMPONENT_STATUSES}
    if unknown:
        raise refuse(f"components has unknown statuses: {unknown}", f"Use {', '.join(COMPONENT_STATUSES)}")
    if kind:
        check_family(fields.get("status", ""), kind)


def check_window(window: Mapping[str, Any]) -> None:
    """Refuse a window whose end is not after its start; one of both alone is not judged."""
    start, end = (instant(window.get(name)) for name in WINDOW)
    if start is not None and end is not None and end <= start:
        raise refuse(
            f"scheduled_until {window['scheduled_until']} is not after scheduled_for {window['scheduled_for']}",
            "Give a window whose end is later than its start",
        )


def check_family(status: str, kind: str) -> None:
    """Refuse a status of the other kind: the service's schema would take it."""
    if status and status not in FAMILIES[kind]:
        raise refuse(
            f"status {status} does not fit an incident of kind {kind}", f"Use one of {', '.join(FAMILIES[kind])}"
        )


def _check_kind(params: Mapping[str, Any], fields: Mapping[str, Any], kind: str) -> None:
    only_maintenance = [*(name for name in WINDOW if name in fields)]
    only_maintenance += ["auto_transition"] if params.get("auto_transition") is not None else []
    if kind in ("realtime", "historical") and only_maintenance:
        raise refuse(f"{only_maintenance[0]} does not fit kind {kind}", "It is for kind maintenance only")
    if kind in ("maintenance", "historical") and "reminder_intervals" in fields:
        raise refuse(f"reminder_intervals does not fit kind {kind}", "It is for kind realtime only")
    if params.get("backfill_date") and kind != "historical":
        raise refuse(f"backfill_date does not fit kind {kind or 'unknown'}", "It is for kind historical only")
    touched = [name for name in ("components", "component_ids") if name in fields]
    if kind == "historical" and touched:
        raise refuse(f"{touched[0]} was given, and a historical incident takes none", f"Leave {touched[0]} out")
    date = params.get("backfill_date")
    if date and (len(date) != 10 or instant(f"{date}T00:00:00Z") is None):
        raise refuse(f"backfill_date is {date!r}", "Give a day as 2026-01-31")


def _check_acts(params: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    if params.get("state") == "absent" and not params.get("allow_delete"):
        raise refuse(
            "state absent would delete a public incident with its history",
            "Set allow_delete: true when that is meant, or set its terminal status instead",
            reason="delete_not_allowed",
        )
    if params.get("restore_components") and fields.get("status") not in TERMINAL:
        raise refuse(
            f"restore_components was given with status {fields.get('status') or 'unset'}",
            "It goes with a terminal status, resolved or completed",
        )
    if params.get("adopt") == "name" and "name" not in fields:
        raise refuse("adopt: name was given without a name", "Give the name of the incident to take over")
