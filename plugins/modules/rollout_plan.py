#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_plan
short_description: Validate the plan of a release as a whole, and print it on one page
description:
  - Checks stages, cohorts, services, waves and rules, and reads every gate of every stage with the linter of
    M(tars.rollout.slo_gate). All that is wrong is named at once.
  - With O(check_rights), O(check_capacity), O(certificates) or O(secrets) it also asks a region's cluster whether
    the plan can be
    carried out there.
  - Gives the hash that records and approvals are bound to, and the steps and routes that the roles work with.
extends_documentation_fragment:
  - tars.rollout.cluster
attributes:
  check_mode:
    description: Reads as always; there is nothing to write.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  app: {description: Name of the application., type: str, required: true}
  release: {description: The release., type: str, required: true}
  image_tag: {description: Tag of the images; the release itself when not given., type: str}
  kind:
    description: A V(hotfix) may be shorter, as O(rules) say, and is gated all the same.
      Anything but that and V(standard) is a plan that is wrong.
    type: str
    default: standard
  stages: {description: "Stages, each with C(weight) and C(bake).", type: list, elements: raw, required: true}
  cohorts: {description: "Services that shift together, each with C(name) and C(services).", type: list, elements: raw,
    required: true}
  services: {description: "What is rolled out, by name.", type: dict, required: true}
  gate: {description: Settings of every gate., type: dict, default: {}}
  soak: {description: Seconds for which all traffic stays on the canary., type: int, default: 0}
  back_bake: {description: How long each step back to stable is judged., type: str, default: 10m}
  longest_request: {description: Seconds that the longest request may take., type: int, default: 0}
  hold_for: {description: Seconds after which a hold ends., type: int, default: 0}
  on_hold: {description: What the end of a hold does., type: str, choices: [restore, keep], default: restore}
  features:
    description: Flags that flip with the release and back with a rollback. Their names are of A-Z, 0-9 and C(_), each
      value is a text, a number, or V(true) or V(false).
    type: raw
    default: {}
  feature_prefix:
    description: What the name of a flag's variable begins with, before the name of the flag.
    type: str
    default: FEATURE_
  waves: {description: Names of the waves in their order., type: list, elements: str, default: []}
  regions: {description: Names of the regions by wave., type: dict, default: {}}
  rules:
    description:
      - What plans must keep to, by kind. Each kind may have C(min_stages), C(min_bake), C(min_soak),
        C(max_first_weight),
        C(max_step) and C(max_regions_at_once).
    type: dict
    default: {}
  policy:
    description: What else the page tells. May have C(approvals), C(max_age), C(poll), C(windows), C(overlap),
      C(artifacts), C(overrides).
    type: dict
    default: {}
  show:
    description: Whether to print the page on the terminal.
    type: bool
    default: false
  region: {description: "Name of the region, for sentences.", type: str, default: ""}
  namespace: {description: Namespace of the services., type: str}
  check_rights:
    description: Whether to ask the cluster for every verb that the roles need.
    type: bool
    default: false
  rights:
    description: More rights to ask for. Each has C(verbs) and C(resource), and may have C(group), C(subresource),
      C(namespace).
    type: list
    elements: dict
    default: []
  check_capacity:
    description: Whether to see that quotas and nodes have room for the canaries. Nodes that may not be read are
      named in RV(unseen).
    type: bool
    default: false
  max_use:
    description: How much of the nodes may be asked for with the canaries.
    type: str
    default: 100%
  certificates:
    description: Certificates that must live long enough. Each has C(secret), or C(host) and C(port), and C(days) (90).
    type: list
    elements: dict
    default: []
  secrets:
    description: Secrets that must have been renewed lately. Each has C(name), C(max_age) such as V(7d), and may have
      C(annotation) (where the moment stands) and C(namespace).
    type: list
    elements: dict
    default: []
  skip:
    description: Checks of the cluster that an override skips. What they find is a warning then.
    type: list
    elements: str
    choices: [capacity, age]
    default: []
  enforce:
    description: Whether a plan that is wrong is refused. A rollback only warns, as nothing may stand in its way.
    type: bool
    default: true
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Read the plan
  tars.rollout.rollout_plan:
    app: tars
    release: "1.0.1"
    stages: [{weight: 10, bake: 10m}, {weight: 100, bake: 10m}]
    cohorts: [{name: backend, services: [api]}]
    services:
      api:
        slos:
          error_rate: {ratio: http_requests_total, bad: {status: "5.."}, limit: 1%}
    waves: [staging, wave_1]
    regions: {staging: [staging], wave_1: [us-west-2]}
    show: true
"""

RETURN = r"""
plan_hash: {description: Hash of everything that decides what happens in a region., returned: success, type: str}
names: {description: The services that shift., returned: success, type: list, elements: str}
steps: {description: "One entry per cohort and stage, in their order.", returned: success, type: list, elements: dict}
routes: {description: "The routes of each service, as canary_weight wants them.", returned: success, type: dict}
features: {description: "The flags as values of a chart.", returned: success, type: dict}
tracks: {description: "Services with a canary, for canary_track.", returned: success, type: list, elements: dict}
stables: {description: "All services, for stable_in_place.", returned: success, type: list, elements: dict}
workers: {description: "Those of RV(tracks) for canary_replicas.", returned: success, type: list, elements: str}
regions: {description: The regions in their order., returned: success, type: list, elements: str}
seconds: {description: "The C(least) and C(most) time that a region takes.", returned: success, type: dict}
scrape_s: {description: Seconds between two scrapes as the gate counts them., returned: success, type: float}
page: {description: The plan on one page., returned: success, type: list, elements: str}
skipped: {description: What was found and skipped by an override., returned: success, type: list, elements: str}
unseen: {description: What could not be seen., returned: success, type: list, elements: str}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: plan_stages}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._rollout_plan import run


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "app": {"type": "str", "required": True},
        "release": {"type": "str", "required": True},
        "image_tag": {"type": "str"},
        "kind": {"type": "str", "default": "standard"},
        # What is wrong in them is told with all other faults of the plan, and stops no rollback.
        "stages": {"type": "list", "elements": "raw", "required": True},
        "cohorts": {"type": "list", "elements": "raw", "required": True},
        "services": {"type": "dict", "required": True},
        "gate": {"type": "dict", "default": {}},
        "soak": {"type": "int", "default": 0},
        "back_bake": {"type": "str", "default": "10m"},
        "longest_request": {"type": "int", "default": 0},
        "hold_for": {"type": "int", "default": 0},
        "on_hold": {"type": "str", "choices": ["restore", "keep"], "default": "restore"},
        "features": {"type": "raw", "default": {}},
        "feature_prefix": {"type": "str", "default": "FEATURE_"},
        "waves": {"type": "list", "elements": "str", "default": []},
        "regions": {"type": "dict", "default": {}},
        "rules": {"type": "dict", "default": {}},
        "policy": {"type": "dict", "default": {}},
        "show": {"type": "bool", "default": False},
        "region": {"type": "str", "default": ""},
        "namespace": {"type": "str"},
        "check_rights": {"type": "bool", "default": False},
        "rights": {"type": "list", "elements": "dict", "default": []},
        "check_capacity": {"type": "bool", "default": False},
        "max_use": {"type": "str", "default": "100%"},
        "certificates": {"type": "list", "elements": "dict", "default": []},
        # Names and ages of secrets, never their content.
        "secrets": {"type": "list", "elements": "dict", "default": [], "no_log": False},
        "skip": {"type": "list", "elements": "str", "choices": ["capacity", "age"], "default": []},
        "enforce": {"type": "bool", "default": True},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=spec(),
        supports_check_mode=True,
        required_if=[("check_rights", True, ["namespace"]), ("check_capacity", True, ["namespace"])],
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
