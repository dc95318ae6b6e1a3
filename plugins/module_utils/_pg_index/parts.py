# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The index of one level of a partitioned table: the parent's entry, a valid index on every child, all attached."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted
from ansible_collections.tars.rollout.plugins.module_utils._pg_index import build, present
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.present import Plan
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.sweep import remove
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import catalog, leftovers, partitions
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.definition import differences, probe
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.leftovers import (
    ASIDE,
    FRESH,
    OLD,
    REINDEX,
    with_suffix,
)
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import (
    NAME_BYTES,
    Wanted,
    qualified,
    quote,
)
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline


def below(work: Work, table: Table) -> list[Table]:
    """All partitions at any depth."""
    found: list[Table] = []
    for child in partitions.children(work.monitor, table):
        found += [child, *(below(work, child) if child.kind == "p" else [])]
    return found


def attached(work: Work, parent: int) -> list[Index]:
    """All indexes below a partitioned one, at any depth."""
    found: list[Index] = []
    for one in catalog.attached(work.monitor, parent):
        found += [one, *(attached(work, one.oid) if one.kind == "I" else [])]
    return found


def named(wanted: Wanted, table: Table, name: str) -> Wanted:
    """The same wish for another table under another name."""
    return Wanted(**{**vars(wanted), "name": name, "schema": table.schema, "table": table.name})


def name_of(child: Table, wanted: Wanted) -> str:
    """The name of a partition's index: the same in every run, and short enough."""
    name = f"{child.name}_{wanted.name}"
    if len(name.encode()) <= NAME_BYTES:
        return name
    return with_suffix(name, f"_{hashlib.sha256(name.encode()).hexdigest()[:8]}")


def level(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """This level: the parent's own entry, every child, then attached and valid."""
    tables = partitions.tree(work.monitor, made.table)
    if made.seen is None:
        statement = made.wanted.create(qualified(made.wanted.name), made.table.sql, how="", only="ONLY")
        work.quick([statement], f"Creating index {made.text} on the partitioned table alone", tables, result)
        result["changed"] = True
    parent, _indexes = present.find(work, made.wanted, made.table)
    if parent is None or parent.valid:
        return
    mine = {one.table_oid: one for one in catalog.attached(work.monitor, parent.oid)}
    whole = []
    for child in partitions.children(work.monitor, made.table):
        work.call.stop.check(f"about to build index {made.text} on partition {child.text}")
        whole.append(_child(work, made, child, mine.get(child.oid), result))
    # Also for those that are attached already: only an ATTACH makes PostgreSQL look whether the parent became whole.
    for part in whole:
        statement = f"ALTER INDEX {parent.sql} ATTACH PARTITION {part.sql}"
        work.quick([statement], f"Attaching index {part.text} to {parent.text}", [part.table_oid], result)
        result["changed"] = True


def _child(work: Work, made: Plan, child: Table, mine: Index | None, result: dict[str, Any]) -> Index:
    """The valid index of one partition: the attached one, one that fits and is free, or a new one."""
    if mine is not None and mine.valid:
        return mine
    if mine is not None and child.kind != "p":
        return _again(work, made, child, mine, result)
    every = catalog.of_table(work.monitor, child.oid)
    free = [one for one in every if not one.parent and not one.constraint]
    like = probe(work.monitor, made.wanted, child) if free else made.wish
    fits = [one for one in free if not differences(one, like, made.wanted)]
    if child.kind != "p" and (valid := [one for one in fits if one.valid]):
        return valid[0]
    name = mine.name if mine is not None else _free_name(work, child, made.wanted, every)
    wish = named(made.wanted, child, name)
    if child.kind == "p":
        there, _indexes = present.find(work, wish, child)
        level(work, Plan(wish, child, made.wish, there, "create"), result)
    else:
        for index in free:
            if index.name == name and not index.valid and not leftovers.builder(work.monitor, index):
                remove(work, work.worker, index, name_of(child, made.wanted), result)
        part = Plan(wish, child, made.wish, None, "create")
        build.guard(work, part, result, space=False)
        build.create(work, part, name, result, name_of(child, made.wanted))
        result["partitions_built"] += 1
    return _named(work, child.schema, name)


def adopt(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Wait for those who build an index as wanted on a partition right now: it is attached when it is valid."""
    deadline = Deadline(work.call.clock, work.params["timeout"])
    for index in catalog.invalid_below(work.monitor, made.table.oid):
        if leftovers.builder(work.monitor, index) and not differences(index, made.wish, made.wanted):
            result["adopted"] = True
            build.wait_for_builder(work, index, deadline)


def left(work: Work, made: Plan) -> list[Index]:
    """What earlier runs left at the partitions: put aside, or of a rebuild that was killed."""
    loose = catalog.invalid_below(work.monitor, made.table.oid)
    if not loose:
        return []
    leaves = {one.oid: one for one in below(work, made.table)}
    mine = {one.table_oid: one for one in (attached(work, made.seen.oid) if made.seen else [])}
    wishes = [made.wanted, named(made.wanted, made.table, with_suffix(made.wanted.name, FRESH))]
    found = []
    for one in loose:
        bases, rebuilt = [name_of(leaves[one.table_oid], wish) for wish in wishes], mine.get(one.table_oid)
        bases += [rebuilt.name] if rebuilt is not None else []
        ours = any(leftovers.is_of(one, base, (ASIDE,)) for base in bases)
        if rebuilt is not None and (made.wanted.sweep or not rebuilt.valid):
            ours = ours or leftovers.is_of(one, rebuilt.name, REINDEX)
        if ours and not one.constraint and not leftovers.builder(work.monitor, one):
            found.append(one)
    return found


def _free_name(work: Work, child: Table, wanted: Wanted, every: list[Index]) -> str:
    """The usual name, with a number where another object has it."""
    name, number = name_of(child, wanted), 1
    left = {one.name for one in every if not one.valid and not one.parent and not one.constraint}
    if child.kind == "p":
        left |= {one.name for one in every if not one.parent and not one.constraint}
    while name not in left and catalog.named(work.monitor, child.schema, name):
        name, number = with_suffix(name_of(child, wanted), "_", number), number + 1
    return name


def _again(work: Work, made: Plan, child: Table, mine: Index, result: dict[str, Any]) -> Index:
    """Rebuild an INVALID index that is attached, and so cannot be dropped alone; a failure leaves nothing new."""
    what = f"Rebuilding index {mine.text}"
    work.wait_for_blockers([child.oid], made.text, what, result)
    before = {one.oid for one in catalog.of_table(work.monitor, child.oid)}
    ended = work.long(f"REINDEX INDEX CONCURRENTLY {mine.sql}", what, made.text, [child.oid], result)
    if ended.fault is not None or ended.why:
        if ended.why != "stop":
            work.recover(child, made.text)
        for one in catalog.of_table(work.monitor, child.oid):
            if one.oid not in before and not one.valid and leftovers.is_of(one, mine.name, REINDEX):
                result["leftover"] = leftovers.remove(work.monitor, one, mine.name, result["queries"])
        if ended.why == "stop":
            raise Interrupted(what[:1].lower() + what[1:], work.call.stop.why)
        raise ended.fault or IndexFault(
            f"{what} had not ended after {work.params['timeout']:g} s and was cancelled",
            reason=ended.why,
            hint="See who held it up, or raise timeout; then run the same command again",
        )
    result.update(changed=True, partitions_built=result["partitions_built"] + 1)
    return _named(work, mine.schema, mine.name)


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


def renames(work: Work, made: Plan, new: Index) -> list[str]:
    """How the names of a whole tree change: the old ones aside, the new ones in their places."""
    if made.seen is None:
        raise AssertionError("only an index that is there is replaced")
    number = 1
    while catalog.named(work.monitor, made.table.schema, with_suffix(made.wanted.name, OLD, number)):
        number += 1
    old = with_suffix(made.wanted.name, OLD, number)
    before = {one.table_oid: one for one in attached(work, made.seen.oid)}
    steps = [f"ALTER INDEX {made.seen.sql} RENAME TO {quote(old)}"]
    steps += [f"ALTER INDEX {one.sql} RENAME TO {quote(with_suffix(one.name, OLD, number))}" for one in before.values()]
    steps.append(f"ALTER INDEX {new.sql} RENAME TO {quote(made.wanted.name)}")
    for one in attached(work, new.oid):
        if (same := before.get(one.table_oid)) is not None:
            steps.append(f"ALTER INDEX {one.sql} RENAME TO {quote(same.name)}")
    return steps
