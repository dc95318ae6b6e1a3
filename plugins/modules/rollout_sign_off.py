#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_sign_off
short_description: Write, sign and verify the sign-off of a release
description:
  - The sign-off is a file that says what was promised (plan, artifacts, the page that people approved), what
    happened (the record of
    each region, read live, with all who allowed it), how the two differ, and the SHA-256 of the ledger.
  - People sign the file itself with ssh-keygen, so it can be verified later, with this module or with C(ssh-keygen
    -Y verify).
attributes:
  check_mode:
    description: Says what would be written or signed.
    support: full
  diff_mode:
    description: Shows the document.
    support: full
options:
  state:
    description: V(present) writes the file, V(signed) adds a signature, V(verified) checks all of it and changes
      nothing.
    type: str
    choices: [present, signed, verified]
    default: present
  path:
    description: The file. Signatures lie beside it, with role and principal in their names.
    type: path
    required: true
  app: {description: Name of the application. Needed to write; else a document about another one is refused., type: str}
  release: {description: The release. Needed to write; else a document about another one is refused., type: str}
  plan_hash: {description: Hash of the plan. Needed to write., type: str}
  artifacts:
    description: Digest of the release's files and images. Without, that of an earlier writing for the same plan stays.
    type: str
  page:
    description: The plan as people read it. That of the first writing for the same plan stays.
    type: list
    elements: str
    default: []
  regions:
    description: The regions that the release was promised to, each with C(name), C(kubeconfig), C(namespace) and
      perhaps C(context).
    type: list
    elements: dict
    default: []
  run_id: {description: Name of this run., type: str}
  ledger: {description: Path of the ledger., type: path}
  role: {description: The role in which somebody signs., type: str}
  principal: {description: Who signs., type: str}
  key: {description: Path of the key that signs., type: path}
  roles: {description: "The principals who may speak in each role, by role.", type: dict, default: {}}
  signers: {description: The allowed-signers file. Needed to sign and to verify., type: path}
  revoked: {description: A list of revoked keys for ssh-keygen., type: path}
  required: {description: The roles that must have signed., type: list, elements: str, default: []}
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Write down how the rollout ended
  tars.rollout.rollout_sign_off:
    path: /srv/tars/1.0.1/sign-off.json
    app: tars
    release: "1.0.1"
    plan_hash: "{{ rollout_plan_hash }}"
    regions:
      - {name: us-west-2, kubeconfig: ~/.kube/us-west-2.yaml, namespace: tars-production}
    ledger: /srv/tars/1.0.1/ledger.jsonl

- name: Verify it a year later
  tars.rollout.rollout_sign_off:
    state: verified
    path: /srv/tars/1.0.1/sign-off.json
    signers: /etc/tars/allowed_signers
    roles: {release_manager: [alice@example.net]}
    required: [release_manager]
"""

RETURN = r"""
path: {description: The file that was written or verified., returned: success, type: str}
differences: {description: What happened otherwise than promised., returned: success, type: list, elements: str}
document: {description: The sign-off., returned: with O(state=present) and O(state=verified), type: dict}
signed: {description: Each signature and whether it holds., returned: with O(state=verified), type: list, elements:
  dict}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: sign_off_unproven}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._rollout_sign_off import run


def spec() -> dict[str, Any]:
    return {
        "state": {"type": "str", "choices": ["present", "signed", "verified"], "default": "present"},
        "path": {"type": "path", "required": True},
        "app": {"type": "str"},
        "release": {"type": "str"},
        "plan_hash": {"type": "str"},
        "artifacts": {"type": "str"},
        "page": {"type": "list", "elements": "str", "default": []},
        "regions": {"type": "list", "elements": "dict", "default": []},
        "run_id": {"type": "str"},
        "ledger": {"type": "path"},
        "role": {"type": "str"},
        "principal": {"type": "str"},
        "key": {"type": "path", "no_log": False},
        "roles": {"type": "dict", "default": {}},
        "signers": {"type": "path"},
        "revoked": {"type": "path"},
        "required": {"type": "list", "elements": "str", "default": []},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=spec(),
        supports_check_mode=True,
        required_if=[
            ("state", "present", ["app", "release", "plan_hash"]),
            ("state", "signed", ["role", "principal", "key", "signers"]),
            ("state", "verified", ["signers"]),
        ],
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
