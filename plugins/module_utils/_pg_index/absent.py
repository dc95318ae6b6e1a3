# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One index that must not be there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.sweep import on_standbys, sweep
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import (
    blockers,
    catalog,
    facts,
    leftovers,
    partitions,
)
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.definition import differences
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted


@dataclass
class Plan:
    """The index that goes, None when there is none; its table, and all tables whose transactions hold the drop up.

    ``sweep``: its leftovers, which go first: without the index nobody would look for them any more.
    """

    wanted: Wanted
    seen: Index | None
    table: Table | None
    tables: list[int]
    sweep: list[Index] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        return self.seen is not None or bool(self.sweep)

    @property
    def drop(self) -> str:
        """What drops the index; empty when there is none. PostgreSQL cannot drop a partitioned one concurrently."""
        how = "" if self.seen is None or self.seen.kind == "I" else " CONCURRENTLY"
        return "" if self.seen is None else f"DROP INDEX{how} IF EXISTS {self.seen.sql}"

    @property
    def statements(self) -> list[str]:
        """What a run would say to the server, in order."""
        return [*(leftovers.drop_sql(one.sql) for one in self.sweep), *([self.drop] if self.drop else [])]


def plan(work: Work, wanted: Wanted) -> Plan:
    """Read and decide; refuses what is no index, belongs to another table, or to a constraint."""
    own = facts.see_table(work.monitor, wanted) if wanted.table else None
    # An index is in the schema of its table.
    schema = own.schema if own is not None else wanted.schema
    found = catalog.named(work.monitor, schema, wanted.name)
    seen = catalog.by_oid(work.monitor, found["oid"]) if found is not None else None
    if found is None or (seen is None and found["kind"] in ("i", "I")):
        # Not there, or dropped by somebody between the two looks; what was put aside may be.
        if own is not None and own.kind != "p" and (left := _left(work, wanted, own.oid, None)):
            return Plan(wanted, None, own, [own.oid], left)
        return Plan(wanted, None, None, [])
    if seen is None:
        raise IndexFault(
            f"{found['schema']}.{wanted.name} is no index but an object of relkind {found['kind']!r}",
            reason="name_taken",
            sqlstate="42809",
            hint="Correct the name",
            fields={"relkind": found["kind"], "owner": ""},
        )
    schema, _dot, name = seen.table.partition(".")
    if wanted.table and wanted.table != name:
        raise IndexFault(
            f"Index {seen.text} is one of table {seen.table}, not of {wanted.table}",
            reason="name_taken",
            hint="Correct the name of the table, or leave it out",
            fields={"owner": seen.table, "relkind": found["kind"]},
        )
    if seen.constraint or seen.parent or seen.identity:
        owner = f"constraint {seen.constraint}" if seen.constraint else f"index {seen.parent}"
        if not (seen.constraint or seen.parent):
            owner = f"the replica identity of table {seen.table}"
        raise IndexFault(
            f"Index {seen.text} cannot be dropped: {owner} needs it",
            reason="partition_index" if seen.parent and not seen.constraint else "constraint_index",
            sqlstate="2BP01",
            hint="Drop its owner instead",
            fields={"constraint": seen.constraint},
        )
    table = Table(seen.table_oid, schema, name, "p" if seen.kind == "I" else "r")
    facts.check_own(table)
    facts.check_rights(work.monitor, table, dropping=True)
    tables = [table.oid]
    if seen.kind == "I":
        tables = partitions.tree(work.monitor, table)
    return Plan(wanted, seen, table, tables, [] if seen.kind == "I" else _left(work, wanted, table.oid, seen))


def patiently(work: Work, wanted: Wanted, result: dict[str, Any]) -> Plan:
    """The plan; who holds the table so that the index cannot even be read is waited for, and named."""
    session = work.monitor
    session.set({"lock_timeout": leftovers.SHORT_LOCK})
    try:
        return plan(work, wanted)
    except ServerFault as fault:
        if fault.sqlstate != "55P03":
            raise
    finally:
        if not session.closed:
            session.set({"lock_timeout": "0"})
    table = facts.table_of(session, wanted.schema, wanted.name)
    if table is not None:
        work.wait_until_readable(table, wanted.text, result)
    return plan(work, wanted)


def _left(work: Work, wanted: Wanted, table: int, seen: Index | None) -> list[Index]:
    """What we left of the index, and with ``sweep_leftovers`` what REINDEX left of the same definition."""
    indexes = catalog.notable(work.monitor, table, wanted.name, leftovers.OLD)
    found = leftovers.to_sweep(work.monitor, indexes, wanted.name, reindex=wanted.sweep)
    plain = Wanted(wanted.name)
    return [
        one
        for one in found
        if not leftovers.is_of(one, wanted.name, leftovers.REINDEX) or seen is None or not differences(one, seen, plain)
    ]


def foresee(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Check mode: whether it would go, and who is in the way now."""
    would = [*(["sweep"] if made.sweep else []), *(["drop"] if made.seen is not None else [])]
    result.update(changed=made.changes, would=would, queries=made.statements)
    if made.changes:
        found = blockers.lasting(work.monitor, made.tables, [], work.call.clock, drop=True)
        result["blockers"] = blockers.shown([*found, *on_standbys(work, made.tables)])


def act(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Drop it, concurrently where PostgreSQL can, once nobody is in the way: one cut short leaves it INVALID."""
    index, table = made.seen, made.table
    if table is None:
        return
    what = f"Dropping index {made.wanted.text if index is None else index.text}"
    work.lock(table, made.wanted.text)
    try:
        # Whoever had the lock before may have dropped it.
        made = plan(work, made.wanted)
        if index is not None and (made.seen is None or made.seen.oid != index.oid):
            return
        sweep(work, table, made.wanted.name, made.sweep, result)
        if index is None:
            return
        work.wait_for_blockers(made.tables, index.text, what, result, drop=True)
        work.wait_for(lambda: on_standbys(work, made.tables), index.text, what, result)
        work.call.stop.check(f"about to drop index {index.text}")
        if index.kind == "I":
            work.quick([made.drop], what, made.tables, result)
        else:
            _concurrently(work, made, index, what, result)
    finally:
        work.unlock()
    result.update(changed=True, table=index.table, definition=index.definition)


def _concurrently(work: Work, made: Plan, index: Index, what: str, result: dict[str, Any]) -> None:
    ended = work.long(made.drop, what, index.text, made.tables, result, drop=True)
    if ended.fault is None and not ended.why:
        return
    left = catalog.by_oid(work.monitor, index.oid)
    result["blockers"] = blockers.shown(ended.blockers)
    result["leftover"] = "none" if left is None else "valid" if left.valid else "half_dropped"
    if ended.why == "stop":
        raise Interrupted(what[:1].lower() + what[1:], work.call.stop.why)
    if ended.fault is not None and not ended.why:
        raise ended.fault
    raise IndexFault(
        f"{what} had not ended after {work.params['timeout']:g} s and was cancelled",
        reason="timeout",
        hint="Run the same command again when the transactions in blockers have ended: it finishes the drop",
    )
