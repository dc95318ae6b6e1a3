#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: canary_in_place
short_description: Put stable's image into the canary's own pods, for when no weight reaches the gateways
description:
  - For one emergency only, a rollback while the mesh's control plane is away. Gateways then go on with the routes and
    addresses that they have, so neither a weight nor taking the canary away helps; but a pod keeps its address while
    its image changes.
  - Gives the containers of each pod of the canary the image that stable's Deployment has, one pod at a time and each
    ready before the next, all services side by side. Nothing but the image changes, neither variables nor arguments.
  - The pods are no longer what their ReplicaSet says. Take the canary away once its weight is proven to be 0.
  - Needs the verbs C(list), C(get) and C(patch) on pods and C(list) on deployments in O(namespace).
extends_documentation_fragment:
  - tars.rollout.cluster
attributes:
  check_mode:
    description: Plans as always, and lets the API server check each write without storing it.
    support: full
  diff_mode:
    description: Shows nothing.
    support: none
options:
  namespace:
    description: Namespace of the services.
    type: str
    required: true
  services:
    description: Names of the services, which are those of stable's Deployments. The canary's has C(-canary) after it.
    type: list
    elements: str
    required: true
  wait_timeout:
    description: Seconds within which each pod must take requests again.
    type: float
    default: 60.0
  release:
    description: The release, for the ledger.
    type: str
  region:
    description: Name of the region, for live lines and the ledger.
    type: str
    default: ""
  ledger:
    description: Path of the ledger, a file of JSON lines to which every change is appended.
    type: path
seealso:
  - module: tars.rollout.canary_weight
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Let two canaries answer as stable does
  tars.rollout.canary_in_place:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    services: [api, insight]
"""

RETURN = r"""
services:
  description: One entry per service, in the order of the option.
  returned: success
  type: list
  elements: dict
  contains:
    service: {description: Name of the service., type: str}
    pods: {description: Names of the pods that did not run stable's image., type: list, elements: str}
    changed: {description: Whether there were some., type: bool}
    restored: {description: Whether all of them run it now; V(not yet) in check mode., type: raw}
elapsed: {description: Seconds that the call took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: in_place_not_ready}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._canary_in_place import run
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "namespace": {"type": "str", "required": True},
        "services": {"type": "list", "elements": "str", "required": True},
        "wait_timeout": {"type": "float", "default": 60.0},
        "release": {"type": "str"},
        "region": {"type": "str", "default": ""},
        "ledger": {"type": "path"},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
