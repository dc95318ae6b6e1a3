#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: alertmanager_silence
short_description: Keep a silence for one region in Alertmanager, or take it away
description:
  - Finds the silence by O(key), in its annotations (Alertmanager 0.33 and later) or its comment.
  - It always matches the region and always ends by itself. While half of O(duration) is left nothing is written.
  - V(absent) expires it, as a rollback must, since its alerts are wanted then.
extends_documentation_fragment:
  - tars.rollout.announce
options:
  url:
    description: Address of Alertmanager.
    type: str
    required: true
  token:
    description: Bearer token of a proxy before it.
    type: str
  key:
    description: A text that stays the same for this silence, such as C(tars/1.0.1/us-west-2).
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
  region:
    description: The region whose alerts are silenced.
    type: str
    required: true
  region_label:
    description: The label that holds the region.
    type: str
    default: region
  matchers:
    description: What else an alert must match.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Label., type: str, required: true}
      value: {description: Value or regular expression., type: str, required: true}
      is_regex: {description: Whether the value is a regular expression., type: bool, default: false}
      is_equal: {description: Whether it must match; otherwise it must not., type: bool, default: true}
  duration:
    description: Seconds from now on, from 60 to 604800.
    type: float
    default: 3600.0
  comment:
    description: Why.
    type: str
    default: Rollout
  created_by:
    description: Who.
    type: str
    default: tars.rollout
"""

EXAMPLES = r"""
- name: No alerts of the canary while it is judged by its gate
  tars.rollout.alertmanager_silence:
    url: https://alertmanager.example.net
    key: tars/1.0.1/us-west-2
    region: us-west-2
    matchers:
      - {name: track, value: canary}
    duration: 5400

- name: All alerts again
  tars.rollout.alertmanager_silence:
    url: https://alertmanager.example.net
    key: tars/1.0.1/us-west-2
    region: us-west-2
    state: absent
"""

RETURN = r"""
act: {description: "sent, updated, removed or unchanged.", returned: success, type: str, sample: sent}
silence_id: {description: Id of the silence., returned: when there is one, type: str}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: http_bad_request}
hint: {description: What to do about it., returned: failure, type: str}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._announce import alertmanager
from ansible_collections.tars.rollout.plugins.module_utils._http import bearer
from ansible_collections.tars.rollout.plugins.module_utils._message import message_options, send_one
from ansible_collections.tars.rollout.plugins.module_utils._module import Call, run_module


def spec() -> dict[str, Any]:
    matcher = {
        "name": {"type": "str", "required": True},
        "value": {"type": "str", "required": True},
        "is_regex": {"type": "bool", "default": False},
        "is_equal": {"type": "bool", "default": True},
    }
    return {
        **message_options(),
        "url": {"type": "str", "required": True},
        "token": {"type": "str", "no_log": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "region": {"type": "str", "required": True},
        "region_label": {"type": "str", "default": "region"},
        "matchers": {"type": "list", "elements": "dict", "default": [], "options": matcher},
        "duration": {"type": "float", "default": 3600.0},
        "comment": {"type": "str", "default": "Rollout"},
        "created_by": {"type": "str", "default": "tars.rollout"},
    }


def run(call: Call) -> Mapping[str, Any]:
    params = call.params
    server = alertmanager.Alertmanager(params["url"], bearer(params["token"]) if params["token"] else {})
    return send_one(
        call, "alertmanager_silence", params["key"], lambda wire, _sent: alertmanager.silence(wire, server, params)
    )


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
