# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Leftovers on their way out, of this run and of earlier ones: once nobody reads the table, here or on a replica."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._pg_index.options import replicas
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import blockers, catalog, leftovers, partitions
from ansible_collections.tars.rollout.plugins.module_utils._postgres.blockers import Blocker
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.leftovers import OLD
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session


def on_standbys(work: Work, tables: Sequence[int]) -> list[Blocker]:
    """Readers on the replicas of the call: replay of a drop would stop behind them, and end them after a while."""
    found: list[Blocker] = []
    for name, address in replicas(work.params).items():
        try:
            session = Session(address)
        except ServerFault as fault:
            raise IndexFault(
                f"Whether replica {name} reads the table could not be seen: {fault.msg}",
                reason="replica_behind",
                hint="Correct verify_replicas, or leave that replica out; nothing was dropped",
            ) from None
        try:
            found += blockers.readers_on(name, session, tables, work.call.clock)
        finally:
            session.close()
    return found


def remove(work: Work, session: Session, index: Index, base: str, result: dict[str, Any]) -> str:
    """Take an INVALID index away as ``leftovers.remove`` does; put aside as well while a replica's reader is there."""
    if on_standbys(work, [index.table_oid]):
        return leftovers.rename_aside(session, index, base, result["queries"])
    return leftovers.remove(session, index, base, result["queries"])


def sweep(work: Work, table: Table, name: str, left: Iterable[Index], result: dict[str, Any]) -> None:
    """Drop the leftovers of an index; when somebody is in the way after a change, the next run does."""
    for index in left:
        if catalog.by_oid(work.monitor, index.oid) is None:
            continue
        # What was only put aside can wait for the next run; one that was replaced still costs every write.
        patient = not result["changed"] or leftovers.is_of(index, name, (OLD,))
        try:
            gone = _drop(work, table, index, result, now=not patient)
        except IndexFault as fault:
            if not result["changed"]:
                raise
            result["warnings"] = [*result["warnings"], f"leftover {index.text} stays until the next run: {fault.msg}"]
        else:
            if gone:
                result.update(changed=True, swept=[*result["swept"], index.text])


def drop_sql(index: Index) -> str:
    """What drops it. PostgreSQL cannot drop the index of a partitioned table concurrently."""
    return f"DROP INDEX IF EXISTS {index.sql}" if index.kind == "I" else leftovers.drop_sql(index.sql)


def _drop(work: Work, table: Table, index: Index, result: dict[str, Any], *, now: bool) -> bool:
    """False when somebody was faster: it is gone, or no leftover any more."""
    what = f"Dropping the leftover {index.text}"
    tables = partitions.tree(work.monitor, table) if index.kind == "I" else [index.table_oid]
    work.wait_for_blockers(tables, index.text, what, result, drop=True, now=now)
    work.wait_for(lambda: on_standbys(work, tables), index.text, what, result, now=now)
    seen = catalog.by_oid(work.monitor, index.oid)
    if seen is None or seen.name != index.name or seen.valid != index.valid:
        return False
    if index.kind == "I":
        work.quick([drop_sql(index)], what, tables, result)
    else:
        leftovers.drop(work.worker, index, result["queries"])
    return True
