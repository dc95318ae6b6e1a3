#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pg_index_concurrently
short_description: Build, repair and drop PostgreSQL indexes while the application goes on
description:
  - Builds indexes with C(CREATE INDEX CONCURRENTLY) and sees to it that they end valid. An INVALID index that an
    earlier run left behind is repaired, a failed build leaves none.
  - Everything that can be refused is refused before any index of the call is touched, with the server's own SQLSTATE.
  - Names are always quoted, so they are taken as they are written. Expressions and predicates are judged by the server
    on an empty temporary copy of the table that is rolled back; that needs the right C(TEMP) on the database.
  - While it works it shows phase, progress and who is in the way. Told to stop, it cancels its build and cleans up.
  - Needs PostgreSQL 14.4 or newer and a direct connection to the primary.
attributes:
  check_mode:
    description: Reads all that a real run reads, says what it would do, and fails where it would fail.
    support: full
  diff_mode:
    description: Shows the index as it is and the SQL that changes it.
    support: full
options:
  name:
    description: Name of the index. Longer than 63 bytes is refused.
    type: str
  <<: &index
    schema:
      description: Schema of the table. Without it the table is looked for through C(search_path).
      type: str
    table:
      description: The table, which may be partitioned. Not needed to drop.
      type: str
    columns:
      description:
        - The keys in order. Each is the name of a column, or a dictionary with C(column) or C(expr) (SQL).
        - A dictionary may have C(order) (V(asc), V(desc)), C(nulls) (V(first), V(last)), C(opclass), C(collation).
      type: list
      elements: raw
    include:
      description: Columns that the index holds beside its keys.
      type: list
      elements: str
    unique:
      description: Whether keys must be unique.
      type: bool
      default: false
    nulls_not_distinct:
      description: Whether NULLs count as equal in a unique index. PostgreSQL 15 and newer.
      type: bool
      default: false
    method:
      description: The access method.
      type: str
      default: btree
    where:
      description: Predicate of a partial index.
      type: str
    storage_params:
      description:
        - Storage parameters. A difference in these alone is corrected in place.
        - Parameters that are not named are left as they are.
      type: dict
    tablespace:
      description: The tablespace; one that is not named is left as it is.
      type: str
    state:
      description: Whether the index is there and valid, or not there.
      type: str
      choices: [present, absent]
      default: present
    on_invalid:
      description: What to do with an INVALID index of this name that nobody builds right now.
      type: str
      choices: [rebuild, fail]
      default: rebuild
    on_drift:
      description:
        - What to do with a valid index of this name and another definition.
        - With V(replace) the new one is built beside it and takes its name when it is valid.
      type: str
      choices: [fail, replace, ignore]
      default: fail
    sweep_leftovers:
      description:
        - Also drop INVALID indexes (C(_ccnew), C(_ccold)) of its definition that a failed C(REINDEX CONCURRENTLY) left.
        - What this module itself left of an index always goes. With V(absent) all of it goes before the index does.
      type: bool
      default: false
    explain:
      description: Prove in the end that a query uses the index, on the replicas too. Always in a read-only transaction.
      type: dict
      suboptions:
        query:
          description: The query, one C(SELECT).
          type: str
          required: true
        max_ms:
          description: Milliseconds that the query may take.
          type: float
        analyze:
          description: Whether to run the query; by default when a limit of time is given.
          type: bool
  indexes:
    description:
      - Several indexes, each described as the options of a single one. They are worked on one after the other.
      - Options that describe a single index cannot stand beside it.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the index. Longer than 63 bytes is refused.
        type: str
        required: true
      <<: *index
  allow_pooler:
    description: Go on through a pooler. Only right for one that keeps a server process for the whole session.
    type: bool
    default: false
  wait_for_blockers:
    description: Seconds to wait for open transactions that would hold a build or a drop up, before anything is touched.
    type: float
    default: 60.0
  timeout:
    description: Seconds a build may take; then it is cancelled and cleaned up. Also the patience for other runners.
    type: float
    default: 14400.0
  retries:
    description: Further builds after a deadlock, a lock time-out, or a lost or ended connection.
    type: int
    default: 0
  maintenance_work_mem:
    description: Memory of the build, such as V(1GB); the server's own setting when not given.
    type: str
  max_parallel_maintenance_workers:
    description: Parallel workers of the build; the server's own setting when not given.
    type: int
  max_replication_lag:
    description:
      - Refuse when a streaming replica is further behind than these seconds.
      - Before each further build of O(indexes) the replicas have O(replica_timeout) seconds to come to that.
    type: float
  free_space:
    description: Refuse when all builds of the call together would leave too little space on a disk of the server.
    type: dict
    suboptions:
      min_free_after_gb:
        description: GB (2^30 bytes) that must be left after index, sort files and WAL.
        type: float
        required: true
      free_gb:
        description:
          - GB that are free now, from your monitoring.
          - Without it the server is asked to run C(df) on its data folder and the tablespaces that are used, which
            needs a member of C(pg_execute_server_program) and C(pg_read_all_settings).
        type: float
extends_documentation_fragment: [tars.rollout.postgresql]
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""

EXAMPLES = r"""
- name: The indexes of a release, before its code
  tars.rollout.pg_index_concurrently:
    login_host: db-primary.example.com
    login_user: tars
    login_password: "{{ tars_db_password }}"
    login_db: tars
    indexes:
      - name: evaluations_agent_created
        table: evaluations
        columns: [agent_id, {column: created_at, order: desc}]
      - name: agents_name_lower
        table: agents
        columns: [{expr: lower(name)}]
        where: deleted_at IS NULL
    max_replication_lag: 10
    verify_replicas:
      - {name: standby, host: db-standby.example.com}

- name: One index that a query must use in less than 100 ms
  tars.rollout.pg_index_concurrently:
    login_db: tars
    name: evaluations_status
    table: evaluations
    columns: [status]
    explain:
      query: SELECT * FROM evaluations WHERE status = 'queued'
      max_ms: 100

- name: Drop an index without a lock on its table
  tars.rollout.pg_index_concurrently:
    login_db: tars
    name: evaluations_old
    state: absent
"""

RETURN = r"""
indexes:
  description: With O(indexes), one entry per index with all that a single one has at the top.
  returned: with O(indexes)
  type: list
  elements: dict
name: {description: Name of the index., returned: always, type: str}
schema: {description: Schema that the table was found in., returned: always, type: str}
table: {description: The table with its schema., returned: when known, type: str}
state: {description: What was asked for., returned: always, type: str}
valid: {description: Whether the index is valid., returned: success and present, type: bool}
ready: {description: Whether it is written by the application., returned: success and present, type: bool}
oid: {description: Its object identifier., returned: success and present, type: int}
definition: {description: Its definition as the server prints it., returned: when known, type: str}
size_bytes: {description: Its size; null while somebody holds it., returned: success and present, type: int}
estimate_bytes: {description: Its size as it was estimated before., returned: when one is built, type: int}
would: {description: In check mode the actions in order., returned: always, type: list, elements: str}
drift: {description: Attributes that differ from what is wanted., returned: always, type: list, elements: str}
action: {description: C(alter_set_no_rebuild) or C(replace) when that was done., returned: always, type: str}
replaced: {description: Whether another definition was replaced., returned: always, type: bool}
repaired: {description: C(invalid_rebuilt) when an INVALID index was repaired., returned: always, type: str}
swept: {description: Leftovers that were dropped., returned: always, type: list, elements: str}
adopted: {description: Whether somebody else's build was waited for., returned: always, type: bool}
analyzed: {description: Whether the table of an index with expressions was analyzed., returned: always, type: bool}
attempts: {description: How many builds were started., returned: always, type: int}
waited_s: {description: Seconds waited for open transactions., returned: always, type: float}
build_s: {description: Seconds of all builds., returned: always, type: float}
phases: {description: Seconds per phase of the last build., returned: always, type: dict}
phase_at_cancel: {description: The phase in which a build was cancelled., returned: always, type: str}
leftover:
  description: What became of a failed build. V(none), V(removed), V(renamed_aside); a drop has V(half_dropped) as well.
  returned: always
  type: str
blockers:
  description: Who is or was in the way, with kind (writer, snapshot, prepared, reader), pid, age, application, query.
  returned: always
  type: list
  elements: dict
queue_behind: {description: The longest queue seen behind our statements., returned: always, type: list, elements: dict}
partitions: {description: Partitions covered., returned: for a partitioned table, type: int}
partitions_built: {description: Indexes of partitions built now., returned: for a partitioned table, type: int}
lag_s:
  description: Seconds that the replicas needed to replay what was written.
  returned: with O(max_replication_lag)
  type: float
replicas:
  description: One entry per replica with name, valid, lsn_reached, lag_bytes, replay_paused, seen, explain (its plans).
  returned: with O(verify_replicas)
  type: list
  elements: dict
explain: {description: The fields uses_index and chosen and usable and ms., returned: with O(explain), type: dict}
queries: {description: The SQL that changed something or would., returned: always, type: list, elements: str}
wal_bytes: {description: What the server wrote to its WAL during the builds., returned: always, type: int}
check_xmin: {description: Whether older transactions cannot use it yet., returned: success and present, type: bool}
duplicates:
  description: Number of duplicated keys, and a sample of them with their counts.
  returned: when a unique index met duplicates
  type: dict
missing: {description: Rights that are missing., returned: when rights are missing, type: list, elements: str}
diag: {description: State of an INVALID index., returned: when it is refused, type: dict}
owner: {description: The table whose index has the name., returned: when the name is taken, type: str}
relkind: {description: Kind of the object that has the name., returned: when the name is taken, type: str}
constraint: {description: The constraint that owns the index., returned: when it is refused, type: str}
sqlstate: {description: The server's code for a failure., returned: failure, type: str}
reason:
  description:
    - Stable code of a refusal or failure. Ours are V(blocked), V(constraint_index), V(disk), V(drift),
      V(evidence), V(explain_writes), V(in_recovery), V(input), V(interrupted), V(invalid_index), V(locked),
      V(missing_rights), V(name_taken), V(name_too_long), V(not_supported), V(not_valid), V(plan_slow),
      V(plan_unusable), V(read_only), V(replica_behind), V(timeout), V(transaction_pooler), V(version).
    - A fault of the server has the name of its condition, such as V(undefined_column) or V(connection_lost).
  returned: failure
  type: str
hint: {description: What to do about it., returned: failure, type: str}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import run_module
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.options import EXCLUSIVE, SPEC
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.run import run

# Seconds in which a build that was told to stop is cancelled and cleaned up.
GRACE = 4.0


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        mutually_exclusive=EXCLUSIVE,
        required_one_of=[("name", "indexes")],
    )
    run_module(module, run, grace=GRACE)


if __name__ == "__main__":
    main()
