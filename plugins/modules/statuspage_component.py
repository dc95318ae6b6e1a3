#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: statuspage_component
short_description: Set the status of components on an Atlassian Statuspage
description:
  - Sets the status of one component, or of all of them in one call. Those that have it already are left alone.
  - Names of components are not unique. Two of the same name are an error that names both ids.
  - The status of a group is derived by the service and cannot be set.
extends_documentation_fragment:
  - tars.rollout.statuspage
attributes:
  check_mode:
    description: Reads as always, and writes nothing.
    support: full
  diff_mode:
    description: Shows the statuses that change, by id.
    support: full
options:
  component:
    description: Name of the component.
    type: str
  component_id:
    description: Id of the component.
    type: str
  all:
    description: A status for every component that is no group, or V(true) for the one in O(status).
    type: raw
  status:
    description: The status to set. Not needed when O(all) says it.
    type: str
    choices: [operational, under_maintenance, degraded_performance, partial_outage, major_outage]
  skip_if_in_open_incident:
    description: With O(all), leave components alone that an incident touches which has not ended.
    type: bool
    default: false
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Show that the evaluation engine is slow
  tars.rollout.statuspage_component:
    page_id: "{{ statuspage_page_id }}"
    api_key: "{{ statuspage_api_key }}"
    component: Evaluation Engine
    status: degraded_performance

- name: Set everything back but what an open incident speaks of
  tars.rollout.statuspage_component:
    page_id: "{{ statuspage_page_id }}"
    api_key: "{{ statuspage_api_key }}"
    all: operational
    skip_if_in_open_incident: true
"""

RETURN = r"""
components:
  description: The components that were meant and not left alone.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Id., type: str}
    name: {description: Name., type: str}
    before: {description: Status before., type: str}
    status: {description: Status that was asked for., type: str}
left_alone:
  description: Ids of the components that were left alone because of an open incident.
  returned: success
  type: list
  elements: str
calls: {description: Calls to the service., returned: success, type: int}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: component_not_unique}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._status.words import COMPONENT_STATUSES
from ansible_collections.tars.rollout.plugins.module_utils._statuspage import statuspage_options
from ansible_collections.tars.rollout.plugins.module_utils._statuspage_component import run


def spec() -> dict[str, Any]:
    return {
        **statuspage_options(),
        "component": {"type": "str"},
        "component_id": {"type": "str"},
        "all": {"type": "raw"},
        "status": {"type": "str", "choices": list(COMPONENT_STATUSES)},
        "skip_if_in_open_incident": {"type": "bool", "default": False},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
