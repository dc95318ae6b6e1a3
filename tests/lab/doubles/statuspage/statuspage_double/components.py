# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls on components."""

from __future__ import annotations

from typing import Any

from double_server import body
from double_server.call import Call, Reply, invalid, not_found
from double_server.paging import number, only

from .fields import COMPONENT_STATUSES
from .page import Page

PER_PAGE = 100
_FIELDS = ("name", "description", "status", "group_id", "showcase", "only_show_if_degraded", "start_date")


def listed(page: Page, call: Call, strict: bool) -> Reply:
    """GET: all components, groups among them, `per_page` (at most 100) at a time."""
    query = only(call, ("page", "per_page"))
    size = number(query, "per_page", PER_PAGE, PER_PAGE)
    first = (number(query, "page", 1) - 1) * size
    return Reply(200, [dict(item, page_id=page.id) for item in list(page.components.values())[first : first + size]])


def created(page: Page, call: Call, strict: bool) -> Reply:
    """POST: a new component."""
    only(call, ())
    values = _values(call, strict)
    if not isinstance(values.get("name"), str) or not values["name"].strip():
        raise invalid({"name": ["can't be blank"]})
    fresh = {"id": page.new_id(), "name": "", "status": "operational", "group_id": None, "group": False}
    component = fresh | {name: value for name, value in values.items() if name in _FIELDS}
    page.components[component["id"]] = component
    return Reply(201, dict(component, page_id=page.id))


def deleted(page: Page, call: Call, strict: bool) -> Reply:
    """DELETE: gone, also from the incidents that it belonged to."""
    only(call, ())
    if page.components.pop(call.args["component_id"], None) is None:
        raise not_found(f"no component {call.args['component_id']}")
    for incident in page.incidents:
        incident["components"] = [key for key in incident["components"] if key in page.components]
    return Reply(204, None)


def updated(page: Page, call: Call, strict: bool) -> Reply:
    """PATCH and PUT: set the status. A group's status is derived and cannot be set."""
    only(call, ())
    component = page.components.get(call.args["component_id"])
    if component is None:
        raise not_found(f"no component {call.args['component_id']}")
    values = _values(call, strict)
    if "status" in values and component["group"]:
        raise invalid({"status": ["of a group is derived and cannot be set"]})
    component.update({name: value for name, value in values.items() if name in _FIELDS})
    return Reply(200, dict(component, page_id=page.id))


def _values(call: Call, strict: bool) -> dict[str, Any]:
    values, _is_form = body.read(call, "component")
    unknown = sorted(set(values) - set(_FIELDS))
    call.problems += [f"unknown key component.{name}" for name in unknown]
    if unknown and strict:
        raise invalid({name: ["is not a field that can be written"] for name in unknown})
    if "status" in values and values["status"] not in COMPONENT_STATUSES:
        raise invalid({"status": [f"must be one of {', '.join(filter(None, COMPONENT_STATUSES))}"]})
    return values
