# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Which incident of the page is ours: by our key, never by its name unless that is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.tars.rollout.plugins.module_utils._status.wanted import Wanted
from ansible_collections.tars.rollout.plugins.module_utils._status.words import (
    TERMINAL,
    Incident,
    called,
    key_of,
    kind_of,
    refuse,
)


def by_key(incidents: Iterable[Incident], key: str) -> Incident | None:
    """The one incident with this key; two are an error that names both."""
    # The list moves while it is read page by page, so one incident may come twice.
    found = list({incident["id"]: incident for incident in incidents if key_of(incident) == key}.values())
    if len(found) > 1:
        raise refuse(
            f"{len(found)} incidents have the key {key}: {', '.join(map(called, found))}",
            "Delete or end the wrong one by hand, or name the right one with incident_id",
            reason="key_not_unique",
            incidents=[incident["id"] for incident in found],
        )
    return found[0] if found else None


def by_name(incidents: Sequence[Incident], wanted: Wanted) -> Incident | None:
    """The incident to take over: same name and kind, and no key of ours. Open ones go before ended ones."""
    kind = "maintenance" if wanted.kind == "maintenance" else "realtime"
    unique = {incident["id"]: incident for incident in incidents}.values()
    named = [item for item in unique if item.get("name") == wanted.fields["name"]]
    free = [item for item in named if kind_of(item) == kind and not key_of(item)]
    candidates = [item for item in free if item.get("status") not in TERMINAL]
    if not candidates and (wanted.status in TERMINAL or wanted.kind == "historical"):
        candidates = free
    if len(candidates) > 1:
        raise refuse(
            f"{len(candidates)} incidents have the name {wanted.fields['name']!r} and no key: "
            f"{', '.join(map(called, candidates))}",
            "Name the right one with incident_id",
            reason="name_not_unique",
            incidents=[item["id"] for item in candidates],
        )
    return candidates[0] if candidates else None


def check(incident: Incident, wanted: Wanted) -> None:
    """Refuse an incident that is of the other kind, or somebody else's."""
    kind = kind_of(incident)
    if wanted.kind and (wanted.kind == "maintenance") != (kind == "maintenance"):
        raise refuse(
            f"The incident {called(incident)} is of kind {kind}, not {wanted.kind}",
            "Use another key: one incident cannot be turned into the other kind",
            reason="kind_differs",
        )
    if wanted.key and key_of(incident) not in ("", wanted.key):
        raise refuse(
            f"The incident {called(incident)} belongs to the key {key_of(incident)}, not {wanted.key}",
            "Check incident_id and key",
            reason="key_differs",
        )
