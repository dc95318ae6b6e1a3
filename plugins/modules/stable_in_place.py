#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: stable_in_place
short_description: Make stable's Deployments another release where they stand, or what they were before
description:
  - For Deployments that come from plain manifests. One JSON Patch for each changes the image of a container, its
    variables, and the names of ConfigMaps and Secrets that the pods use; nothing else. All services of a call are
    patched at the same time.
  - Each patch first tests identity, generation and fence of the Deployment. Where somebody wrote meanwhile it is read
    and decided again.
  - Waits until all are whole. The controller has seen the new spec, and all pods are new and take requests.
  - What each was before is in RV(before), also in check mode. Written down first, it can be given back as O(restore).
  - A Deployment that belongs to a Helm release, to Argo CD, to Flux or to another owner is refused by name, as these
    would undo it. When one service of a call cannot be planned, none is touched.
  - Needs the verbs C(list), C(get) and C(patch) on deployments and C(list) on pods in O(namespace).
extends_documentation_fragment:
  - tars.rollout.cluster
attributes:
  check_mode:
    description: Plans as always, and lets the API server check each write without storing it.
    support: full
  diff_mode:
    description: Shows image, variables and mounts that change; of variables that may be secret only their names.
    support: full
options:
  namespace:
    description: Namespace of the services.
    type: str
    required: true
  services:
    description: The services as M(tars.rollout.canary_track) takes them, each named once. Needed unless O(restore) is
      given.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the service and of its Deployment., type: str, required: true}
      kind: {description: No matter here., type: str, choices: [routed, worker, singleton], default: routed}
      with_stable: {description: No matter here., type: bool, default: false}
      container: {description: The container whose image is the service's; the first one when not given., type: str}
      image: {description: "The whole reference of the image, without a tag or digest beside it.", type: str}
      tag: {description: Tag of the release; O(tag) when nothing is given for the service., type: str}
      digest: {description: Digest of the release. With a tag beside it the digest decides., type: str}
      env: {description: Variables of the container. Values are texts., type: dict, default: {}}
      config_maps: {description: "Other ConfigMaps, by the name of those that are used now.", type: dict, default: {}}
      secrets: {description: "Other Secrets, by the name of those that are used now.", type: dict, default: {}}
  tag:
    description: Tag of the release for all services that say nothing else.
    type: str
  restore:
    description: What each Deployment shall be again, by its name, as RV(before) of a former call has it. Nothing else
      is touched.
    type: dict
    default: {}
  track_label:
    description: A label by which the pods of each Deployment are found.
    type: str
    default: app.kubernetes.io/name
  fence:
    description:
      - The number under which this run acts, kept on each Deployment that is changed as annotation C(ga.rollout/fence).
      - A Deployment with a larger number refuses the call.
    type: raw
  wait_timeout:
    description: Seconds within which all must be whole, or a duration with its unit, such as V(10m). With V(0) nothing
      is waited for.
    type: raw
    default: 600
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
  - module: tars.rollout.helm_rollback
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Make stable the new release while it has no traffic
  tars.rollout.stable_in_place:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    services:
      - {name: api, env: {FEATURE_NEW_UI: "true"}}
      - {name: worker}
    tag: "2.1.0"
    fence: 7
  register: replaced

- name: Put it back
  tars.rollout.stable_in_place:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    restore: "{{ replaced.before }}"
    fence: 8
"""

RETURN = r"""
services:
  description: One entry per service, in the order of the option.
  returned: success
  type: list
  elements: dict
  contains:
    service: {description: Name of the service., type: str}
    images: {description: Image of each container., type: dict}
    changed: {description: Whether its Deployment was written., type: bool}
    ready: {description: Pods that take requests; V(not yet) in check mode and where nothing was waited for., type: raw}
before:
  description: What each Deployment was, in all that was to be changed. A variable that was not there is null.
  returned: success
  type: dict
  sample:
    api:
      container: api
      image: registry.example/tars/app:2.0.0
      env: {FEATURE_NEW_UI: null}
      config_maps: {}
      secrets: {}
elapsed: {description: Seconds that the call took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: owned_by_helm}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._stable_in_place import run
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import SERVICE_OPTIONS


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "namespace": {"type": "str", "required": True},
        "services": {"type": "list", "elements": "dict", "default": [], "options": SERVICE_OPTIONS},
        "tag": {"type": "str"},
        "restore": {"type": "dict", "default": {}},
        "track_label": {"type": "str", "default": "app.kubernetes.io/name"},
        "fence": {"type": "raw"},
        "wait_timeout": {"type": "raw", "default": 600},
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
