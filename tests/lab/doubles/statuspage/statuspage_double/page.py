# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the one page: components, incidents, clock. No HTTP, no rules."""

from __future__ import annotations

import copy
import random
import string
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .fields import stamp

COMPONENTS: tuple[dict[str, Any], ...] = (
    {
        "id": "8kbf7d35c070",
        "name": "Evaluation Engine",
        "status": "operational",
        "group_id": "grp000000001",
        "group": False,
    },
    {"id": "vtnh60py4yd7", "name": "Dashboard API", "status": "operational", "group_id": None, "group": False},
    {"id": "grp000000001", "name": "Core services", "status": "operational", "group_id": None, "group": True},
)
"""What a new page has, unless a reset brings its own."""

AUTOMATION = (
    "scheduled_remind_prior",
    "scheduled_auto_in_progress",
    "scheduled_auto_completed",
    "auto_transition_to_maintenance_state",
    "auto_transition_to_operational_state",
    "auto_transition_deliver_notifications_at_start",
    "auto_transition_deliver_notifications_at_end",
)
"""Flags of a maintenance window."""


def blank(page_id: str, incident_id: str) -> dict[str, Any]:
    """An incident with nothing in it, with every key that the API shows."""
    return {
        "id": incident_id,
        "page_id": page_id,
        "name": "",
        "status": "",
        "impact": "none",
        "impact_override": None,
        "metadata": None,
        "created_at": None,
        "updated_at": None,
        "monitoring_at": None,
        "resolved_at": None,
        "scheduled_for": None,
        "scheduled_until": None,
        **dict.fromkeys(AUTOMATION, False),
        "components": [],
        "incident_updates": [],
        "shortlink": f"https://stspg.example/{incident_id}",
        "postmortem_body": None,
        "reminder_intervals": None,
    }


class Page:
    """Everything that the page knows."""

    def __init__(self, page_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.id = page_id
        self._now = now
        self.components: dict[str, dict[str, Any]] = {}
        self.incidents: list[dict[str, Any]] = []
        """Newest first; `components` of each is the list of ids, see `shown`."""
        self.postmortems: dict[str, dict[str, Any]] = {}
        """By the id of the incident."""
        self.load()

    def load(
        self, components: list[dict[str, Any]] | None = None, incidents: list[dict[str, Any]] | None = None
    ) -> None:
        """Start anew with these components and incidents (newest first), in the form in which the API shows them."""
        self.postmortems = {}
        self.components = {
            item["id"]: copy.deepcopy(item) for item in (COMPONENTS if components is None else components)
        }
        self.incidents = []
        for incident in incidents or ():
            own = blank(self.id, incident["id"]) | copy.deepcopy(incident)
            for item in own["components"]:
                self.components.setdefault(item["id"], item).update(status=item["status"])
            own["components"] = [item["id"] for item in own["components"]]
            self.incidents.append(own)

    def moment(self) -> datetime:
        """Now."""
        return self._now()

    def stamp(self) -> str:
        """Now, as the API writes it."""
        return stamp(self._now())

    def new_id(self) -> str:
        """An id as the vendor's look: twelve lower-case letters and digits."""
        return "".join(random.choices(string.ascii_lowercase + string.digits, k=12))

    def find(self, incident_id: str) -> dict[str, Any] | None:
        """The incident with this id."""
        return next((item for item in self.incidents if item["id"] == incident_id), None)

    def set_statuses(self, statuses: dict[str, str]) -> list[dict[str, Any]] | None:
        """Set components' statuses; returns what changed in the form of `affected_components`, None for nothing."""
        changes = []
        for key, status in statuses.items():
            component = self.components[key]
            if component["status"] != status:
                changes.append(
                    {
                        "code": key,
                        "name": component["name"],
                        "old_status": component["status"],
                        "new_status": status,
                    }
                )
                component["status"] = status
        return changes or None

    def shown(self, incident: dict[str, Any]) -> dict[str, Any]:
        """An incident as the API shows it: with whole components, in their present status."""
        whole = copy.deepcopy(incident)
        whole["components"] = [dict(self.components[key]) for key in incident["components"]]
        return whole
