# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The index that is wanted, and its SQL. Names are always quoted; expressions stand in parentheses of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault

# Bytes of a name in PostgreSQL; it silently cuts what is longer.
NAME_BYTES = 63


def quote(name: str) -> str:
    """An identifier for a statement."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant for a statement, right whatever standard_conforming_strings says."""
    escaped = text.replace("'", "''").replace("\\", "\\\\")
    return f" E'{escaped}'" if "\\" in text else f"'{escaped}'"


def qualified(*parts: str) -> str:
    """A name with its schema."""
    return ".".join(quote(part) for part in parts if part)


@dataclass(frozen=True)
class Key:
    """One key of an index: a column or an expression, and how it is ordered."""

    column: str = ""
    expr: str = ""
    order: str = ""
    nulls: str = ""
    opclass: str = ""
    collation: str = ""

    @property
    def bare(self) -> str:
        """Column or expression alone, as in a SELECT."""
        return quote(self.column) if self.column else f"({self.expr})"

    @property
    def sql(self) -> str:
        """As in CREATE INDEX."""
        parts = [self.bare]
        if self.collation:
            parts.append(f"COLLATE {qualified(*self.collation.split('.'))}")
        if self.opclass:
            parts.append(qualified(*self.opclass.split(".")))
        if self.order:
            parts.append(self.order.upper())
        if self.nulls:
            parts.append(f"NULLS {self.nulls.upper()}")
        return " ".join(parts)


@dataclass(frozen=True)
class Question:
    """A query that shall use the index, the milliseconds it may take (None: any), and whether to run it."""

    query: str
    max_ms: float | None
    analyze: bool


@dataclass(frozen=True)
class Wanted:
    """One entry of the options, checked as far as that is possible without a server."""

    name: str
    state: str = "present"
    schema: str = ""
    table: str = ""
    keys: tuple[Key, ...] = ()
    include: tuple[str, ...] = ()
    unique: bool = False
    nulls_not_distinct: bool = False
    method: str = "btree"
    where: str = ""
    storage: Mapping[str, str] = field(default_factory=dict)
    tablespace: str = ""
    on_invalid: str = "rebuild"
    on_drift: str = "fail"
    sweep: bool = False
    question: Question | None = None

    def create(self, name: str, table: str, how: str = "CONCURRENTLY", only: str = "") -> str:
        """The statement that makes it under a name on a table, both as they stand in SQL."""
        parts = ["CREATE UNIQUE INDEX" if self.unique else "CREATE INDEX", how, name, "ON", only, table]
        parts.append(f"USING {quote(self.method)} ({', '.join(key.sql for key in self.keys)})")
        if self.include:
            parts.append(f"INCLUDE ({', '.join(map(quote, self.include))})")
        if self.nulls_not_distinct:
            parts.append("NULLS NOT DISTINCT")
        if self.storage:
            parts.append(f"WITH ({storage(self.storage)})")
        if self.tablespace and name:
            parts.append(f"TABLESPACE {quote(self.tablespace)}")
        if self.where:
            # A predicate may end in a comment.
            end = "\n" if "--" in self.where else ""
            parts.append(f"WHERE ({self.where}{end})")
        return " ".join(part for part in parts if part)

    @property
    def text(self) -> str:
        """For messages."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


def storage(params: Mapping[str, str]) -> str:
    """Storage parameters as in WITH and SET."""
    return ", ".join(f"{quote(name)} = {literal(value)}" for name, value in sorted(params.items()))


def wanted(options: Mapping[str, Any]) -> Wanted:
    """Options of the module to what is wanted; raises IndexFault for what can never be right."""
    name: str = options["name"]
    for text in (name, options["table"] or "", options["schema"] or "", options["where"] or ""):
        if "\0" in text:
            raise IndexFault(
                "A name or a predicate holds a NUL byte, which PostgreSQL has no place for", reason="input"
            )
    if not name:
        raise IndexFault("The name of the index is empty", reason="input", hint="Give it a name")
    if len(name.encode()) > NAME_BYTES:
        raise IndexFault(
            f"The name of index {name} has {len(name.encode())} bytes; PostgreSQL cuts it to {NAME_BYTES}",
            reason="name_too_long",
            sqlstate="42622",
            hint="Give it a shorter name",
        )
    keys = tuple(_key(entry, name) for entry in options["columns"] or ())
    if options["state"] == "present" and not (options["table"] and keys):
        raise IndexFault(
            f"Index {name} has no table or no columns", reason="input", hint="Give table and columns for state=present"
        )
    return Wanted(
        name=name,
        state=options["state"],
        schema=options["schema"] or "",
        table=options["table"] or "",
        keys=keys,
        include=tuple(options["include"] or ()),
        unique=options["unique"],
        nulls_not_distinct=options["nulls_not_distinct"],
        method=options["method"].lower(),
        where=options["where"] or "",
        storage={str(key).lower(): _storage_value(value) for key, value in (options["storage_params"] or {}).items()},
        tablespace=options["tablespace"] or "",
        on_invalid=options["on_invalid"],
        on_drift=options["on_drift"],
        sweep=options["sweep_leftovers"],
        question=_question(options["explain"]),
    )


def _question(asked: Mapping[str, Any] | None) -> Question | None:
    """A limit of time means to run the query."""
    if asked is None:
        return None
    analyze = asked["max_ms"] is not None if asked["analyze"] is None else asked["analyze"]
    return Question(asked["query"], asked["max_ms"], analyze)


def _storage_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(entry: Any, name: str) -> Key:
    if isinstance(entry, str) and entry and "\0" not in entry:
        return Key(column=entry)
    fields = ("column", "expr", "order", "nulls", "opclass", "collation")
    if isinstance(entry, Mapping) and set(entry) <= set(fields):
        key = Key(**{item: str(entry.get(item) or "") for item in fields})
        ordered = key.order in ("", "asc", "desc") and key.nulls in ("", "first", "last")
        if bool(key.column) != bool(key.expr) and ordered and "\0" not in "".join(vars(key).values()):
            return key
    raise IndexFault(
        f"Index {name} has a column that cannot be read: {entry!r}",
        reason="input",
        hint="A column is a name, or a dictionary with column or expr, and order (asc, desc), nulls (first, last), "
        "opclass, collation",
    )
