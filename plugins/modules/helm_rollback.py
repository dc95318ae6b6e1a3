#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: helm_rollback
short_description: Bring a Helm release back to a revision that was whole
description:
  - Rolls a Helm release back to O(revision), or to the newest revision that was whole.
  - Nothing is done where O(revision) is deployed, or was brought back last. Revisions are never deleted; each way back
    is a new one.
  - With O(only_pending) it does so only where an upgrade was killed half-way. Helm refuses every further upgrade then.
  - An operation that is younger than O(stale_after) may still run somewhere and is waited for.
extends_documentation_fragment:
  - tars.rollout.helm
attributes:
  check_mode:
    description: Reads the history and says what would be done.
    support: full
  diff_mode:
    description: Not supported.
    support: none
options:
  revision:
    description: Revision to go back to; the newest one that was whole when not given.
    type: int
  only_pending:
    description: Do nothing unless an operation on the release was begun and did not end.
    type: bool
    default: false
  stale_after:
    description: Seconds after which an operation that did not end is taken for killed.
    type: float
    default: 120.0
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Free a release that a killed run left half upgraded
  tars.rollout.helm_rollback:
    name: tars
    namespace: tars-us-west-2
    only_pending: true

- name: Take the last upgrade back
  tars.rollout.helm_rollback:
    name: tars
    namespace: tars-us-west-2
    revision: 4
"""

RETURN = r"""
revision: {description: The revision before., returned: success, type: int, sample: 5}
status: {description: The state of that revision., returned: success, type: str, sample: pending-upgrade}
to: {description: The revision that was gone back to; null when none was., returned: success, type: int, sample: 4}
good:
  description: The newest revision that was whole before; null when none was.
  returned: success
  type: int
  sample: 4
reason: {description: Stable code of a fault., returned: failure, type: str, sample: no_revision}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._helm import HELM_OPTIONS
from ansible_collections.tars.rollout.plugins.module_utils._helm_rollback import run
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._program import runner


def spec() -> dict[str, Any]:
    return {
        **HELM_OPTIONS,
        "revision": {"type": "int"},
        "only_pending": {"type": "bool", "default": False},
        "stale_after": {"type": "float", "default": 120.0},
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), lambda call: run(call, runner(call.stop)))


if __name__ == "__main__":
    main()
