# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How big will it be, and is there room?"""

from __future__ import annotations

from math import ceil
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, literal, quote

# Bytes: a page, what of it a B-tree fills at the default of 90 %, and what each entry costs beside its keys.
PAGE, FILLED, ENTRY = 8192, 7336, 12
GB = 1 << 30
# Rows to look at for the width of a key, and bytes where that cannot be seen.
SAMPLE, WIDTH = 1000, 16
# While it is built a sort may need as much again, and WAL about as much.
PEAK = 3


def estimate(session: Session, wanted: Wanted, table: Table) -> int:
    """Bytes of the finished index, as a B-tree over all rows: an upper bound for a partial one."""
    widths = " + ".join(f"coalesce(pg_column_size({text}), 0)" for text in _columns(wanted))
    query = f"SELECT avg({widths})::float8 AS width FROM (SELECT * FROM {table.sql} LIMIT {SAMPLE}) AS sample"
    try:
        with session.transaction({"statement_timeout": "5s", "lock_timeout": "2s"}, "BEGIN READ ONLY"):
            width = (session.run(query, "Measuring keys")[0]["width"]) or WIDTH
    except ServerFault:
        if session.closed:
            raise
        # An expression may fail on a row, which the build will tell in its own words.
        width = WIDTH
    rows = _rows(session, table)
    per_page = max(1, int(FILLED // (ENTRY + 8 * ceil(width / 8))))
    return ceil(rows / per_page) * PAGE + PAGE


def _columns(wanted: Wanted) -> list[str]:
    return [key.bare for key in wanted.keys] + [quote(name) for name in wanted.include]


def _rows(session: Session, table: Table) -> int:
    """Rows by the statistics; a table that has none is taken as full of rows of 100 bytes."""
    found = session.value(
        """SELECT sum(CASE WHEN c.reltuples >= 0 THEN c.reltuples::float8
            ELSE pg_relation_size(c.oid) / 100 END)::float8 FROM pg_class c
        WHERE c.oid = %(oid)s
            OR (%(parted)s AND c.oid IN (SELECT relid FROM pg_partition_tree(%(oid)s) WHERE isleaf))""",
        {"oid": table.oid, "parted": table.kind == "p"},
    )
    return int(found or 0)


def check_space(session: Session, need: int, floor: float, free_gb: float | None) -> dict[str, Any]:
    """Refuse with ``disk`` when building ``need`` bytes would leave less than ``floor`` GB free."""
    free = free_gb * GB if free_gb is not None else _free(session)
    left = free - PEAK * need
    fields = {"estimate_bytes": need, "free_bytes": int(free)}
    if left < floor * GB:
        raise IndexFault(
            f"The build needs up to {PEAK * need / GB:.2f} GB with sort files and WAL, and of the {free / GB:.2f} GB "
            f"that are free it would leave {max(0.0, left) / GB:.2f} GB where {floor:g} GB are wanted",
            reason="disk",
            hint="Make room, or lower min_free_after_gb; no index was touched",
            fields=fields,
        )
    return fields


def _free(session: Session) -> float:
    """Free bytes below the data folder, as the server's own df tells; the table it reads into is rolled back."""
    folder = session.value("SHOW data_directory")
    program = "df -Pk '" + str(folder).replace("'", "'\\''") + "'"
    try:
        with session.transaction({"statement_timeout": "10s"}):
            session.run("CREATE TEMPORARY TABLE tars_rollout_df (line text)")
            session.run(f"COPY tars_rollout_df FROM PROGRAM {literal(program)}", "Asking the server for its free space")
            lines = [row["line"] for row in session.run("SELECT line FROM tars_rollout_df")]
        return float(lines[-1].split()[3]) * 1024
    except (ServerFault, IndexError, ValueError) as error:
        raise IndexFault(
            f"How much space the server has free could not be seen: {error}",
            reason="disk",
            hint="Give free_space.free_gb from your monitoring, or log in as a member of pg_execute_server_program",
            fields={"estimate_bytes": 0},
        ) from None
