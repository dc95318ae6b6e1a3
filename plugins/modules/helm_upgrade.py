#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: helm_upgrade
short_description: Upgrade a Helm release, and end with the controller
description:
  - Makes a new revision of a Helm release that there is, with some of its values changed. All others stay.
  - Unlike C(kubernetes.core.helm) it ends when its controller is gone, and helm with it. No helm then goes on in the
    background that the next run would have to wait for.
  - Nothing is done where the last revision is whole, has these values, and is of a chart with this name and version.
  - Helm refuses an upgrade where another one was killed half-way; M(tars.rollout.helm_rollback) with
    O(tars.rollout.helm_rollback#module:only_pending) frees the release.
extends_documentation_fragment:
  - tars.rollout.helm
attributes:
  check_mode:
    description: Reads revisions and values, and says whether there would be an upgrade.
    support: full
  diff_mode:
    description: Shows the values of O(values) as they are and as they become, and no others.
    support: full
options:
  chart_ref:
    description: The chart, as helm takes it - a path, an address, or a name in a repository that is known.
    type: str
    required: true
  values:
    description: Values to change. Mappings are merged, and null takes a value away.
    type: dict
    default: {}
seealso:
  - module: tars.rollout.helm_rollback
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: Bring a new image to all services of the release
  tars.rollout.helm_upgrade:
    name: tars
    namespace: tars-us-west-2
    chart_ref: ./charts/tars
    values: {image: {tag: "2.1.0"}}
    wait_timeout: 10m
"""

RETURN = r"""
revision: {description: The last revision now., returned: success, type: int, sample: 6}
status: {description: The state of that revision., returned: success, type: str, sample: deployed}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: helm_upgrade_failed}
hint: {description: What to do about it., returned: failure, type: str}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._helm import HELM_OPTIONS
from ansible_collections.tars.rollout.plugins.module_utils._helm_upgrade import run
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._program import runner


def spec() -> dict[str, Any]:
    return {
        **HELM_OPTIONS,
        "chart_ref": {"type": "str", "required": True},
        "values": {"type": "dict", "default": {}},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=spec(), supports_check_mode=True)
    run_module(module, lambda call: run(call, runner(call.stop), module.tmpdir))


if __name__ == "__main__":
    main()
