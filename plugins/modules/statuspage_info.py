#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: statuspage_info
short_description: Read incidents and components of an Atlassian Statuspage
description:
  - Reads and never writes. The list is read page by page; one that is longer than O(lookup_max_pages) is an error.
extends_documentation_fragment:
  - tars.rollout.statuspage
attributes:
  check_mode:
    description: Reads as always.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
options:
  gather:
    description: What to read.
    type: list
    elements: str
    choices: [incidents, components]
    default: [incidents, components]
  key:
    description: Only the incident with this key.
    type: str
  open_only:
    description: Only incidents that have not ended.
    type: bool
    default: false
  kind:
    description: Only incidents of this kind.
    type: str
    choices: [realtime, maintenance]
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: See what the public sees of open incidents
  tars.rollout.statuspage_info:
    page_id: "{{ statuspage_page_id }}"
    api_key: "{{ statuspage_api_key }}"
    open_only: true
  register: seen

- name: See that nothing else is going on
  ansible.builtin.assert:
    that: seen.incidents | selectattr('kind', 'equalto', 'realtime') | length == 0
"""

RETURN = r"""
incidents:
  description: The incidents, newest first, as the service shows them, with C(kind) and C(key) added.
  returned: when gathered
  type: list
  elements: dict
components:
  description: The components, groups among them, as the service shows them.
  returned: when gathered
  type: list
  elements: dict
calls: {description: Calls to the service., returned: success, type: int}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: search_incomplete}
hint: {description: What to do about it., returned: failure, type: str}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import Call, run_module
from ansible_collections.tars.rollout.plugins.module_utils._status.find import by_key
from ansible_collections.tars.rollout.plugins.module_utils._status.words import TERMINAL, key_of, kind_of
from ansible_collections.tars.rollout.plugins.module_utils._statuspage import connect, statuspage_options
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline


def spec() -> dict[str, Any]:
    parts = ["incidents", "components"]
    return {
        **statuspage_options(),
        "gather": {"type": "list", "elements": "str", "choices": parts, "default": parts},
        "key": {"type": "str", "no_log": False},
        "open_only": {"type": "bool", "default": False},
        "kind": {"type": "str", "choices": ["realtime", "maintenance"]},
    }


def run(call: Call) -> Mapping[str, Any]:
    params = call.params
    whole = Deadline(call.clock, 0)
    page = connect(call)
    result: dict[str, Any] = {"changed": False}
    if "incidents" in params["gather"]:
        # The list moves while it is read page by page, so one incident may come twice.
        unique = {item["id"]: item for part in page.incidents() for item in part}
        listed: list[Mapping[str, Any]] = list(unique.values())
        if params["key"]:
            # Two with one key are an error here as well: both cannot be meant.
            found = by_key(listed, params["key"])
            listed = [found] if found is not None else []
        result["incidents"] = [
            {**item, "kind": kind_of(item), "key": key_of(item)}
            for item in listed
            if not (params["open_only"] and item.get("status") in TERMINAL) and params["kind"] in (None, kind_of(item))
        ]
    if "components" in params["gather"]:
        result["components"] = page.components()
    return {**result, "calls": page.calls, "elapsed": round(whole.elapsed, 3)}


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
