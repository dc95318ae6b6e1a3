#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_approval
short_description: Sign an approval, a vote or an override for the exact plan and bytes of a release
description:
  - Writes a statement into O(folder) and beside it its signature by C(ssh-keygen -Y sign). Anybody can verify both with
    C(ssh-keygen -Y verify -n tars.rollout), and M(tars.rollout.rollout_permit) does.
  - The statement names plan, artifacts, regions, role, person, time and a nonce, so it is worth nothing for any
    other plan.
  - Whoever has said the same already, and it still counts, signs nothing again.
attributes:
  check_mode:
    description: Says what would be signed; nothing is signed or written.
    support: full
  diff_mode:
    description: Shows the statement.
    support: full
options:
  kind:
    description: What is said. An approval, a vote of the go/no-go poll, or the approval of an override.
    type: str
    choices: [approval, vote, override]
    default: approval
  app:
    description: Name of the application.
    type: str
    required: true
  release:
    description: The release.
    type: str
    required: true
  plan_hash:
    description: Hash of the plan, see M(tars.rollout.rollout_plan).
    type: str
    required: true
  artifacts:
    description: Digest of the release's files and images, see M(tars.rollout.release_artifacts).
    type: str
    default: ""
  regions:
    description: Where the release may go.
    type: list
    elements: str
    required: true
  layout:
    description: The order in which the regions have their turn, each as C(wave:region). Who approves one order
      approves no other.
    type: list
    elements: str
    default: []
  role:
    description: The role in which the person speaks.
    type: str
    required: true
  principal:
    description: The person, by the name in the allowed-signers file.
    type: str
    required: true
  roles:
    description: The principals who may speak in each role, by role.
    type: dict
    required: true
  vote:
    description: V(go) or V(no_go), of a vote.
    type: str
    choices: [go, no_go]
  check:
    description: The check that an override skips.
    type: str
  reason:
    description: Why. Needed for an override, and it must be the words of the run's own request.
    type: str
  key:
    description: Path of a private key, or of a public key whose private half is in the ssh agent.
    type: path
    required: true
  signers:
    description: The allowed-signers file. The signature must hold by it, else nothing is written.
    type: path
    required: true
  revoked:
    description: A list of revoked keys for ssh-keygen.
    type: path
  folder:
    description: Where statement and signature are written.
    type: path
    required: true
  max_age:
    description: Seconds that a statement counts, to know whether one is there already.
    type: float
    default: 86400.0
  renew:
    description: Sign again although the same was said and is not too old, as after a rollback, which uses approvals up.
    type: bool
    default: false
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Approve as the release manager
  tars.rollout.rollout_approval:
    app: tars
    release: "1.0.1"
    plan_hash: "{{ rollout_plan_hash }}"
    regions: [staging, us-west-2]
    role: release_manager
    principal: alice@example.net
    roles: {release_manager: [alice@example.net]}
    key: ~/.ssh/id_ed25519.pub
    signers: /etc/tars/allowed_signers
    folder: /srv/tars/approvals/1.0.1
"""

RETURN = r"""
path: {description: The file of the statement; its signature has C(.sig) at the end., returned: success, type: str}
statement:
  description: What was said.
  returned: success
  type: dict
  sample: {kind: approval, role: release_manager, principal: alice@example.net, at: "2026-01-31T12:00:00.000Z"}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: signature_invalid}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._rollout_approval import run


def spec() -> dict[str, Any]:
    return {
        "kind": {"type": "str", "choices": ["approval", "vote", "override"], "default": "approval"},
        "app": {"type": "str", "required": True},
        "release": {"type": "str", "required": True},
        "plan_hash": {"type": "str", "required": True},
        "artifacts": {"type": "str", "default": ""},
        "regions": {"type": "list", "elements": "str", "required": True},
        "layout": {"type": "list", "elements": "str", "default": []},
        "role": {"type": "str", "required": True},
        "principal": {"type": "str", "required": True},
        "roles": {"type": "dict", "required": True},
        "vote": {"type": "str", "choices": ["go", "no_go"]},
        "check": {"type": "str"},
        "reason": {"type": "str"},
        "key": {"type": "path", "required": True, "no_log": False},
        "signers": {"type": "path", "required": True},
        "revoked": {"type": "path"},
        "folder": {"type": "path", "required": True},
        "max_age": {"type": "float", "default": 86400.0},
        "renew": {"type": "bool", "default": False},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=spec(),
        supports_check_mode=True,
        required_if=[("kind", "vote", ["vote"]), ("kind", "override", ["check", "reason"])],
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
