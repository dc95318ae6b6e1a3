# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One index of a plain table that must be there: what is to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import catalog, facts, leftovers
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index
from ansible_collections.tars.rollout.plugins.module_utils._postgres.definition import differences, probe
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.leftovers import FRESH, OLD, with_suffix
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, qualified, storage


@dataclass
class Plan:
    """What is to do for one index. ``action``: none, create, rebuild, alter_set, replace or adopt.

    ``parts``: of a partitioned index those of its partitions that the action is about.
    """

    wanted: Wanted
    table: Table
    wish: Index
    seen: Index | None
    action: str
    drift: list[str] = field(default_factory=list)
    sweep: list[Index] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    parts: list[Index] = field(default_factory=list)
    # For ``replace``: what stands under the name of the new one, and whether it is it; how the old one is called then.
    fresh: Index | None = None
    fresh_fits: bool = False
    old: str = ""

    @property
    def text(self) -> str:
        return f"{self.table.schema}.{self.wanted.name}"

    @property
    def building(self) -> Wanted:
        """What CREATE INDEX is told: also what nobody named of one that is there, as far as the method has it."""
        seen, wanted = self.seen, self.wanted
        if seen is None or seen.method != self.wish.method:
            return wanted
        kept = {**seen.storage, **wanted.storage}
        return replace(wanted, storage=kept, tablespace=wanted.tablespace or seen.tablespace)

    @property
    def would(self) -> list[str]:
        """The actions in order."""
        steps = {"rebuild": ["drop_invalid", "create"], "none": []}.get(self.action, [self.action])
        return [*steps, *(["sweep"] if self.sweep else [])]

    @property
    def statements(self) -> list[str]:
        """What a run would say to the server, in order."""
        name, table, seen, drop = self.wanted.name, self.table, self.seen, leftovers.drop_sql
        build = [self.building.create(qualified(name), table.sql), *([self.analyze] if self.analyze else [])]
        steps = build if self.action == "create" else []
        if seen is not None and self.action == "rebuild":
            steps = [drop(seen.sql), *build]
        if seen is not None and self.action == "alter_set":
            steps = [f"ALTER INDEX {seen.sql} SET ({storage(self.wanted.storage)})"]
        if seen is not None and self.action == "replace":
            fresh = with_suffix(name, FRESH)
            steps = [] if self.fresh is None or self.fresh_fits else [drop(self.fresh.sql)]
            steps += [] if self.fresh_fits else [self.building.create(qualified(fresh), table.sql), *build[1:]]
            steps += [*swap(table.schema, name, fresh, self.old), drop(qualified(table.schema, self.old))]
        return [*steps, *(drop(one.sql) for one in self.sweep)]

    @property
    def analyze(self) -> str:
        """Statistics of an expression come with ANALYZE only; empty where there is none."""
        return "" if all(key.is_column for key in self.wish.keys) else f"ANALYZE {self.table.sql}"

    @property
    def builds(self) -> bool:
        return self.action in ("create", "rebuild", "replace")

    @property
    def changes(self) -> bool:
        return self.action not in ("none", "adopt") or bool(self.sweep)


def swap(schema: str, name: str, fresh: str, old: str) -> list[str]:
    """The old index gives its name to the fresh one."""
    return [
        f"ALTER INDEX {qualified(schema, name)} RENAME TO {qualified(old)}",
        f"ALTER INDEX {qualified(schema, fresh)} RENAME TO {qualified(name)}",
    ]


def fresh_result(wanted: Wanted) -> dict[str, Any]:
    """The fields of an entry that are always there."""
    names = ("drift", "swept", "blockers", "queue_behind", "would", "warnings", "queries")
    lists: dict[str, Any] = {key: [] for key in names}
    numbers: dict[str, Any] = {"attempts": 0, "waited_s": 0.0, "build_s": 0.0, "wal_bytes": 0}
    texts: dict[str, Any] = {"repaired": "", "leftover": "none", "action": "", "phase_at_cancel": ""}
    return {
        "changed": False,
        "state": wanted.state,
        "name": wanted.name,
        **lists,
        **numbers,
        **texts,
        "adopted": False,
        "replaced": False,
        "analyzed": False,
        "phases": {},
    }


def plan(work: Work, wanted: Wanted, table: Table) -> Plan:
    """Read and decide; raises IndexFault for everything that a real run would refuse or fail with."""
    session = work.monitor
    facts.check_rights(session, table, tablespace=wanted.tablespace)
    wish = probe(session, wanted, table)
    seen, indexes = find(work, wanted, table)
    sweep = [
        one
        for one in leftovers.to_sweep(session, indexes, wanted.name, reindex=wanted.sweep)
        if not leftovers.is_of(one, wanted.name, leftovers.REINDEX)
        or not set(differences(one, wish, wanted)) - {"storage", "tablespace"}
    ]
    made = Plan(wanted, table, wish, seen, "none", sweep=sweep)
    if seen is None:
        made.action = "create"
        made.warnings = duplicates_of(work, made)
    elif not seen.valid:
        made.drift = differences(seen, wish, wanted)
        made.action = _of_invalid(work, made, seen)
    else:
        made.drift = differences(seen, wish, wanted)
        made.action = _of_valid(made, seen)
    if made.builds and seen is not None and seen.tablespace and not wanted.tablespace:
        # It stays where it was, so the login must be allowed to build there.
        facts.check_rights(session, table, tablespace=seen.tablespace)
    if made.action == "replace":
        _prepare(work, made)
    return made


def duplicates_of(work: Work, made: Plan) -> list[str]:
    """A warning for each valid index of the table that is the wanted one under another name."""
    every = catalog.of_table(work.monitor, made.table.oid)
    kept = [one for one in every if one.valid and one not in made.sweep]
    return [f"duplicate_of {one.text}" for one in kept if not _real_drift(one, made.wish, made.wanted)]


def _prepare(work: Work, made: Plan) -> None:
    """A replacement that was cut short left its new index: one that fits is taken, another one goes first."""
    fresh = with_suffix(made.wanted.name, FRESH)
    seen = next((one for one in catalog.of_table(work.monitor, made.table.oid) if one.name == fresh), None)
    made.fresh = seen
    made.fresh_fits = seen is not None and seen.valid and not differences(seen, made.wish, made.wanted)
    made.sweep = [one for one in made.sweep if one.name != fresh]
    made.old = leftovers.free_name(work.monitor, made.table.schema, made.wanted.name, OLD)


def find(work: Work, wanted: Wanted, table: Table) -> tuple[Index | None, list[Index]]:
    """The index of that name, and what may be leftovers beside it; raises ``name_taken`` when the name is another's."""
    indexes = catalog.notable(work.monitor, table.oid, wanted.name, OLD)
    seen = next((one for one in indexes if one.name == wanted.name), None)
    if seen is not None:
        return seen, indexes
    taken = catalog.named(work.monitor, table.schema, wanted.name)
    if taken is None:
        return None, indexes
    other = catalog.by_oid(work.monitor, taken["oid"])
    owner = other.table if other else ""
    raise IndexFault(
        f"The name {table.schema}.{wanted.name} is taken by "
        + (f"an index of table {owner}" if owner else f"an object of relkind {taken['kind']!r}"),
        reason="name_taken",
        sqlstate="42P07",
        hint="Give the index another name",
        fields={"owner": owner, "relkind": taken["kind"]},
    )


def _real_drift(seen: Index, wish: Index, wanted: Wanted) -> set[str]:
    return set(differences(seen, wish, wanted)) - {"storage", "tablespace"}


def _of_invalid(work: Work, made: Plan, seen: Index) -> str:
    if leftovers.builder(work.monitor, seen):
        if made.wanted.on_drift == "fail" and set(made.drift) - {"storage"}:
            raise other_one(made, seen, "is being built right now")
        return "adopt"
    if made.wanted.on_invalid == "rebuild":
        check_free(made, seen, "rebuilt")
        return "rebuild"
    raise IndexFault(
        f"Index {seen.text} is INVALID: {'it costs every write and ' if seen.ready else ''}no query uses it",
        reason="invalid_index",
        hint="Set on_invalid to rebuild, or drop it",
        fields={"diag": {**seen.diag, "size_bytes": catalog.size(work.monitor, seen.oid)}},
    )


def _of_valid(made: Plan, seen: Index) -> str:
    if not made.drift or made.wanted.on_drift == "ignore":
        return "none"
    if made.drift == ["storage"]:
        return "alter_set"
    if made.wanted.on_drift == "replace":
        check_free(made, seen, "replaced")
        return "replace"
    raise other_one(made, seen, "is there")


def check_free(made: Plan, seen: Index, what: str) -> None:
    """Refuse an index that something else needs: it cannot go, and what it is for would go with its name."""
    if seen.constraint or seen.identity or seen.parent:
        raise IndexFault(
            f"Index {seen.text} cannot be {what}: a constraint, a replica identity or a partitioned index needs it",
            reason="constraint_index",
            sqlstate="2BP01",
            hint="Change its owner instead"
            if seen.valid
            else f"It is INVALID: REINDEX INDEX CONCURRENTLY {seen.sql} heals it in its place",
            fields={"drift": made.drift, "definition": seen.definition, "constraint": seen.constraint},
        )


def other_one(made: Plan, seen: Index, what: str) -> IndexFault:
    """Drift."""
    return IndexFault(
        f"Index {seen.text} {what} and is another one: {', '.join(made.drift)} differ. It is: {seen.definition}",
        reason="drift",
        hint="Correct the options, or set on_drift to replace",
        fields={"drift": made.drift, "definition": seen.definition, "constraint": seen.constraint},
    )
