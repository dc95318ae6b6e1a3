#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_lease
short_description: Hold the right to act in a region
description:
  - A Lease object (C(coordination.k8s.io)) says who acts in a region, so that two runs never do. A second one says who
    speaks for the run.
  - With O(state=held) on a controller, the action plugin of this module starts one process per run, the keeper. It
    renews all leases of the run, and ends within two seconds when ansible-playbook is gone or stopped.
  - A lease whose holder is gone is taken over. At once when its process was on this machine and provably is no more,
    otherwise when it ran out; the module says how long it waits. One whose holder lives is refused.
extends_documentation_fragment:
  - tars.rollout.cluster
attributes:
  check_mode:
    description: Reads and decides as always, and neither waits nor writes.
    support: full
  diff_mode:
    description: A lease has nothing to compare.
    support: none
options:
  state:
    description:
      - V(held) takes the lease, and keeps it renewed.
      - V(checked) fails unless this run may still act. For tasks that cannot ask themselves, such as Helm's.
      - V(released) gives it up. A play that ends on purpose does so; one that is killed leaves it to run out.
    type: str
    choices: [held, checked, released]
    default: held
  scope:
    description: V(region) is the right to act in a region, V(run) the one to speak for the run.
    type: str
    choices: [region, run]
    default: region
  namespace:
    description: Namespace of the Lease.
    type: str
    required: true
  app:
    description: Name of the application; the Lease is C(ga-rollout-<app>), or C(ga-rollout-<app>-run).
    type: str
    required: true
  region:
    description: Name of the region, for messages.
    type: str
    required: true
  run_id:
    description: Name of this run; part of what the Lease calls its holder. Needed with O(state=held).
    type: str
  release:
    description: The release of this run, for whoever reads the Lease.
    type: str
  ttl:
    description: Seconds after which a lease that was not renewed has run out. It is renewed four times as often.
    type: int
    default: 55
  force:
    description:
      - Why the lease is taken although somebody holds it. The reason is kept on the Lease.
      - Whoever held it is stopped by the new fence.
    type: str
  fence_floor:
    description: The largest fence that was found on routes; the one taken is larger than that and than the record's.
    type: int
  holder:
    description: Who this run is, as O(state=held) returned it. Needed with the other states.
    type: str
  fence:
    description: The fence of this run. Needed with O(state=checked).
    type: int
  doing:
    description: What is about to be done, for the message of O(state=checked).
    type: str
    default: the next task
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
seealso:
  - module: tars.rollout.rollout_record
"""

EXAMPLES = r"""
- name: Take the lease of the region
  tars.rollout.rollout_lease:
    kubeconfig: "{{ region_kubeconfig }}"
    namespace: tars-us-west-2
    app: tars
    region: us-west-2
    run_id: awx-4711
  register: held

- name: Stop here unless this run may still act
  tars.rollout.rollout_lease:
    kubeconfig: "{{ region_kubeconfig }}"
    state: checked
    namespace: tars-us-west-2
    app: tars
    region: us-west-2
    holder: "{{ held.lease.holder }}"
    fence: "{{ held.lease.fence }}"
    doing: upgrading stable

- name: Give it up
  tars.rollout.rollout_lease:
    kubeconfig: "{{ region_kubeconfig }}"
    state: released
    namespace: tars-us-west-2
    app: tars
    region: us-west-2
    holder: "{{ held.lease.holder }}"
"""

RETURN = r"""
lease:
  description: The right, in the form of the option C(lease) of other modules.
  returned: success
  type: dict
  contains:
    namespace: {description: Namespace of lease and record., type: str}
    app: {description: Name of the application., type: str}
    holder: {description: Who this run is., type: str, sample: alice-20260131T120000Z/laptop/4711.88231}
    fence: {description: The fence that this run holds., type: int}
why: {description: How it came to be ours., returned: success, type: str, sample: it was free}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: lease_held}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._cluster import cluster_options
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._rollout_lease import run

REQUIRED_IF = [
    ("state", "held", ["run_id"]),
    ("state", "checked", ["holder", "fence"]),
    ("state", "released", ["holder"]),
]


def spec() -> dict[str, Any]:
    return {
        **cluster_options(),
        "state": {"type": "str", "choices": ["held", "checked", "released"], "default": "held"},
        "scope": {"type": "str", "choices": ["region", "run"], "default": "region"},
        "namespace": {"type": "str", "required": True},
        "app": {"type": "str", "required": True},
        "region": {"type": "str", "required": True},
        "run_id": {"type": "str"},
        "release": {"type": "str"},
        "ttl": {"type": "int", "default": 55},
        "force": {"type": "str"},
        "fence_floor": {"type": "int"},
        "holder": {"type": "str"},
        "fence": {"type": "int"},
        "doing": {"type": "str", "default": "the next task"},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True, required_if=REQUIRED_IF), run)


if __name__ == "__main__":
    main()
