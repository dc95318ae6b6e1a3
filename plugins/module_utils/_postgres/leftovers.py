# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""INVALID indexes: whose they are, whether somebody builds them right now, and how they go."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.tars.rollout.plugins.module_utils._postgres import blockers, catalog
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import NAME_BYTES, quote

# How we name what could not be dropped yet, what is about to replace an index, and what was replaced.
ASIDE, FRESH, OLD = "_tars_left", "_tars_new", "_tars_old"
REINDEX = ("_ccnew", "_ccold")
SHORT_LOCK = "2s"

_BUILDER = """
SELECT p.pid FROM pg_stat_progress_create_index p WHERE p.index_relid = %(oid)s
UNION ALL
SELECT l.pid FROM pg_stat_progress_create_index p JOIN pg_locks l ON l.pid = p.pid AND l.granted
  AND l.locktype = 'relation' AND l.relation = %(table)s AND l.mode = 'ShareUpdateExclusiveLock'
WHERE p.index_relid IS NULL
UNION ALL
SELECT p.pid FROM pg_stat_progress_create_index p
WHERE p.relid = %(table)s AND p.command LIKE 'REINDEX%%' AND (%(name)s ~ '_cc(new|old)[0-9]*$' OR EXISTS (
  SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid,
    LATERAL regexp_replace(c.relname::text, '_ccnew[0-9]*$', '') base
  WHERE i.indrelid = p.relid AND c.relname ~ '_ccnew[0-9]*$'
    AND (base = %(name)s OR (octet_length(base) > 50 AND starts_with(%(name)s, base)))))
LIMIT 1
"""


def builder(session: Session, index: Index) -> int:
    """The process that builds this index right now, 0 when there is none.

    Other roles' progress shows no index without pg_monitor: then the lock of a build on the table has to do. REINDEX
    CONCURRENTLY builds one beside it, and of a whole table it makes all of them first and shows one at a time.
    """
    arguments = {"oid": index.oid, "table": index.table_oid, "name": index.name}
    return int(session.value(_BUILDER, arguments) or 0)


def with_suffix(name: str, suffix: str, number: int | str = "") -> str:
    """A name with a suffix, cut before it so that the whole fits; never in the middle of a character."""
    tail = f"{suffix}{number}"
    return name.encode()[: NAME_BYTES - len(tail)].decode(errors="ignore") + tail


def is_of(index: Index, name: str, suffixes: Sequence[str]) -> bool:
    """Whether an index has the name that one of these suffixes gives, with or without a number."""
    return any(
        (match := re.search(rf"{suffix}(\d*)$", index.name)) is not None
        and index.name == with_suffix(name, suffix, match[1])
        for suffix in suffixes
    )


def remove(session: Session, index: Index, base: str, said: list[str]) -> str:
    """Take an INVALID index away; ``removed``, or ``renamed_aside`` while somebody holds its table.

    A drop would wait behind every open transaction that so much as read the table, but a rename takes milliseconds.
    ``base``: the name that a later run looks for, whatever the index was called meanwhile. ``said`` gets the SQL.
    """
    now = catalog.by_oid(session, index.oid)
    if now is None or now.name != index.name or (now.valid and not index.valid):
        # Somebody was faster: it is gone, or healed.
        return "none"
    holders = blockers.look(session, [index.table_oid], [], drop=True)
    # The short transactions of an application are gone before the lock's time is over.
    if not any(one.old for one in holders):
        try:
            drop(session, index, said)
            return "removed"
        except ServerFault as fault:
            if not fault.passing or session.closed:
                raise
            # Somebody came between the look and the drop.
    return rename_aside(session, index, base, said)


def drop_sql(name: str) -> str:
    """The statement that drops an index, named as it stands in SQL; somebody else may have been faster."""
    return f"DROP INDEX CONCURRENTLY IF EXISTS {name}"


def drop(session: Session, index: Index, said: list[str]) -> None:
    """Drop it concurrently, without patience."""
    session.set({"lock_timeout": SHORT_LOCK})
    try:
        session.run(drop_sql(index.sql), f"Dropping index {index.text}")
        said.append(drop_sql(index.sql))
    finally:
        if not session.closed:
            session.set({"lock_timeout": "0"})


def rename_aside(session: Session, index: Index, base: str, said: list[str]) -> str:
    """Give it a name of ours, so that its own is free; a later run drops it."""
    statement = f"ALTER INDEX {index.sql} RENAME TO {quote(free_name(session, index.schema, base, ASIDE))}"
    with session.transaction({"lock_timeout": SHORT_LOCK}, end="COMMIT"):
        session.run(statement, f"Renaming the INVALID index {index.text}")
    said.append(statement)
    return "renamed_aside"


def free_name(session: Session, schema: str, base: str, suffix: str) -> str:
    """The first name with that suffix that nobody has."""
    number = 1
    while catalog.named(session, schema, with_suffix(base, suffix, number)):
        number += 1
    return with_suffix(base, suffix, number)


def to_sweep(session: Session, indexes: Sequence[Index], name: str, *, reindex: bool) -> list[Index]:
    """INVALID leftovers of an index among those of its table: always ours, with ``reindex`` those of REINDEX too.

    What we replaced is ours by its name, and may still be valid.
    """
    suffixes = (ASIDE, FRESH, OLD, *(REINDEX if reindex else ()))
    return [
        one
        for one in indexes
        if not one.constraint
        and ((not one.valid and is_of(one, name, suffixes)) or is_of(one, name, (OLD,)))
        and not builder(session, one)
    ]
