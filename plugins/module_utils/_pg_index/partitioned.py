# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""An index of a partitioned table: PostgreSQL cannot build it concurrently, but partition by partition it can be done.

ON ONLY the parent first, then each partition concurrently, then ATTACH. Every step looks first, so a run that was cut
short is finished by the next one. Here: what is to do, and the order; ``parts`` builds the index of one partition.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._pg_index import build, parts, present, room
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.present import Plan
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.sweep import drop_sql, sweep
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import (
    added,
    blockers,
    catalog,
    facts,
    leftovers,
    partitions,
)
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.definition import differences, probe
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.leftovers import FRESH, OLD, with_suffix
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, qualified, quote, storage


def plan(work: Work, wanted: Wanted, table: Table) -> Plan:
    """Read and decide. ``action``: none, create, rebuild (finish what is half done), alter_set, replace."""
    every = parts.below(work, table)
    facts.check_rights(work.monitor, table, *every, tablespace=wanted.tablespace)
    wish = probe(work.monitor, wanted, table)
    if foreign := [one for one in every if one.kind not in ("r", "p")]:
        raise IndexFault(
            f"Partition {foreign[0].text} of table {table.text} is a foreign table, which cannot have indexes",
            reason="not_supported",
            sqlstate="42809",
            hint="Detach it first",
        )
    seen, indexes = present.find(work, wanted, table)
    made = Plan(wanted, table, wish, seen, "none")
    left = [one for one in indexes if leftovers.is_of(one, wanted.name, (FRESH, OLD)) and not one.constraint]
    below = parts.left(work, made)
    if seen is None:
        made.action, made.sweep = "create", left + below
        made.warnings = present.duplicates_of(work, made)
        return made
    # Storage parameters stand at the indexes of the partitions.
    made.drift = [name for name in differences(seen, wish, wanted) if name != "storage"]
    if not made.drift and wanted.storage and (odd := _other_storage(work, made)):
        made.drift = ["storage"]
        made.parts = odd
    made.action = _action(work, made, seen)
    # The half-built successor is what a replacement goes on with.
    made.sweep = [one for one in left if made.action != "replace" or leftovers.is_of(one, wanted.name, (OLD,))]
    made.sweep += below
    return made


def _action(work: Work, made: Plan, seen: Index) -> str:
    wanted = made.wanted
    if not seen.valid and not set(made.drift) - {"storage"}:
        if wanted.on_invalid == "fail":
            raise IndexFault(
                f"Index {seen.text} of the partitioned table {made.table.text} is INVALID: a partition lacks its part",
                reason="invalid_index",
                hint="Set on_invalid to rebuild, which builds what is missing",
                fields={"diag": {**seen.diag, "size_bytes": catalog.size(work.monitor, seen.oid)}},
            )
        return "rebuild"
    if not made.drift or wanted.on_drift == "ignore":
        return "none"
    if made.drift == ["storage"]:
        return "alter_set"
    if wanted.on_drift == "replace":
        present.check_free(made, seen, "replaced")
        return "replace"
    raise present.other_one(made, seen, "is there")


def _other_storage(work: Work, made: Plan) -> list[Index]:
    if made.seen is None:
        raise AssertionError("only an index that is there is replaced")
    leaves = [one for one in parts.attached(work, made.seen.oid) if one.kind == "i"]
    return [one for one in leaves if "storage" in differences(one, made.wish, made.wanted)]


def foresee(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Check mode: what would be done, who is in the way now, how big it would be."""
    result["partitions"] = partitions.leaves(work.monitor, made.table)
    would = {"create": ["create"], "rebuild": ["finish_partitions"], "none": []}.get(made.action, [made.action])
    would += ["sweep"] if made.sweep else []
    result.update(changed=made.changes, would=would, drift=made.drift, queries=statements(work, made))
    result["warnings"] = made.warnings
    if made.action in ("create", "rebuild", "replace"):
        tables = partitions.tree(work.monitor, made.table)
        found = blockers.lasting(work.monitor, tables, [], work.call.clock, drop=False)
        result["blockers"] = blockers.shown(found)


def statements(work: Work, made: Plan) -> list[str]:
    """What a run would say to the server, in order; partitions that have a fitting index already included."""
    steps = [drop_sql(one) for one in made.sweep if one.kind == "I"]
    if made.action == "alter_set":
        steps += _alter(made)
    if made.action in ("create", "rebuild", "replace"):
        wanted = parts.named(made.wanted, made.table, with_suffix(made.wanted.name, FRESH))
        wanted = wanted if made.action == "replace" else made.wanted
        if made.action != "rebuild":
            steps.append(wanted.create(qualified(wanted.name), made.table.sql, how="", only="ONLY"))
        for leaf in [one for one in parts.below(work, made.table) if one.kind == "r"]:
            steps.append(wanted.create(quote(parts.name_of(leaf, wanted)), leaf.sql))
    return [*steps, *(drop_sql(one) for one in made.sweep if one.kind != "I")]


def _alter(made: Plan) -> list[str]:
    return [f"ALTER INDEX {one.sql} SET ({storage(made.wanted.storage)})" for one in made.parts]


def act(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Make it so, under the lock of the parent."""
    result["partitions"] = partitions.leaves(work.monitor, made.table)
    result.update(partitions_built=0, drift=made.drift, warnings=made.warnings)
    if made.changes:
        work.lock(made.table, made.text)
        try:
            made = plan(work, made.wanted, made.table)
            _do(work, made, result)
        finally:
            work.unlock()
    seen, _indexes = present.find(work, made.wanted, made.table)
    if seen is None or not seen.valid:
        raise IndexFault(
            f"Index {made.text} is still INVALID although every partition has its part",
            reason="not_valid",
            hint="Run the same command again",
        )
    result.update(build.describe(work, seen))


def _do(work: Work, made: Plan, result: dict[str, Any]) -> None:
    tables = partitions.tree(work.monitor, made.table)
    trees = [one for one in made.sweep if one.kind == "I"]
    sweep(work, made.table, made.wanted.name, trees, result)
    if made.action == "alter_set":
        work.quick(_alter(made), f"Changing storage parameters of {made.text}", tables, result)
        result.update(changed=True, action="alter_set_no_rebuild")
    if made.action in ("create", "rebuild", "replace"):
        if "estimate_bytes" not in result:
            # It was not to be built when the call began. All partitions at once, before any of them is touched.
            room.check(work, [(made, result)])
        parts.adopt(work, made, result)
        work.wait_for_blockers(tables, made.text, f"Building index {made.text}", result)
    if made.action == "create":
        added.index(work.params["evidence"], made.table.schema, made.wanted.name)
    if made.action == "replace":
        _replace(work, made, tables, result)
    elif made.action in ("create", "rebuild"):
        if made.action == "rebuild":
            result["repaired"] = "invalid_rebuilt"
        _whole(work, made, result)
    # Last, for only a drop has to wait for readers; what this run put aside itself included.
    left = {one.oid: one for one in [*made.sweep, *parts.left(work, made)] if one.kind != "I"}
    sweep(work, made.table, made.wanted.name, left.values(), result)


def _whole(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Parent, children, ATTACH; after a failure that stays one the parent's own entry goes again."""
    try:
        parts.level(work, made, result)
    except ServerFault as fault:
        parent, _indexes = present.find(work, made.wanted, made.table)
        if made.action == "create" and parent is not None and not (fault.passing or parent.valid):
            try:
                work.quick([f"DROP INDEX {parent.sql}"], f"Dropping index {parent.text}", [made.table.oid], result)
            except IndexFault as other:
                work.call.warn(f"{parent.text} stays, INVALID and empty, until the next run: {other.msg}")
        raise


def _replace(work: Work, made: Plan, tables: list[int], result: dict[str, Any]) -> None:
    """The new one is built beside; then all names change in one transaction, and the old one goes."""
    fresh = parts.named(made.wanted, made.table, with_suffix(made.wanted.name, FRESH))
    _whole(work, plan(work, fresh, made.table), result)
    if made.seen is None:
        raise AssertionError("only an index that is there is replaced")
    new, _indexes = present.find(work, fresh, made.table)
    if new is None:
        raise AssertionError("the new index was built a moment ago")
    renames = parts.renames(work, made, new)
    work.quick(renames, f"Putting the new index {made.text} in the place of the old one", tables, result)
    result.update(changed=True, replaced=True, action="replace")
    if (left := catalog.by_oid(work.monitor, made.seen.oid)) is not None:
        sweep(work, made.table, made.wanted.name, [left], result)
