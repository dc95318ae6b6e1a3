# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""An index of a partitioned table: PostgreSQL cannot build it concurrently, but partition by partition it can be done.

ON ONLY the parent first, then each partition concurrently, then ATTACH. Every step looks first, so a run that was cut
short is finished by the next one.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._pg_index import present
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.present import Plan
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import catalog, facts, leftovers, partitions
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.definition import differences, probe
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import NAME_BYTES, Wanted, qualified


def plan(work: Work, wanted: Wanted, table: Table) -> Plan:
    """Read and decide. ``action``: none, create, rebuild (finish what is half done)."""
    facts.check_rights(work.monitor, table, wanted.tablespace)
    wish = probe(work.monitor, wanted, table)
    if foreign := [one for one in _below(work, table) if one.kind not in ("r", "p")]:
        raise IndexFault(
            f"Partition {foreign[0].text} of table {table.text} is a foreign table, which cannot have indexes",
            reason="not_supported",
            sqlstate="42809",
            hint="Detach it first",
        )
    seen, _indexes = present.find(work, wanted, table)
    made = Plan(wanted, table, wish, seen, "none")
    if seen is None:
        made.action = "create"
        return made
    made.drift = differences(seen, wish, wanted)
    if made.drift and wanted.on_drift != "ignore":
        raise IndexFault(
            f"Index {seen.text} is there and is another one: {', '.join(made.drift)} differ. It is: {seen.definition}",
            reason="drift" if wanted.on_drift == "fail" else "not_supported",
            hint="Correct the options; on_drift=replace is not there yet for partitioned tables, so give it a new name",
            fields={"drift": made.drift, "definition": seen.definition},
        )
    if not seen.valid:
        if wanted.on_invalid == "fail":
            raise IndexFault(
                f"Index {seen.text} of the partitioned table {table.text} is INVALID: not every partition has its part",
                reason="invalid_index",
                hint="Set on_invalid to rebuild, which builds what is missing",
                fields={"diag": seen.diag},
            )
        made.action = "rebuild"
    return made


def foresee(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Check mode."""
    result["partitions"] = partitions.leaves(work.monitor, made.table)
    would = {"create": ["create"], "rebuild": ["finish_partitions"]}.get(made.action, [])
    result.update(changed=made.changes, would=would, drift=made.drift)


def act(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Make it so, under the lock of the parent."""
    result["partitions"] = partitions.leaves(work.monitor, made.table)
    result["partitions_built"] = 0
    if made.changes:
        work.lock(made.table, made.text)
        try:
            made = plan(work, made.wanted, made.table)
            if made.seen is not None and made.action == "rebuild":
                result["repaired"] = "invalid_rebuilt"
            _whole(work, made, result)
        finally:
            work.unlock()
    seen, _indexes = present.find(work, made.wanted, made.table)
    if seen is None or not seen.valid:
        raise IndexFault(
            f"Index {made.text} is still INVALID although every partition has its part",
            reason="not_valid",
            hint="Run the same command again",
        )
    result.update(present.describe(seen))


def _below(work: Work, table: Table) -> list[Table]:
    found: list[Table] = []
    for child in partitions.children(work.monitor, table):
        found += [child, *(_below(work, child) if child.kind == "p" else [])]
    return found


def _whole(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """This level: the parent's own entry, every child, then attached and valid."""
    if made.seen is None:
        statement = made.wanted.create(qualified(made.wanted.name), made.table.sql, how="", only="ONLY")
        work.quick([statement], f"Creating index {made.text} on the partitioned table alone")
        result["changed"] = True
    parent, _indexes = present.find(work, made.wanted, made.table)
    if parent is None or parent.valid:
        return
    children = partitions.children(work.monitor, made.table)
    mine = {one.table_oid: one for one in catalog.attached(work.monitor, parent.oid)}
    parts = []
    for child in children:
        work.call.stop.check(f"about to build index {made.text} on partition {child.text}")
        parts.append(_child(work, made, child, mine.get(child.oid), result))
    # Also for those that are attached already: only an ATTACH makes PostgreSQL look whether the parent became whole.
    for part in parts:
        statement = f"ALTER INDEX {parent.sql} ATTACH PARTITION {part.sql}"
        work.quick([statement], f"Attaching index {part.text} to {parent.text}")
        result["changed"] = True


def _child(work: Work, made: Plan, child: Table, mine: Index | None, result: dict[str, Any]) -> Index:
    """The valid index of one partition: the attached one, one that fits and is free, or a new one."""
    if mine is not None and mine.valid:
        return mine
    if mine is not None and child.kind != "p":
        # Attached ones cannot be dropped alone.
        result["waited_s"] += work.wait_for_blockers([child.oid], made.text, f"Rebuilding index {mine.text}")
        ended = work.long(f"REINDEX INDEX CONCURRENTLY {mine.sql}", f"Rebuilding {mine.text}", made.text, [child.oid])
        if ended.fault is not None or ended.why:
            raise ended.fault or IndexFault(
                f"Rebuilding index {mine.text} was cancelled", reason=ended.why, hint="Run the same command again"
            )
        result.update(changed=True, partitions_built=result["partitions_built"] + 1)
        return _named(work, mine.schema, mine.name)
    free = [one for one in catalog.of_table(work.monitor, child.oid) if not one.parent and not one.constraint]
    fits = [one for one in free if not differences(one, probe(work.monitor, made.wanted, child), made.wanted)]
    name = mine.name if mine is not None else _name(child, made.wanted)
    if child.kind == "p":
        below = Wanted(**{**vars(made.wanted), "name": name, "schema": child.schema, "table": child.name})
        _whole(work, plan(work, below, child), result)
    elif valid := [one for one in fits if one.valid]:
        return valid[0]
    else:
        for index in free:
            if index.name == name and not index.valid and not leftovers.builder(work.monitor, index):
                leftovers.remove(work.worker, index)
        below = Wanted(**{**vars(made.wanted), "name": name, "schema": child.schema, "table": child.name})
        part = Plan(below, child, made.wish, None, "create")
        present.guard(work, part, result)
        present.create(work, part, name, result)
        result["partitions_built"] += 1
    return _named(work, child.schema, name)


def _named(work: Work, schema: str, name: str) -> Index:
    """By its name: a rebuilt index has another identifier than before."""
    found = catalog.named(work.monitor, schema, name)
    index = catalog.by_oid(work.monitor, found["oid"]) if found else None
    if index is None or (not index.valid and index.kind != "I"):
        raise IndexFault(
            "The index of a partition is missing or INVALID after its build",
            reason="not_valid",
            hint="Run the same command again",
        )
    return index


def _name(child: Table, wanted: Wanted) -> str:
    """A name that is the same in every run and short enough."""
    name = f"{child.name}_{wanted.name}"
    if len(name.encode()) <= NAME_BYTES:
        return name
    return leftovers.with_suffix(name, f"_{hashlib.sha256(name.encode()).hexdigest()[:8]}")
