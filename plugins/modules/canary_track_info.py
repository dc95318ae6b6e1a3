#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: canary_track_info
short_description: Read a namespace and say what speaks against a canary track in it
description:
  - Reads once, and all kinds at the same time, what a rollout has to know of a namespace. Changes nothing.
  - Returns everything that would go wrong with a second track of the services as findings with a stable code. A run
    that finds some should not begin; the module itself does not fail because of them.
  - Needs the verb C(list) in O(namespace) on deployments; and, to look at them, on statefulsets,
    horizontalpodautoscalers, poddisruptionbudgets, networkpolicies, peerauthentications, authorizationpolicies,
    servicemonitors, podmonitors, destinationrules, virtualservices, httproutes, grpcroutes, services, resourcequotas,
    Flagger's canaries and Argo's rollouts; and in the whole cluster on nodes and pods to know what room there is.
  - A kind that the cluster does not have is none. One that this account may not read is returned as unread.
extends_documentation_fragment:
  - tars.rollout.cluster
  - tars.rollout.track
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
options:
  mutable_tags:
    description:
      - Whether an image may have no tag, C(latest), or a tag without any digit, any of which may be another image
        tomorrow.
      - Without any tag, digest or image in the call no image is looked at.
    type: bool
    default: false
seealso:
  - module: tars.rollout.canary_track
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Look at a region before a release
  tars.rollout.canary_track_info:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    services:
      - {name: api}
      - {name: worker, kind: worker, with_stable: true}
    tag: "2.1.0"
  register: looked

- name: Refuse what cannot go well
  ansible.builtin.assert:
    that: looked.findings == []
    fail_msg: "{{ looked.findings | map(attribute='seen') | join('; ') }}"
"""

RETURN = r"""
live:
  description:
    - The Deployment of each service that has one, by name, as read.
    - Variables that may hold a secret are masked.
  returned: success
  type: dict
canaries:
  description: The Deployments that canary_track has made and that are there, by name.
  returned: success
  type: dict
autoscalers:
  description: The autoscalers whose target is one of the services.
  returned: success
  type: list
  elements: dict
helm:
  description:
    - The Helm release that owns each Deployment of the namespace but canaries, by their names, with its namespace where
      that is another one. Empty where none does.
  returned: success
  type: dict
  sample: {api: tars}
pins:
  description: The minimum of each autoscaler that will be, or is, raised for the time of the rollout, as it was before.
  returned: success
  type: dict
  sample: {api: 3}
fence_floor:
  description: The largest C(ga.rollout/fence) on routes and Deployments; 0 where there is none.
  returned: success
  type: int
cuts:
  description: Every cut that a route tells of.
  returned: success
  type: list
  elements: dict
  contains:
    object: {description: The route's object., type: str, sample: VirtualService tars-us-west-2/api}
    release: {description: The release that was cut; empty where the annotation is not ours., type: str}
    time: {description: When., type: str, sample: "2026-01-31T12:00:00.123Z"}
    reason: {description: Why., type: str, sample: slo_violated}
findings:
  description:
    - What speaks against a rollout, each with C(code), C(service), C(seen) and C(hint).
    - The service is empty where it concerns all.
  returned: success
  type: list
  elements: dict
  sample:
    - {code: volume_claim, service: api, seen: "api mounts the PersistentVolumeClaim data, which a copy would share",
       hint: "Roll it out with with_stable, or keep its data elsewhere"}
notices:
  description: What stops nothing and should be known, in the same form.
  returned: success
  type: list
  elements: dict
unread:
  description: Kinds that this account may not read, each with C(verb), C(resource), C(group) and C(where).
  returned: success
  type: list
  elements: dict
stable_lacks:
  description:
    - What of stable is not whole, or is not O(tag), a sentence each; empty when all of its pods run the release.
    - A pod is stable's by the value of O(track_label). Without O(tag) no image is looked at.
  returned: success
  type: list
  elements: str
  sample: ["api: 2/3 ready", "pod api-7c9 runs registry.example.com/tars/api:2.0.0"]
reason: {description: Stable code of a fault., returned: failure, type: str, sample: kube_forbidden}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._canary_track_info import run
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import SERVICE_OPTIONS


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "namespace": {"type": "str", "required": True},
        "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE_OPTIONS},
        "tag": {"type": "str"},
        "mutable_tags": {"type": "bool", "default": False},
        "track_label": {"type": "str", "default": "app.kubernetes.io/name"},
        "weight": {"type": "raw", "default": 100},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
