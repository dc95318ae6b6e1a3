# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The postmortem of an incident, and corrections of published updates: what is to be done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._status.words import Incident, called, refuse


@dataclass(frozen=True)
class PostmortemPlan:
    """``draft`` is the text to write, None to leave it; ``publish`` the fields of the publication, None for none."""

    draft: str | None = None
    publish: Mapping[str, Any] | None = None

    @property
    def changed(self) -> bool:
        return self.draft is not None or self.publish is not None


def postmortem(wanted: Mapping[str, Any], held: Mapping[str, Any]) -> PostmortemPlan:
    """``held`` is what the service shows, empty where there is none."""
    text = wanted["body"]
    public = held.get("body") == text and bool(held.get("published_at"))
    if public:
        return PostmortemPlan()
    draft = None if held.get("body_draft") == text else text
    if not wanted.get("publish"):
        return PostmortemPlan(draft)
    notify = {"notify_subscribers": bool(wanted.get("notify_subscribers")), "notify_twitter": False}
    return PostmortemPlan(draft, notify)


def correction(wanted: Mapping[str, Any], incident: Incident | None) -> str | None:
    """The new text of the update, None when it says that already; refused when there is no such update."""
    if incident is None:
        raise refuse(
            f"There is no incident yet, so it has no update {wanted['update_id']}",
            "Check key or incident_id, and edit_update.update_id",
            reason="update_absent",
        )
    updates = {str(item.get("id")): item for item in incident.get("incident_updates") or ()}
    update = updates.get(wanted["update_id"])
    if update is None:
        raise refuse(
            f"The incident {called(incident)} has no update {wanted['update_id']}; "
            f"it has {', '.join(updates) or 'none'}",
            "Check edit_update.update_id",
            reason="update_absent",
        )
    return None if update.get("body") == wanted["body"] else wanted["body"]
