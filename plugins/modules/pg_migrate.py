#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pg_migrate
short_description: Apply or undo the SQL migrations of a release
description:
  - Reads a folder of C(NAME.sql) files, each with its way back in C(NAME.rollback.sql), and applies what is pending, in
    the order of the names. What is applied stands in the tables of yoyo-migrations, whose own command reads the same.
  - A file is one transaction with its record, unless its first lines say transactional false as yoyo reads it.
    Its locks are tried for a short while and again, so that nobody queues long behind them.
  - Index statements are taken out of the files and returned in C(indexes), as the options of
    M(tars.rollout.pg_index_concurrently); no migration runner repairs an INVALID index.
  - Files that are pending are read by squawk before anything runs.
  - Of two runs the second waits, and then finds the work done.
attributes:
  check_mode:
    description: Returns what is pending, and refuses what a real run would refuse before it begins.
    support: full
  diff_mode:
    description: Shows no differences; C(pending) has the names.
    support: none
options:
  path:
    description: The folder.
    type: path
    required: true
  state:
    description: Whether to apply what is pending, or to undo what is applied, the last one first.
    type: str
    choices: [applied, rolled_back]
    default: applied
  migrations:
    description: With V(rolled_back) the names of those to undo; all of the folder when not given.
    type: list
    elements: str
  other_path:
    description:
      - The folder of the other phase. An index that one of its applied files dropped is not in C(indexes) any more,
        until a later file makes it again.
    type: path
  phase:
    description:
      - With V(expand) nothing may take away what the release before needs, so DROP, TRUNCATE, DELETE, REVOKE and ALTER
        with DROP, RENAME, DETACH or SET SCHEMA are refused, whether O(lint) is set or not.
      - With V(contract) it may.
    type: str
    choices: [expand, contract]
    default: expand
  lint:
    description: Whether squawk judges the files.
    type: bool
    default: true
  squawk:
    description: Path of squawk. Without it the one beside the Python interpreter or in C(PATH).
    type: path
  lint_exclude:
    description:
      - Rules that count as meant so, of squawk or of the expand phase (V(expand-drop), V(expand-truncate),
        V(expand-delete), V(expand-revoke), V(expand-rename), V(expand-detach), V(expand-set-schema)).
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds that a statement may wait for a lock.
    type: float
    default: 2.0
  retries:
    description: Further tries of a file after a lock time-out or a deadlock.
    type: int
    default: 20
  timeout:
    description: Seconds to wait for another run.
    type: float
    default: 600.0
  max_replication_lag:
    description: Refuse when a streaming replica is further behind than these seconds.
    type: float
requirements:
  - yoyo-migrations 9
  - squawk-cli (with O(lint))
extends_documentation_fragment: [tars.rollout.postgresql]
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: The schema of a release, before its code
  tars.rollout.pg_migrate:
    login_host: db-primary.example.com
    login_user: tars
    login_password: "{{ tars_db_password }}"
    login_db: tars
    path: migrations/expand
    max_replication_lag: 10
    verify_replicas:
      - {name: standby, host: db-standby.example.com}
  register: schema

- name: And its indexes
  tars.rollout.pg_index_concurrently:
    login_host: db-primary.example.com
    login_user: tars
    login_password: "{{ tars_db_password }}"
    login_db: tars
    indexes: "{{ schema.indexes }}"
"""

RETURN = r"""
pending: {description: Names of what was to do when the call began., returned: success, type: list, elements: str}
ran: {description: Names of what was applied or undone., returned: success, type: list, elements: str}
applied: {description: Names of all that is on the record., returned: success, type: list, elements: str}
version: {description: The last one of these., returned: success, type: str}
indexes:
  description: What the index statements of all files say in the end, as options of pg_index_concurrently.
  returned: success
  type: list
  elements: dict
lint:
  description: Findings of squawk, with file, line, rule, text and whether it refuses.
  returned: success
  type: list
  elements: dict
lag_s: {description: Seconds that the replicas needed., returned: with O(max_replication_lag), type: float}
replicas:
  description: One entry per replica with name, lsn_reached, lag_bytes, version, and whether it is the same.
  returned: success
  type: list
  elements: dict
reason:
  description:
    - Stable code of a refusal. Ours are V(cannot_lift), V(evidence), V(lint), V(locked), V(no_migrations),
      V(no_way_back), V(not_expand), V(not_sql), V(not_supported), V(replica_behind), V(squawk_failed),
      V(squawk_missing), V(version_differs).
    - A fault of the server has the name of its condition, such as V(lock_not_available).
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._migrate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.options import CONNECTION

SPEC = {
    **CONNECTION,
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["applied", "rolled_back"], "default": "applied"},
    "migrations": {"type": "list", "elements": "str"},
    "other_path": {"type": "path"},
    "phase": {"type": "str", "choices": ["expand", "contract"], "default": "expand"},
    "lint": {"type": "bool", "default": True},
    "squawk": {"type": "path"},
    "lint_exclude": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "float", "default": 2.0},
    "retries": {"type": "int", "default": 20},
    "timeout": {"type": "float", "default": 600.0},
    "max_replication_lag": {"type": "float"},
}


def main() -> None:
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), run)


if __name__ == "__main__":
    main()
