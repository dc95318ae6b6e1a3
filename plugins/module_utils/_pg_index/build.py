# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Doing what the plan of one index of a plain table says."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._pg_index import room
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.present import Plan, find, plan, swap
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.sweep import remove, sweep
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import added, blockers, catalog, leftovers
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.leftovers import FRESH, with_suffix
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import qualified, storage
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline


def foresee(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Check mode: what would be done, who is in the way now, how big it would be."""
    result.update(would=made.would, changed=made.changes, drift=made.drift, warnings=made.warnings)
    result["queries"] = made.statements
    if made.action in ("create", "rebuild", "replace"):
        own = [work.monitor.pid]
        now = blockers.lasting(work.monitor, [made.table.oid], own, work.call.clock, drop=False)
        result["blockers"] = blockers.shown(now)


def act(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Make it so, under the lock of the table; fills the result."""
    result.update(drift=made.drift, warnings=made.warnings)
    if made.action == "none" and not made.sweep and made.seen is not None:
        result.update(describe(work, made.seen))
        return
    if made.changes or made.action == "adopt":
        work.lock(made.table, made.text)
        try:
            # Whoever had the lock before may have done it all.
            made = _do(work, _again(work, made, result), result)
            if result["leftover"] == "renamed_aside":
                _seen, indexes = find(work, made.wanted, made.table)
                made.sweep += [one for one in indexes if leftovers.is_of(one, made.wanted.name, (leftovers.ASIDE,))]
            sweep(work, made.table, made.wanted.name, made.sweep, result)
        finally:
            work.unlock()
    seen, _others = find(work, made.wanted, made.table)
    if seen is None or not seen.valid:
        raise IndexFault(f"Index {made.text} is not valid after all", reason="not_valid", hint="Run the command again")
    result.update(describe(work, seen))


def describe(work: Work, seen: Index) -> dict[str, Any]:
    """What the result says of an index that is there."""
    states = {"valid": seen.valid, "ready": seen.ready, "oid": seen.oid, "check_xmin": seen.check_xmin}
    size = catalog.size(work.monitor, seen.oid)
    return {**states, "definition": seen.definition, "size_bytes": size, "table": seen.table}


def _again(work: Work, made: Plan, result: dict[str, Any]) -> Plan:
    """The plan as it is by now, once nobody builds the index any more."""
    made = _adopt(work, plan(work, made.wanted, made.table), result)
    result.update(drift=made.drift, warnings=made.warnings)
    return made


def _adopt(work: Work, made: Plan, result: dict[str, Any]) -> Plan:
    deadline = Deadline(work.call.clock, work.params["timeout"])
    while made.action == "adopt" and made.seen is not None:
        result["adopted"] = True
        wait_for_builder(work, made.seen, deadline)
        made = plan(work, made.wanted, made.table)
    return made


def wait_for_builder(work: Work, index: Index, deadline: Deadline) -> None:
    """Until nobody builds it any more."""
    work.tell(index.text, f"is being built by pid {leftovers.builder(work.monitor, index)}", "WAITING")
    while leftovers.builder(work.monitor, index):
        if deadline.over:
            raise IndexFault(
                f"Somebody else's build of index {index.text} had not ended after {deadline.budget:g} s",
                reason="timeout",
                hint="See who builds it, or raise timeout; nothing was changed",
            )
        work.call.clock.sleep(0.2, f"waiting for somebody else's build of index {index.text}")


def _do(work: Work, made: Plan, result: dict[str, Any]) -> Plan:
    """Do it; gives the plan that was done."""
    if made.builds:
        guard(work, made, result)
        # A minute may have passed, and somebody may have built or healed it meanwhile.
        now = _again(work, made, result)
        if now.action != made.action:
            return _do(work, now, result)
        made = now
    seen = made.seen
    if made.action == "alter_set" and seen is not None:
        statement = f"ALTER INDEX {seen.sql} SET ({storage(made.wanted.storage)})"
        work.quick([statement], f"Changing storage parameters of index {made.text}", [made.table.oid], result)
        result.update(changed=True, action="alter_set_no_rebuild")
    elif made.action in ("create", "rebuild"):
        if made.action == "create":
            added.index(work.params["evidence"], made.table.schema, made.wanted.name)
        if seen is not None:
            result["leftover"] = remove(work, work.worker, seen, made.wanted.name, result)
            result.update(changed=True, repaired="invalid_rebuilt")
        create(work, made, made.wanted.name, result)
    elif made.action == "replace":
        _replace(work, made, result)
    return made


def guard(work: Work, made: Plan, result: dict[str, Any], *, space: bool = True) -> None:
    """All that may refuse a build before anything is touched."""
    if space and "estimate_bytes" not in result:
        # It was not to be built when the call began.
        room.check(work, [(made, result)])
    work.wait_for_blockers([made.table.oid], made.text, f"Building index {made.text}", result)
    work.call.stop.check(f"about to build index {made.text}")


def create(work: Work, made: Plan, name: str, result: dict[str, Any], base: str = "") -> None:
    """Build it under a name. ``base``: by which name a later run finds leftovers, when that is another than wanted."""
    statement = made.building.create(qualified(name), made.table.sql)

    def on_fault(fault: ServerFault) -> None:
        if fault.sqlstate == "23505":
            from ansible_collections.tars.rollout.plugins.module_utils._postgres import duplicates

            fault.hint = "Remove the duplicates; some of them stand in duplicates.sample"
            result["duplicates"] = duplicates.sample(work.monitor, made.wanted, made.table)

    work.build(statement, made.table.schema, name, made.table, result, on_fault, base or made.wanted.name)
    result["changed"] = True
    if made.analyze:
        _analyze(work, made, result)


def _analyze(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Statistics of an expression come with ANALYZE only, which would kill a build that runs on the table."""
    query = "SELECT 1 FROM pg_stat_progress_create_index WHERE relid = %(oid)s"
    if work.monitor.value(query, {"oid": made.table.oid}):
        result["warnings"] = [*result["warnings"], f"not analyzed: another build runs on {made.table.text}"]
        return
    work.worker.run(made.analyze, f"Analyzing table {made.table.text}")
    result["analyzed"] = True
    result["queries"].append(made.analyze)


def _replace(work: Work, made: Plan, result: dict[str, Any]) -> None:
    """Build beside, swap the names in one transaction, then let the old one go: a valid index is always there."""
    fresh = with_suffix(made.wanted.name, FRESH)
    if made.fresh is not None and not made.fresh_fits:
        remove(work, work.worker, made.fresh, made.wanted.name, result)
    if not made.fresh_fits:
        create(work, made, fresh, result)
    what = f"Putting the new index {made.text} in the place of the old one"
    work.quick(swap(made.table.schema, made.wanted.name, fresh, made.old), what, [made.table.oid], result)
    result.update(changed=True, replaced=True, action="replace")
    _now, indexes = find(work, made.wanted, made.table)
    made.sweep = [*(one for one in indexes if one.name == made.old), *made.sweep]
