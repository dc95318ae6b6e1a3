#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_record
short_description: Keep the durable record of a release in a region
description:
  - The record says which release is in which phase, cohort and stage, with which weights and why. It lives in a
    ConfigMap in the region's own cluster, so a run that was killed goes on from where it was.
  - Without O(phase), O(intent), O(result) and O(approval) a run I(enters). The module decides whether it may begin, go
    on or begin again, or refuses and says who is in the way.
  - With one of them it writes a I(step). Only phases that may follow the one in the record are taken.
  - Each write is refused when somebody else has written since the record was read.
extends_documentation_fragment:
  - tars.rollout.cluster
  - tars.rollout.guard
attributes:
  check_mode:
    description: Reads and decides as always, and writes nothing.
    support: full
  diff_mode:
    description: Shows the fields of the record, without its history.
    support: full
options:
  state:
    description: V(absent) removes the record, unless its release may still have traffic.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of the ConfigMap.
    type: str
    required: true
  app:
    description: Name of the application; the ConfigMap is C(ga-rollout-<app>).
    type: str
    required: true
  region:
    description: Name of the region.
    type: str
    required: true
  release:
    description: The release that this run rolls out. Needed with O(state=present).
    type: str
  stable_release:
    description: The release that was there before.
    type: str
  plan_hash:
    description: Hash of stages and services. Needed to enter; in mid-rollout another one is refused.
    type: str
  run_id:
    description: Name of this run, for the history. Needed to enter.
    type: str
  note:
    description: Why the region was taken over by force, for the history.
    type: str
  supersede:
    description: Begin although another release, or another plan, is under way, or this very release was rolled back.
      It is refused while a canary may have traffic.
    type: bool
    default: false
  phase:
    description: The phase that begins.
    type: str
    choices:
      - planned
      - preflight
      - backed_up
      - migrated
      - canary
      - soaking
      - promoting
      - promoted
      - holding
      - rolling_back
      - rolled_back
  cohort:
    description: The cohort at work.
    type: str
  stage:
    description: Index of the stage at work, from 0.
    type: int
  weights:
    description: Percent of the canary per service, as proven. Services that are not named stay as they are.
    type: dict
  intent:
    description: What is about to be done, with a key C(act). Written before the act.
    type: dict
  result:
    description: What came of the intent. Written after the act.
    type: str
  reason:
    description: Stable code for a hold or a rollback.
    type: str
  evidence:
    description: What the last gate saw.
    type: dict
  pinned:
    description: What was changed for the time of the rollout and must be put back, such as the minimum of an HPA.
    type: dict
  before:
    description:
      - What stable is before it is replaced. With C(owner) V(helm) its C(release) and C(revision), with C(owner)
        V(plain) its C(deployments) as RV(tars.rollout.stable_in_place#module:before) has them.
      - The first one that is written for a release stays.
    type: dict
  routes:
    description: The routes that carry the traffic of the release, in the form of the option
      O(tars.rollout.canary_weight#module:services). The dead-man cuts these when nobody is left to decide.
    type: list
    elements: dict
  soak_for:
    description: Seconds from now until the soak is over. Kept as a moment, so a restarted run waits only for the rest.
    type: float
  hold_for:
    description: Seconds from now until a hold ends as O(on_hold) says.
    type: float
  on_hold:
    description: What happens at the end of a hold.
    type: str
    choices: [restore, keep]
  approval:
    description:
      - Who decided what, and why, with the keys C(decision), C(who) and C(why). Moment, cohort and stage are added.
      - An approval is for the cohort and stage that the record stands at, and for no other.
    type: dict
  by:
    description: Who acts, for the history; O(run_id) when not given.
    type: str
  fence:
    description: The fence that this run holds. A step is refused when the record carries a larger one.
    type: int
  take_fence:
    description: Take the next fence, so that whoever acted before is stopped.
    type: bool
    default: false
  fence_floor:
    description: The largest fence that was found elsewhere, on routes or in a lease; the one taken is larger.
    type: int
  ledger:
    description: Path of the ledger, a file of JSON lines to which every change is appended.
    type: path
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Enter the release, and take the fence
  tars.rollout.rollout_record:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    app: tars
    region: us-west-2
    release: "2.1.0"
    plan_hash: sha256:4f1d
    run_id: awx-4711
    take_fence: true
  register: entered

- name: Say what is about to be done
  tars.rollout.rollout_record:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    app: tars
    region: us-west-2
    release: "2.1.0"
    fence: "{{ entered.record.fence }}"
    phase: canary
    cohort: backend
    stage: 0
    intent: {act: weight, wanted: {api: 25}}

- name: Say that it is done
  tars.rollout.rollout_record:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    app: tars
    region: us-west-2
    release: "2.1.0"
    fence: "{{ entered.record.fence }}"
    result: done
    weights: {api: 25}
"""

RETURN = r"""
decision:
  description:
    - How the run enters. V(new), V(continue), V(again) after the loss of a controller, V(done) when nothing is to do.
    - V(step) for a step, V(removed) with O(state=absent).
  returned: success
  type: str
record:
  description: The record as it is now, or in check mode as it would be.
  returned: success
  type: dict
  sample:
    release: 2.1.0
    phase: canary
    cohort: backend
    stage: 0
    weights: {api: 25}
    fence: 7
reason: {description: Stable code of a fault., returned: failure, type: str, sample: plan_changed}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._guard import lease_option
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._record.phases import PHASES
from ansible_collections.tars.rollout.plugins.module_utils._rollout_record import run


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        **lease_option(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "namespace": {"type": "str", "required": True},
        "app": {"type": "str", "required": True},
        "region": {"type": "str", "required": True},
        "release": {"type": "str"},
        "stable_release": {"type": "str"},
        "plan_hash": {"type": "str"},
        "run_id": {"type": "str"},
        "note": {"type": "str"},
        "supersede": {"type": "bool", "default": False},
        "phase": {"type": "str", "choices": list(PHASES)},
        "cohort": {"type": "str"},
        "stage": {"type": "int"},
        "weights": {"type": "dict"},
        "intent": {"type": "dict"},
        "result": {"type": "str"},
        "reason": {"type": "str"},
        "evidence": {"type": "dict"},
        "pinned": {"type": "dict"},
        "before": {"type": "dict"},
        "routes": {"type": "list", "elements": "dict"},
        "soak_for": {"type": "float"},
        "hold_for": {"type": "float"},
        "on_hold": {"type": "str", "choices": ["restore", "keep"]},
        "approval": {"type": "dict"},
        "by": {"type": "str"},
        "fence": {"type": "int"},
        "take_fence": {"type": "bool", "default": False},
        "fence_floor": {"type": "int"},
        "ledger": {"type": "path"},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=spec(), supports_check_mode=True, required_if=[("state", "present", ["release"])]
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
