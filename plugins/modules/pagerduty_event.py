#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pagerduty_event
short_description: Open, acknowledge or resolve an alert in PagerDuty, or tell of a change
description:
  - Sends to the Events API v2. An alert is known by O(dedup_key), so that it can be resolved and a second run opens no
    second one.
  - There is no way to read what is open. Whether something changed is known from O(sent_file); without it
    every run sends.
  - A change event has no key. One that brought no answer is not repeated.
extends_documentation_fragment:
  - tars.rollout.announce
options:
  action:
    description: What to do; V(change) tells of a change and pages nobody.
    type: str
    choices: [trigger, acknowledge, resolve, change]
    required: true
  routing_key:
    description: Integration key of the service, 32 characters. Both events of one alert must use the same one.
    type: str
    required: true
  region:
    description: Where the account is.
    type: str
    choices: [us, eu]
    default: us
  base_url:
    description: Another address than that of the region.
    type: str
  dedup_key:
    description: A text that stays the same for this alert, at most 255 characters. Needed but for V(change).
    type: str
  summary:
    description: The sentence that people on call read, at most 1024 characters. Needed for V(trigger) and V(change).
    type: str
  source:
    description: What the event is about.
    type: str
    default: tars.rollout
  severity:
    description: Needed for V(trigger). Also V(info) may page, as the service is set up.
    type: str
    choices: [critical, error, warning, info]
  timestamp:
    description: When it happened, as C(2026-01-31T02:00:00Z).
    type: str
  component:
    description: The component, such as a service.
    type: str
  group:
    description: The group, such as a region.
    type: str
  class:
    description: The class of the event.
    type: str
  custom_details:
    description: More for the people on call.
    type: dict
  links:
    description: Links to show.
    type: list
    elements: dict
    default: []
    suboptions:
      href: {description: Address., type: str, required: true}
      text: {description: Its text., type: str}
"""

EXAMPLES = r"""
- name: Page whoever is on call because of a rollback
  tars.rollout.pagerduty_event:
    routing_key: "{{ pagerduty_routing_key }}"
    action: trigger
    dedup_key: tars/1.0.1/us-west-2/rollback
    summary: T.A.R.S. 1.0.1 was rolled back in us-west-2
    severity: critical
    sent_file: build/rollout/1.0.1/announced.json

- name: Take it back
  tars.rollout.pagerduty_event:
    routing_key: "{{ pagerduty_routing_key }}"
    action: resolve
    dedup_key: tars/1.0.1/us-west-2/rollback
    sent_file: build/rollout/1.0.1/announced.json
"""

RETURN = r"""
act: {description: "sent, updated, resolved or unchanged.", returned: success, type: str, sample: sent}
dedup_key: {description: The key of the alert., returned: success, type: str}
action: {description: The action that was sent last., returned: success, type: str}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: message_invalid}
hint: {description: What to do about it., returned: failure, type: str}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._announce import pagerduty
from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import digest
from ansible_collections.tars.rollout.plugins.module_utils._message import message_options, send_one
from ansible_collections.tars.rollout.plugins.module_utils._module import Call, run_module


def spec() -> dict[str, Any]:
    return {
        **message_options(),
        "action": {"type": "str", "choices": [*pagerduty.ACTIONS, "change"], "required": True},
        "routing_key": {"type": "str", "required": True, "no_log": True},
        "region": {"type": "str", "choices": list(pagerduty.SERVERS), "default": "us"},
        "base_url": {"type": "str"},
        "dedup_key": {"type": "str", "no_log": False},
        "summary": {"type": "str"},
        "source": {"type": "str", "default": "tars.rollout"},
        "severity": {"type": "str", "choices": list(pagerduty.SEVERITIES)},
        "timestamp": {"type": "str"},
        "component": {"type": "str"},
        "group": {"type": "str"},
        "class": {"type": "str"},
        "custom_details": {"type": "dict"},
        "links": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"href": {"type": "str", "required": True}, "text": {"type": "str"}},
        },
    }


def run(call: Call) -> Mapping[str, Any]:
    params = dict(call.params)
    params["links"] = [{name: value for name, value in link.items() if value} for link in params["links"]]
    duty = pagerduty.PagerDuty(params["routing_key"], params["base_url"] or pagerduty.SERVERS[params["region"]])
    # A change has no key; what it says tells it from others.
    key = params["dedup_key"] if params["action"] != "change" else f"change {digest(params['summary'])}"
    return send_one(call, "pagerduty_event", key or "", lambda wire, sent: pagerduty.send(wire, duty, params, sent))


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
