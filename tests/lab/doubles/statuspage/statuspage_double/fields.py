# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of an incident that may be written, one check each, with the limits that the vendor states in prose."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

REALTIME = ("investigating", "identified", "monitoring", "resolved")
MAINTENANCE = ("scheduled", "in_progress", "verifying", "completed")
TERMINAL = ("resolved", "completed")
IMPACTS = ("none", "maintenance", "minor", "major", "critical")
COMPONENT_STATUSES = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
    "",
)
NAME_LIMIT = 255
BODY_LIMIT = 25000

Check = Callable[[Any], str]
"""Returns what is wrong with a value, or an empty string."""

_INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$")


def _text(limit: int, blank: bool) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            return "must be a string"
        if not value.strip() and not blank:
            return "can't be blank"
        return f"is too long (maximum is {limit} characters)" if len(value) > limit else ""

    return check


def _one_of(allowed: tuple[str, ...]) -> Check:
    return lambda value: "" if value in allowed else f"must be one of {', '.join(filter(None, allowed))}"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _instant(value: Any) -> str:
    try:
        instant(value)
    except ValueError:
        return "must be a date-time with an offset, such as 2025-11-20T02:00:00Z"
    return ""


def _day(value: Any) -> str:
    try:
        date.fromisoformat(value if isinstance(value, str) and len(value) == 10 else "")
    except ValueError:
        return "must be a date such as 2025-10-01"
    return ""


def _statuses(value: Any) -> str:
    if not isinstance(value, dict):
        return "must be an object of component id and status (it is an array on read only)"
    bad = sorted(key for key, status in value.items() if status not in COMPONENT_STATUSES)
    return f"has an unknown status for {', '.join(bad)}" if bad else ""


def _ids(value: Any) -> str:
    return "" if isinstance(value, list) and all(isinstance(v, str) for v in value) else "must be a list of ids"


def _metadata(value: Any) -> str:
    good = isinstance(value, dict) and all(isinstance(part, dict) for part in value.values())
    return "" if good else "must be an object whose values are objects"


def _reminders(value: Any) -> str:
    """null, "[]", one number or a strictly rising list, 1 to 24, always as text."""
    wrong = 'must be a string such as "[1, 5, 7]", "4" or "[]", of hours from 1 to 24 that rise'
    if value is None or value == "[]":
        return ""
    if not isinstance(value, str) or not re.match(r"^(\d{1,2}|\[\d{1,2}(, ?\d{1,2})*\])$", value):
        return wrong
    hours = [int(part) for part in re.findall(r"\d+", value)]
    return "" if hours == sorted(set(hours)) and hours[0] >= 1 and hours[-1] <= 24 else wrong


WRITABLE: dict[str, Check] = {
    "name": _text(NAME_LIMIT, blank=False),
    "status": _one_of(REALTIME + MAINTENANCE),
    "body": _text(BODY_LIMIT, blank=True),
    "impact_override": _one_of(IMPACTS),
    "scheduled_for": _instant,
    "scheduled_until": _instant,
    "scheduled_remind_prior": _flag,
    "scheduled_auto_in_progress": _flag,
    "scheduled_auto_completed": _flag,
    "scheduled_auto_transition": _flag,
    "auto_transition_to_maintenance_state": _flag,
    "auto_transition_to_operational_state": _flag,
    "auto_transition_deliver_notifications_at_start": _flag,
    "auto_transition_deliver_notifications_at_end": _flag,
    "components": _statuses,
    "component_ids": _ids,
    "deliver_notifications": _flag,
    "metadata": _metadata,
    "backfilled": _flag,
    "backfill_date": _day,
    "reminder_intervals": _reminders,
}
"""Everything that a client may write. `impact` is not among them: the vendor computes it."""

FLAGS = tuple(name for name, check in WRITABLE.items() if check is _flag)


def instant(text: Any) -> datetime:
    """Read an RFC 3339 date-time; ValueError when it is none or has no offset."""
    if not isinstance(text, str) or not _INSTANT.match(text):
        raise ValueError(f"{text!r} is no date-time with an offset")
    return datetime.fromisoformat(text)


def stamp(moment: datetime) -> str:
    """Write a moment as the API does: UTC, milliseconds, Z. (The vendor uses the page's time zone; ours is UTC.)"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_form(values: dict[str, Any]) -> dict[str, Any]:
    """Turn the texts of a form into the values that JSON would have brought: `true` and `false` of the flags."""
    words = {"true": True, "false": False}
    return {name: words.get(value, value) if name in FLAGS else value for name, value in values.items()}


def check_fields(values: dict[str, Any]) -> dict[str, list[str]]:
    """Return field -> what is wrong with it, for known fields only."""
    errors: dict[str, list[str]] = {}
    for name, value in values.items():
        told = WRITABLE[name](value) if name in WRITABLE else ""
        if told:
            errors[name] = [told]
    return errors
