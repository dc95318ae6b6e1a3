# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How big will it be, and is there room?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, literal, quote

# Bytes: a page, what of it a B-tree fills at the default of 90 %, and what each entry costs beside its keys.
PAGE, FILLED, ENTRY = 8192, 7336, 12
GB = 1 << 30
# Rows to look at for the width of a key, and bytes where that cannot be seen.
SAMPLE, WIDTH = 1000, 16
# Where an index goes: its tablespace, else what the login has as its default, else the database's own; NULL or empty is
# the data folder.
_FOLDER = """
SELECT pg_tablespace_location(t.oid) FROM pg_tablespace t JOIN pg_database d ON d.datname = current_database()
WHERE CASE WHEN coalesce(nullif(%(name)s, ''), current_setting('default_tablespace')) = '' THEN t.oid = d.dattablespace
  ELSE t.spcname = coalesce(nullif(%(name)s, ''), current_setting('default_tablespace')) END
"""


@dataclass(frozen=True)
class Need:
    """A build: bytes of its index, and the tablespace that it is to be in, empty when none is named.

    While it is built a sort may need as much again, and WAL about as much.
    """

    size: int
    tablespace: str = ""


@dataclass(frozen=True)
class Disk:
    """Bytes that are free and that are needed where ``mount`` is; it is empty when somebody told what is free."""

    mount: str
    free: float
    need: float


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


def check_space(session: Session, needs: Sequence[Need], floor: float, free_gb: float | None) -> int:
    """Bytes that are free where it is narrowest; refuse with ``disk`` when less than ``floor`` GB would be left there.

    ``free_gb`` counts for all of it; without it the server looks at its data folder and at the tablespaces.
    """
    # They are built one after the other: the WAL of all may have to be kept, sort files are there for one at a time.
    beside = sum(need.size for need in needs) + max(need.size for need in needs)
    if free_gb is not None:
        disks = [Disk("", free_gb * GB, beside + sum(need.size for need in needs))]
    else:
        disks = _disks(session, needs, beside)
    worst = min(disks, key=lambda disk: disk.free - disk.need)
    left = worst.free - worst.need
    if left < floor * GB:
        what = "The build needs" if len(needs) == 1 else f"The {len(needs)} builds need"
        where = f" on {worst.mount}" if worst.mount else ""
        raise IndexFault(
            f"{what} up to {worst.need / GB:.2f} GB{where} with sort files and WAL, and of the "
            f"{worst.free / GB:.2f} GB that are free it would leave {max(0.0, left) / GB:.2f} GB "
            f"where {floor:g} GB are wanted",
            reason="disk",
            hint="Make room, or lower min_free_after_gb; no index was touched",
            fields={"estimate_bytes": sum(need.size for need in needs), "free_bytes": int(worst.free)},
        )
    return int(worst.free)


def _disks(session: Session, needs: Sequence[Need], beside: int) -> list[Disk]:
    """What is needed per disk: WAL and sort files in the data folder, each index where its tablespace is."""
    try:
        data = str(session.value("SHOW data_directory"))
        wanted = {data: float(beside)}
        for need in needs:
            folder = session.value(_FOLDER, {"name": need.tablespace}) or data
            wanted[folder] = wanted.get(folder, 0) + need.size
        found: dict[str, Disk] = {}
        for (mount, free), size in zip(_df(session, list(wanted)), wanted.values(), strict=True):
            # Two folders may be on one disk.
            found[mount] = Disk(mount, free, size + (found[mount].need if mount in found else 0))
        return list(found.values())
    except (ServerFault, IndexError, ValueError) as error:
        raise IndexFault(
            f"How much space the server has free could not be seen: {error}",
            reason="disk",
            hint="Give free_space.free_gb from your monitoring, or log in as a member of pg_execute_server_program "
            "and pg_read_all_settings",
            fields={"estimate_bytes": sum(need.size for need in needs)},
        ) from None


def _df(session: Session, folders: Sequence[str]) -> list[tuple[str, float]]:
    """Mount and free bytes of each folder, by the server's own df; the table it reads into is rolled back."""
    program = "df -Pk " + " ".join("'" + folder.replace("'", "'\\''") + "'" for folder in folders)
    with session.transaction({"statement_timeout": "10s"}):
        session.run("CREATE TEMPORARY TABLE tars_rollout_df (line text)")
        session.run(f"COPY tars_rollout_df FROM PROGRAM {literal(program)}", "Asking the server for its free space")
        lines = [row["line"] for row in session.run("SELECT line FROM tars_rollout_df")]
    rows = [line.rsplit(None, 5) for line in lines[1:]]
    return [(row[5], float(row[3]) * 1024) for row in rows]
