# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module for tests only: proves that the collection's own utils are found by their full name."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError


def main() -> None:
    module = AnsibleModule(argument_spec={})
    module.exit_json(changed=False, found=RolloutError.__module__)


if __name__ == "__main__":
    main()
