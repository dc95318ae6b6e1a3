# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The tables of a partitioned table."""

from __future__ import annotations

from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session


def children(session: Session, table: Table) -> list[Table]:
    """The direct partitions, in the order of their names; a foreign table among them has kind ``f``.

    One whose detaching was cut short is none any more.
    """
    rows = session.rows(
        """SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind
        FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE h.inhparent = %(oid)s AND NOT h.inhdetachpending ORDER BY c.relname""",
        {"oid": table.oid},
    )
    return [Table(**row) for row in rows]


def tree(session: Session, table: Table) -> list[int]:
    """The table and everything below it."""
    rows = session.rows("SELECT relid::oid::bigint AS oid FROM pg_partition_tree(%(oid)s)", {"oid": table.oid})
    return [row["oid"] for row in rows]


def leaves(session: Session, table: Table) -> int:
    """How many partitions hold rows."""
    query = "SELECT count(*) FROM pg_partition_tree(%(oid)s) WHERE isleaf"
    return int(session.value(query, {"oid": table.oid}))
