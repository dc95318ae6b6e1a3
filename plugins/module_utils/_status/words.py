# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Words and times of the status page. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError

REALTIME = ("investigating", "identified", "monitoring", "resolved")
MAINTENANCE = ("scheduled", "in_progress", "verifying", "completed")
TERMINAL = ("resolved", "completed")
FAMILIES = {"realtime": REALTIME, "maintenance": MAINTENANCE, "historical": REALTIME}
IMPACTS = ("none", "maintenance", "minor", "major", "critical")
COMPONENT_STATUSES = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
)
NAME_LIMIT = 255
BODY_LIMIT = 25000
WINDOW = ("scheduled_for", "scheduled_until")
NOT_YET = "not yet"

Incident = Mapping[str, Any]
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:?\d\d)")
_ID = re.compile(r"[a-z0-9]{12}")


class StatusError(RolloutError):
    """A fault of the status page or of what is asked of it."""


def refuse(msg: str, hint: str, reason: str = "status_invalid", **details: Any) -> StatusError:
    """The error for options or states that do not fit."""
    return StatusError(msg, reason=reason, hint=hint, details=details)


def looks_like_id(text: str) -> bool:
    """Whether it has the form of the vendor's ids: twelve lower-case letters or digits."""
    return _ID.fullmatch(text) is not None


def instant(text: Any) -> datetime | None:
    """The moment that an RFC 3339 text means, whatever its time zone; None for anything else."""
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def rfc3339(text: str) -> str:
    """A moment as the standard writes it: YAML, Ansible and people leave out the T and the colon of the zone."""
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text.upper().replace(" ", "T"))


def same_instant(one: Any, other: Any) -> bool:
    """Whether both mean the same moment; the page writes its own time zone and milliseconds."""
    first = instant(one)
    return first is not None and first == instant(other)


def kind_of(incident: Incident) -> str:
    """maintenance or realtime, by the family of its status; a historical incident is a realtime one of the past."""
    return "maintenance" if incident.get("status") in MAINTENANCE else "realtime"


def key_of(incident: Incident) -> str:
    """Our key, or an empty text where there is none."""
    metadata = incident.get("metadata")
    own = metadata.get("tars") if isinstance(metadata, Mapping) else None
    key = own.get("key") if isinstance(own, Mapping) else None
    return key if isinstance(key, str) else ""


def called(incident: Incident) -> str:
    """How messages name an incident."""
    return f"{incident.get('id')} ({str(incident.get('name'))[:60]!r}, {incident.get('status')})"


def reminders(value: Any) -> str:
    """A list or a number of hours as the service takes it: a text. Refused unless 1 to 24 and rising."""
    hours = value
    if isinstance(value, str):
        try:
            hours = json.loads(value)
        except (ValueError, RecursionError):
            hours = value
    several = hours if isinstance(hours, list) else [hours]
    good = all(isinstance(hour, int) and not isinstance(hour, bool) and 1 <= hour <= 24 for hour in several)
    if not good or any(later <= sooner for sooner, later in pairwise(several)):
        raise refuse(
            f"reminder_intervals is {value!r}",
            "Give one number of hours from 1 to 24, or a list of such numbers that rise; an empty list for none",
        )
    return json.dumps(hours)
