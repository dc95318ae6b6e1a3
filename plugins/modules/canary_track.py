#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: canary_track
short_description: Put the canary track of services beside stable and wait until it is ready, or take it away
description:
  - Copies the live Deployment of each service under the name of the service with C(-canary), with another value of
    O(track_label) and with the image of the release, all services of a call at the same time. Nothing of the live
    object's metadata is taken along, so neither Helm nor Argo CD nor an owner knows the copy.
  - Beside it are made a PodDisruptionBudget (where there are several pods), the autoscaler where stable has one, and
    copies of the policies and monitors that select pods by O(track_label).
  - The minimum of stable's autoscaler is raised to the pods that are live, so that stable does not shrink while it
    has no traffic.
  - Waits until all pods of all canaries take requests, and says all the while which are not ready and why. A program
    that does not start, or an image that cannot be pulled, ends the wait before its time. So the images are on the
    nodes before any traffic is.
  - Only objects that differ are written. A canary is never made smaller, and one that has traffic is never replaced.
    When one service of a call cannot be copied, none is touched.
  - With O(state=absent) the canaries go, provided that no route of the namespace gives them weight, and autoscalers
    get their minimum back.
  - Needs the verb C(list) in O(namespace) on what M(tars.rollout.canary_track_info) reads there.
  - For O(state=present) needs the verbs C(create), C(patch) and C(get) on deployments and poddisruptionbudgets; and on
    horizontalpodautoscalers, networkpolicies, peerauthentications, authorizationpolicies, servicemonitors and
    podmonitors where there are some to copy. For O(state=absent) needs the verb C(delete) on these, and C(patch) on
    horizontalpodautoscalers. A right that is missing is named with verb, resource and namespace.
extends_documentation_fragment:
  - tars.rollout.cluster
  - tars.rollout.track
attributes:
  check_mode:
    description: Plans as always, and lets the API server check each write without storing it.
    support: full
  diff_mode:
    description: Shows what is made, patched or deleted; of variables only their names.
    support: full
options:
  state:
    description: Whether the canary track shall be there.
    type: str
    choices: [present, absent]
    default: present
  release:
    description: The release, for an annotation of what is made. Needed for O(state=present).
    type: str
  fence:
    description:
      - The number under which this run acts, kept on each object as annotation C(ga.rollout/fence).
      - An object with a larger number refuses the call.
    type: raw
  pins:
    description:
      - With O(state=absent), the minimum of each autoscaler by its name, as a former call returned it.
      - What is not named is taken from the annotation that an autoscaler carries since it was pinned.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds within which all pods must be ready, or gone. With V(0) nothing is waited for.
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
  region:
    description: Name of the region, for live lines and the ledger.
    type: str
    default: ""
  ledger:
    description: Path of the ledger, a file of JSON lines to which every change is appended.
    type: path
seealso:
  - module: tars.rollout.canary_track_info
  - module: tars.rollout.canary_weight
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Put the canaries of two services beside stable
  tars.rollout.canary_track:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    services:
      - {name: api, env: {FEATURE_NEW_UI: "true"}}
      - name: evaluation
        digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    tag: "2.1.0"
    release: "2.1.0"
    fence: 7
  register: made

- name: Take them away when they have no traffic any more
  tars.rollout.canary_track:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    services: [{name: api}, {name: evaluation}]
    state: absent
    pins: "{{ made.pins }}"
    fence: 7
"""

RETURN = r"""
services:
  description: One entry per service, in the order of the option.
  returned: success
  type: list
  elements: dict
  contains:
    service: {description: Name of the service., type: str}
    canary: {description: Name of its canary; null where it gets none., type: str}
    changed: {description: Whether something of its canary was written or deleted., type: bool}
    images: {description: Image of each container of the canary., type: dict, returned: with O(state=present)}
    replicas: {description: Pods that it has., type: int, returned: with O(state=present)}
    ready:
      description: Pods of it that take requests; V(not yet) in check mode and where nothing was waited for.
      type: raw
      returned: with O(state=present)
    gone: {description: Whether it is gone; V(not yet) in check mode., type: raw, returned: with O(state=absent)}
objects:
  description:
    - Every object that was looked at, with C(object) and C(action).
    - The action is V(created), V(patched), V(unchanged) or V(deleted).
  returned: success
  type: list
  elements: dict
pins:
  description: What the minimum of each of stable's autoscalers was before it was raised, to give back later.
  returned: success
  type: dict
  sample: {api: 3}
elapsed: {description: Seconds that the call took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: crash_loop}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._canary_track import run
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import SERVICE_OPTIONS


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE_OPTIONS},
        "tag": {"type": "str"},
        "release": {"type": "str"},
        "track_label": {"type": "str", "default": "app.kubernetes.io/name"},
        "weight": {"type": "raw", "default": 100},
        "fence": {"type": "raw"},
        "pins": {"type": "dict", "default": {}},
        "wait_timeout": {"type": "float", "default": 180.0},
        "interval": {"type": "float", "default": 1.0},
        "fault_patience": {"type": "float", "default": 10.0},
        "region": {"type": "str", "default": ""},
        "ledger": {"type": "path"},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
