# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Which rows stand in the way of a unique index."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted

SAMPLE = 5
PATIENCE = "120s"


def sample(session: Session, wanted: Wanted, table: Table) -> dict[str, Any]:
    """``groups``: how many keys occur more than once; ``sample``: the most frequent ones, as text, with their counts.

    Read after the failure, so rows may have changed meanwhile. ``groups`` is None where it could not be read.
    """
    keys = [key.bare for key in wanted.keys]
    conditions = [f"({wanted.where})"] if wanted.where else []
    if not wanted.nulls_not_distinct:
        conditions += [f"{key} IS NOT NULL" for key in keys]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    texts = ", ".join(f"{key}::text" for key in keys)
    query = (
        f"WITH d AS (SELECT ARRAY[{texts}] AS key, count(*) AS n FROM {table.sql}{where} "
        f"GROUP BY {', '.join(keys)} HAVING count(*) > 1) "
        f"SELECT key, n, count(*) OVER () AS groups FROM d ORDER BY n DESC, key LIMIT {SAMPLE}"
    )
    try:
        with session.transaction({"statement_timeout": PATIENCE}, "BEGIN READ ONLY"):
            rows = session.run(query, f"Looking for duplicates in table {table.text}")
    except ServerFault as fault:
        return {"groups": None, "sample": [], "seen": fault.msg}
    found = [{"key": row["key"], "count": row["n"]} for row in rows]
    return {"groups": rows[0]["groups"] if rows else 0, "sample": found}
