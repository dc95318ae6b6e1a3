#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_permit
short_description: Say whether a release may move now, by windows, approvals, poll and overrides
description:
  - Reads the statements that people have signed with M(tars.rollout.rollout_approval), verifies each with ssh-keygen,
    and decides together with windows and freezes for all O(regions) in one call.
  - A region in which the release is under way may always go on, so nothing here leaves users between two releases.
    It is asked only for what is new, which are other bytes than those that began, and overrides that nobody has signed.
    Never ask before a rollback.
  - Statements that do not count are named with their reason, also when the others are enough.
attributes:
  check_mode:
    description: Reads and decides as always, and writes nothing into the ledger.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  app:
    description: Name of the application.
    type: str
    required: true
  release:
    description: The release that shall move.
    type: str
    required: true
  plan_hash:
    description: Hash of the plan, see M(tars.rollout.rollout_plan). A statement about another plan does not count.
    type: str
    required: true
  artifacts:
    description: Digest of the release's files and images, see M(tars.rollout.release_artifacts). Empty where none
      are checked.
    type: str
    default: ""
  regions:
    description:
      - The regions that shall begin. Each has a C(name), and may have C(windows) of its own.
      - C(record) is the record of the region. Without it the record is read, with C(kubeconfig), C(context) and
        C(namespace),
        only where the answer would be no.
    type: list
    elements: dict
    required: true
  layout:
    description: The order in which all regions of the release have their turn, each as C(wave:region). Statements
      about another order do not count.
    type: list
    elements: str
    default: []
  need:
    description: Whether all regions must be allowed to move, or one is enough to begin with.
    type: str
    choices: [all, any]
    default: all
  windows:
    description:
      - Windows for all regions. Each has C(name), C(effect) (V(allow) or V(deny)), C(time_zone), and either C(days)
        with
        C(start) and C(end), or C(from) and C(until). C(why) is shown.
      - A deny wins over an allow. With an allow, everything outside of it is closed.
    type: list
    elements: dict
    default: []
  overlap:
    description: Whether an allow and a deny that hold at the same time are refused as a mistake, or the deny wins.
    type: str
    choices: [refuse, deny_wins]
    default: refuse
  approvals:
    description: The approvals that are needed. Each has a C(role) and may have a C(count).
    type: list
    elements: dict
    default: []
  roles:
    description: The principals who may speak in each role, by role.
    type: dict
    default: {}
  max_age:
    description: Seconds that an approval or an override counts.
    type: float
    default: 86400.0
  poll:
    description: The roles that must have said go. The last vote of each role counts.
    type: list
    elements: str
    default: []
  poll_max_age:
    description: Seconds that a vote counts.
    type: float
    default: 7200.0
  began:
    description:
      - When this run asked for the first time, a moment in UTC as RV(began) of that answer gives it. The age of votes
        is judged then, as a poll is taken once and a rollout may last for hours. A no-go that was said later counts.
    type: str
  started_by:
    description: Who starts the run, a principal or the part of it before the C(@).
    type: str
    default: ""
  starter_may_approve:
    description: Whether an approval by O(started_by) counts. An override by that person never does.
    type: bool
    default: true
  overrides:
    description: The checks that this run asks to skip, each with C(check) and C(reason). Each needs the signature
      of somebody else.
    type: list
    elements: dict
    default: []
  override_roles:
    description: The roles that may sign overrides; those of O(approvals) when empty.
    type: list
    elements: str
    default: []
  forced:
    description: The checks that this run has switched off by other variables. Each needs an override, and one that
      cannot be overridden is refused.
    type: list
    elements: str
    default: []
  folder:
    description: The folder with the signed statements.
    type: path
  signers:
    description: The allowed-signers file of ssh-keygen. Refused where others than root and this user may write to it.
    type: path
  revoked:
    description: A list of revoked keys for ssh-keygen.
    type: path
  enforce:
    description: Whether a no is a failure. Without, the result and a warning say it.
    type: bool
    default: true
  ledger:
    description: Path of the ledger. Every answer is appended, with all who stand behind it.
    type: path
  run_id:
    description: Name of this run.
    type: str
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Ask whether the release may begin in a region
  tars.rollout.rollout_permit:
    app: tars
    release: "1.0.1"
    plan_hash: "{{ rollout_plan_hash }}"
    regions:
      - name: us-west-2
    windows:
      - {name: weekly window, effect: allow, days: [tue, wed, thu], start: "14:00", end: "18:00", time_zone: Etc/UTC}
    approvals:
      - role: release_manager
      - role: sre
    roles:
      release_manager: [alice@example.net]
      sre: [bob@example.net, carol@example.net]
    signers: /etc/tars/allowed_signers
    folder: /srv/tars/approvals/1.0.1
    started_by: dave
"""

RETURN = r"""
allowed: {description: Whether the release may move as O(need) asks., returned: success, type: bool}
code:
  description: Stable code of the answer, such as V(allowed), V(under_way), V(frozen), V(closed) or V(approval_missing).
  returned: success
  type: str
refusal:
  description: Why it may not move and what to do about it, in sentences; empty where it may.
  returned: success
  type: str
regions:
  description: The answer for each region, with C(allowed), C(code), C(text), C(window) and C(changes_at).
  returned: success
  type: list
  elements: dict
began: {description: When this run asked for the first time., returned: success, type: str}
approval:
  description: Who has allowed it and with which bytes, for the record of a region.
  returned: success
  type: dict
not_counted: {description: "Statements that do not count, and why.", returned: success, type: list, elements: dict}
missing: {description: What is still missing., returned: success, type: list, elements: dict}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: approval_expired}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._rollout_permit import run


def spec() -> dict[str, Any]:
    return {
        "app": {"type": "str", "required": True},
        "release": {"type": "str", "required": True},
        "plan_hash": {"type": "str", "required": True},
        "artifacts": {"type": "str", "default": ""},
        "regions": {"type": "list", "elements": "dict", "required": True},
        "layout": {"type": "list", "elements": "str", "default": []},
        "need": {"type": "str", "choices": ["all", "any"], "default": "all"},
        "windows": {"type": "list", "elements": "dict", "default": []},
        "overlap": {"type": "str", "choices": ["refuse", "deny_wins"], "default": "refuse"},
        "approvals": {"type": "list", "elements": "dict", "default": []},
        "roles": {"type": "dict", "default": {}},
        "max_age": {"type": "float", "default": 86400.0},
        "poll": {"type": "list", "elements": "str", "default": []},
        "poll_max_age": {"type": "float", "default": 7200.0},
        "began": {"type": "str"},
        "started_by": {"type": "str", "default": ""},
        "starter_may_approve": {"type": "bool", "default": True},
        "overrides": {"type": "list", "elements": "dict", "default": []},
        "override_roles": {"type": "list", "elements": "str", "default": []},
        "forced": {"type": "list", "elements": "str", "default": []},
        "folder": {"type": "path"},
        "signers": {"type": "path"},
        "revoked": {"type": "path"},
        "enforce": {"type": "bool", "default": True},
        "ledger": {"type": "path"},
        "run_id": {"type": "str"},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
