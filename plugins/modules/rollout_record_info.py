#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_record_info
short_description: Read how releases stand in several regions at once
description:
  - Reads record and lease of every region in one call, at the same time, and changes nothing.
  - A region that cannot be read, or whose record somebody edited, does not hide the others; its row says why.
  - With O(turn) it also says whether a region may begin after these.
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
options:
  regions:
    description: The regions to read.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the region, as in messages.
        type: str
        required: true
      host:
        description: Its name in the inventory, for the command to go on; its name when not given.
        type: str
      namespace:
        description: Namespace of its record.
        type: str
        required: true
      app:
        description: Name of the application.
        type: str
        default: tars
      kubeconfig:
        description: Path of the kubeconfig of its cluster; the service account of the pod when not given.
        type: path
      context:
        description: Name of a context in it.
        type: str
  turn:
    description: The region whose turn may be next; O(regions) are those of all waves before it.
    type: dict
    suboptions:
      release:
        description: The release that all of them must be promoted to.
        type: str
        required: true
      plan_hash:
        description: The plan by which.
        type: str
        required: true
      gap:
        description: Seconds between the end of the last of them and the begin of this one.
        type: float
        default: 0.0
      hours:
        description: Hours of the day in which the region may begin, in UTC, such as V(10-15) or V(20-02).
        type: str
        default: ""
  finished:
    description:
      - Which regions have nothing to do.
      - Of those that are promoted to this release by this plan, the routes in the record and the images of stable are
        read as well, since a record does not see what somebody changes by hand.
    type: dict
    suboptions:
      release:
        description: The release.
        type: str
        required: true
      plan_hash:
        description: The plan by which.
        type: str
        required: true
      image_tag:
        description: Tag of its images; they are not looked at when not given.
        type: str
  words:
    description: How a playbook of this collection is called, up to its name; for the command to go on.
    type: str
    default: "ansible-playbook playbooks/"
  api_timeout:
    description: Seconds of silence of an API server after which a region is given up.
    type: float
    default: 10.0
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
requirements:
  - kubernetes (the Python client)
seealso:
  - module: tars.rollout.rollout_record
"""

EXAMPLES = r"""
- name: See how two regions stand
  tars.rollout.rollout_record_info:
    regions:
      - {name: us-west-2, namespace: tars-us-west-2, kubeconfig: /etc/tars/us-west-2.yaml}
      - {name: us-east-1, namespace: tars-us-east-1, kubeconfig: /etc/tars/us-east-1.yaml}
  register: found

- name: Show the table
  ansible.builtin.debug:
    var: found.table

- name: May a region of the next wave begin
  tars.rollout.rollout_record_info:
    regions: "{{ regions_before }}"
    turn: {release: "2.1.0", plan_hash: "sha256:4f1d", gap: 3600, hours: 10-15}
"""

RETURN = r"""
regions:
  description: One entry per region, in the order of the option.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the region., type: str}
    record: {description: The record with the last 20 entries of its history; null where there is none., type: dict}
    holder: {description: Who holds the lease; empty when nobody does., type: str}
    expired: {description: Whether the lease ran out., type: bool}
    command: {description: What to type to go on; empty where there is nothing to do., type: str}
    finished: {description: Whether it is promoted as O(finished) asks; false without it., type: bool}
    drift: {description: What of a finished region is not as it was left., type: list, elements: str}
    fault: {description: Why it could not be read., type: str}
    reason: {description: The stable code of that., type: str}
table:
  description: The same as lines of a table, for people.
  returned: success
  type: list
  elements: str
turn:
  description: Whether a region may begin after these; null without O(turn).
  returned: success
  type: dict
  contains:
    may: {description: Whether all of them are promoted to this release by this plan., type: bool}
    wait: {description: Seconds until it may begin., type: float}
    begins: {description: The moment at which., type: str}
    why: {description: "Why not, or why not yet.", type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._rollout_record_info import run


def spec() -> dict[str, Any]:
    region = {
        "name": {"type": "str", "required": True},
        "host": {"type": "str"},
        "namespace": {"type": "str", "required": True},
        "app": {"type": "str", "default": "tars"},
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
    }
    turn = {
        "release": {"type": "str", "required": True},
        "plan_hash": {"type": "str", "required": True},
        "gap": {"type": "float", "default": 0.0},
        "hours": {"type": "str", "default": ""},
    }
    finished = {
        "release": {"type": "str", "required": True},
        "plan_hash": {"type": "str", "required": True},
        "image_tag": {"type": "str"},
    }
    return {
        "regions": {"type": "list", "elements": "dict", "required": True, "options": region},
        "turn": {"type": "dict", "options": turn},
        "finished": {"type": "dict", "options": finished},
        "words": {"type": "str", "default": "ansible-playbook playbooks/"},
        "api_timeout": {"type": "float", "default": 10.0},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
