#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: canary_replicas
short_description: Share the work of workers between stable and canary by their pods
description:
  - A worker takes its work from a queue, so no route has a weight for it; its canary's share is that of its pods.
  - The canary gets ceil(O(weight) x pods of stable), and stable keeps as many as that leaves it, at least one below
    V(100). Together they are never fewer than stable had. Where so few pods cannot express a weight, a warning says
    which share it is.
  - What grows is ready before anything shrinks. How many pods stable had is kept as its annotation
    C(ga.rollout/replicas) until it has them again.
  - Each write is a JSON Patch that is refused as a whole when the Deployment has changed since it was read, or when a
    newer run acts there (see O(fence)).
  - When one worker of a call cannot be shared, none is touched.
  - Needs the verbs C(list), C(get) and C(patch) on deployments and C(list) on pods in O(namespace).
extends_documentation_fragment:
  - tars.rollout.cluster
attributes:
  check_mode:
    description: Plans as always, and lets the API server check each write without storing it.
    support: full
  diff_mode:
    description: Shows the pods of each Deployment that changes.
    support: full
options:
  namespace:
    description: Namespace of the workers.
    type: str
    required: true
  services:
    description: Names of the workers, which are those of their Deployments. The canary's has C(-canary) after it.
    type: list
    elements: str
    required: true
  weight:
    description:
      - Percent of the work for the canary, a whole number from 0 to 100. Exactly one of O(weight), O(cut) and O(whole)
        is needed.
    type: raw
  cut:
    description:
      - Take the work from the canaries now, and give stable its pods back at the same time. Nothing is waited for
        before; a stable that is late afterwards is a warning.
      - Without O(fence) the next fence is taken, so that whoever moved work before is stopped.
    type: bool
    default: false
  whole:
    description: Give stable its pods back, and leave the canary as it is.
    type: bool
    default: false
  fence:
    description:
      - The number under which this run acts, kept on what is written as annotation C(ga.rollout/fence).
      - A Deployment with a larger number refuses the call.
    type: raw
  track_label:
    description: A label that tells pods of stable and canary apart, as P(tars.rollout.canary_track#module) was given.
    type: str
    default: app.kubernetes.io/name
  wait_timeout:
    description: Seconds within which pods must be ready, and again those within which the others must be gone.
    type: float
    default: 180.0
  interval:
    description: Seconds between two looks.
    type: float
    default: 1.0
  fault_patience:
    description: Seconds for which a fault that may pass, such as an image that cannot be pulled, is borne.
    type: float
    default: 10.0
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
  - module: tars.rollout.canary_track
  - module: tars.rollout.canary_weight
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Give the canary of a worker a quarter of the work
  tars.rollout.canary_replicas:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    services: [worker]
    weight: 25
    fence: 7

- name: Take the work from it now
  tars.rollout.canary_replicas:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    services: [worker]
    cut: true
"""

RETURN = r"""
services:
  description: One entry per worker, in the order of the option.
  returned: success
  type: list
  elements: dict
  contains:
    service: {description: Name of the worker., type: str}
    whole: {description: Pods that stable has without a release., type: int}
    before: {description: Pods of C(stable) and C(canary) before., type: dict}
    wanted: {description: Pods that they shall have., type: dict}
    after: {description: Pods that they have; V(not yet) in check mode., type: raw}
    share: {description: Percent of the work that this is for the canary., type: float}
    fence: {description: The fence under which was written., type: int}
    changed: {description: Whether one of its Deployments was written., type: bool}
moved_at:
  description: When the work was shared so.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.123Z"
elapsed: {description: Seconds that the call took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: canary_missing}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._canary_replicas import run
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "namespace": {"type": "str", "required": True},
        "services": {"type": "list", "elements": "str", "required": True},
        "weight": {"type": "raw"},
        "cut": {"type": "bool", "default": False},
        "whole": {"type": "bool", "default": False},
        "fence": {"type": "raw"},
        "track_label": {"type": "str", "default": "app.kubernetes.io/name"},
        "wait_timeout": {"type": "float", "default": 180.0},
        "interval": {"type": "float", "default": 1.0},
        "fault_patience": {"type": "float", "default": 10.0},
        "release": {"type": "str"},
        "region": {"type": "str", "default": ""},
        "ledger": {"type": "path"},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
