# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Components of the page: which are meant, and whose status is to change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._status.words import TERMINAL, Incident, refuse

Component = Mapping[str, Any]


def check_known(ids: Iterable[str], components: Sequence[Component]) -> None:
    """Refuse ids that the page does not have, with what was probably meant."""
    unknown = [key for key in ids if key not in {item["id"] for item in components}]
    if not unknown:
        return
    meant = [f"{item['name']!r} is {item['id']}" for item in components if item.get("name") in unknown]
    raise refuse(
        f"The page has no components with the ids {', '.join(unknown)}",
        f"Give ids, not names: {'; '.join(meant)}" if meant else f"It has {_listed(components)}",
        reason="component_unknown",
        unknown=unknown,
    )


def check_settable(statuses: Iterable[str], components: Sequence[Component]) -> None:
    """Refuse to set the status of a group, which the service derives."""
    groups = [item["id"] for item in components if item.get("group") and item["id"] in set(statuses)]
    if groups:
        raise _group(groups)


def named(name: str, components: Sequence[Component]) -> Component:
    """The one component with this name; names are not unique, so two are an error that names both."""
    found = [item for item in components if item.get("name") == name]
    return _one(found, f"the name {name!r}", components)


def with_id(component_id: str, components: Sequence[Component]) -> Component:
    """The component with this id."""
    return _one([item for item in components if item["id"] == component_id], f"the id {component_id}", components)


def touched(incidents: Iterable[Incident]) -> set[str]:
    """Ids of the components that an incident touches which has not ended."""
    still_open = [item for item in incidents if item.get("status") not in TERMINAL]
    return {part["id"] for incident in still_open for part in incident.get("components") or ()}


def settable(components: Sequence[Component]) -> list[Component]:
    """All but the groups."""
    return [item for item in components if not item.get("group")]


def _one(found: Sequence[Component], what: str, components: Sequence[Component]) -> Component:
    if len(found) > 1:
        raise refuse(
            f"{len(found)} components have {what}: {', '.join(item['id'] for item in found)}",
            "Name the right one with component_id",
            reason="component_not_unique",
        )
    if not found:
        raise refuse(
            f"The page has no component with {what}", f"It has {_listed(components)}", reason="component_unknown"
        )
    if found[0].get("group"):
        raise _group([found[0]["id"]])
    return found[0]


def _group(ids: Sequence[str]) -> Exception:
    return refuse(
        f"The status of the group {', '.join(ids)} is derived from its components and cannot be set",
        "Set the status of the components in it",
        reason="component_is_group",
    )


def _listed(components: Sequence[Component]) -> str:
    shown = [f"{item['id']} ({item.get('name')})" for item in components[:10]]
    more = f" and {len(components) - 10} more" if len(components) > 10 else ""
    return f"{', '.join(shown)}{more}" if shown else "none at all"
