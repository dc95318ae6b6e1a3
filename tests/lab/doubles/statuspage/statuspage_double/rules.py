# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds between the fields of an incident. Called after each field was found good by itself."""

from __future__ import annotations

from typing import Any

from .fields import MAINTENANCE, REALTIME, instant
from .page import AUTOMATION, Page

Errors = dict[str, list[str]]

WINDOW = ("scheduled_for", "scheduled_until")


def family(incident: dict[str, Any]) -> tuple[str, ...]:
    """The statuses that fit: maintenance when there is a window, else realtime."""
    return MAINTENANCE if incident.get("scheduled_for") or incident.get("scheduled_until") else REALTIME


def check_create(values: dict[str, Any], page: Page) -> Errors:
    """Rules of a new incident."""
    errors: Errors = {}
    if "name" not in values:
        errors["name"] = ["can't be blank"]
    if values.get("status") in MAINTENANCE and not any(name in values for name in WINDOW):
        # Whether the vendor takes a window without times is not documented.
        errors["scheduled_for"] = [f"is needed for status {values['status']}"]
    else:
        _add(errors, _window(values), _status(values, family(values)))
    _add(errors, _backfill(values), _reminders(values, family(values)), _components(values, page))
    return errors


def check_update(values: dict[str, Any], old: dict[str, Any], page: Page) -> Errors:
    """Rules of a change to `old`."""
    errors: Errors = {}
    if not values:
        # The vendor's documents do not say what an empty change does.
        errors["incident"] = ["has nothing to change"]
    for name in ("backfilled", "backfill_date"):
        if name in values:
            errors[name] = ["can only be given when the incident is created"]
    for name in WINDOW:
        if name in values and family(old) == REALTIME:
            errors[name] = ["does not fit an incident that is no maintenance"]
    merged = {**old, **values}
    if not errors:
        _add(errors, _window(merged), _status(values, family(old)), _reminders(values, family(old)))
    _add(errors, _components(values, page), _metadata(values, old))
    return errors


def _window(values: dict[str, Any]) -> Errors:
    if family(values) == REALTIME:
        return {
            name: ["does not fit an incident without scheduled_for and scheduled_until"]
            for name in AUTOMATION
            if values.get(name)
        }
    missing = [name for name in WINDOW if not values.get(name)]
    if missing:
        return {missing[0]: ["is needed: a window has a start and an end"]}
    if instant(values["scheduled_until"]) <= instant(values["scheduled_for"]):
        return {"scheduled_until": ["must be after scheduled_for"]}
    return {}


def _status(values: dict[str, Any], allowed: tuple[str, ...]) -> Errors:
    status = values.get("status")
    if status is None or status in allowed:
        return {}
    return {"status": [f"must be one of {', '.join(allowed)} for this kind of incident"]}


def _backfill(values: dict[str, Any]) -> Errors:
    backfilled = values.get("backfilled", False)
    if not backfilled:
        return {"backfill_date": ["needs backfilled: true"]} if "backfill_date" in values else {}
    errors = {name: ["is not allowed for a backfilled incident"] for name in ("components", "component_ids", *WINDOW)}
    errors = {name: told for name, told in errors.items() if name in values}
    return errors if "backfill_date" in values else {**errors, "backfill_date": ["can't be blank"]}


def _reminders(values: dict[str, Any], allowed: tuple[str, ...]) -> Errors:
    if values.get("reminder_intervals") is None or allowed == REALTIME:
        return {}
    return {"reminder_intervals": ["is not allowed for maintenance"]}


def _components(values: dict[str, Any], page: Page) -> Errors:
    errors: Errors = {}
    for name in ("components", "component_ids"):
        unknown = [key for key in values.get(name, ()) if key not in page.components]
        if unknown:
            errors[name] = [f"names unknown components: {', '.join(unknown)}"]
    groups = [key for key in values.get("components", ()) if page.components.get(key, {}).get("group")]
    if groups and "components" not in errors:
        errors["components"] = [f"names groups, whose status cannot be set: {', '.join(groups)}"]
    return errors


def _metadata(values: dict[str, Any], old: dict[str, Any]) -> Errors:
    # Whether a PATCH merges or replaces metadata is not documented: only a write that means the same both ways passes.
    lost = _lost(old.get("metadata") or {}, values["metadata"], "metadata") if "metadata" in values else []
    return {"metadata": [f"leaves out {name}: send the merged whole" for name in lost]} if lost else {}


def _lost(old: dict[str, Any], new: dict[str, Any], path: str) -> list[str]:
    lost: list[str] = []
    for name, value in old.items():
        if name not in new:
            lost.append(f"{path}.{name}")
        elif isinstance(value, dict) and isinstance(new[name], dict):
            lost += _lost(value, new[name], f"{path}.{name}")
    return lost


def _add(errors: Errors, *more: Errors) -> None:
    for found in more:
        for name, told in found.items():
            errors.setdefault(name, []).extend(told)
