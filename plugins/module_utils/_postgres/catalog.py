# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Indexes as the catalog has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import qualified

_DESC, _NULLS_FIRST = 1, 2


@dataclass(frozen=True)
class KeySeen:
    """One key as the server prints it."""

    text: str
    is_column: bool
    opclass: str
    collation: str
    options: int

    @property
    def descending(self) -> bool:
        return bool(self.options & _DESC)

    @property
    def odd_nulls(self) -> bool:
        """Whether NULLs stand where they do not stand by default: last for ascending, first for descending."""
        return bool(self.options & _NULLS_FIRST) != self.descending


@dataclass(frozen=True)
class Index:
    """One index. ``constraint`` and ``parent`` are the names of what needs it, or empty.

    ``check_xmin``: transactions that began before its build ended may not use it yet.
    """

    oid: int
    schema: str
    name: str
    table: str
    table_oid: int
    kind: str
    valid: bool
    ready: bool
    live: bool
    check_xmin: bool
    unique: bool
    nulls_not_distinct: bool
    identity: bool
    method: str
    predicate: str
    tablespace: str
    definition: str
    constraint: str
    parent: str
    storage: Mapping[str, str]
    keys: tuple[KeySeen, ...]
    include: tuple[str, ...]

    @property
    def sql(self) -> str:
        return qualified(self.schema, self.name)

    @property
    def text(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def diag(self) -> dict[str, Any]:
        """What a person needs to know of an INVALID one."""
        state = {"indisvalid": self.valid, "indisready": self.ready, "indislive": self.live}
        return {**state, "oid": self.oid, "definition": self.definition}


# All with their schema: the copy of a definition's reading has the name of the user's table, and comes first.
_INDEXES = """
SELECT i.indexrelid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
  tn.nspname || '.' || t.relname AS "table", i.indrelid::bigint AS table_oid, c.relkind::text AS kind,
  i.indisvalid AS valid, i.indisready AS ready, i.indislive AS live, i.indcheckxmin AS check_xmin,
  i.indisunique AS "unique",
  coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_not_distinct, i.indisreplident AS identity,
  am.amname::text AS method, coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
  coalesce(ts.spcname::text, '') AS tablespace, pg_get_indexdef(i.indexrelid) AS definition,
  coalesce((SELECT con.conname::text FROM pg_catalog.pg_constraint con WHERE con.conindid = i.indexrelid
            AND con.contype IN ('p', 'u', 'x', 'f') ORDER BY con.contype = 'f' LIMIT 1), '') AS "constraint",
  coalesce((SELECT h.inhparent::regclass::text FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid), '')
    AS parent,
  coalesce(c.reloptions, '{}') AS storage, i.indnkeyatts::int AS key_count,
  ARRAY(SELECT jsonb_build_object('text', pg_get_indexdef(i.indexrelid, k, false), 'is_column', i.indkey[k - 1] <> 0,
      'opclass', coalesce(opn.nspname || '.' || op.opcname, '')
        || coalesce('(' || array_to_string(att.attoptions, ', ') || ')', ''),
      'collation', coalesce(con.nspname || '.' || co.collname, ''), 'options', coalesce(i.indoption[k - 1], 0))
    FROM generate_series(1, i.indnatts::int) k
    LEFT JOIN pg_catalog.pg_attribute att ON att.attrelid = i.indexrelid AND att.attnum = k
    LEFT JOIN pg_catalog.pg_opclass op ON k <= i.indnkeyatts AND op.oid = i.indclass[k - 1]
    LEFT JOIN pg_catalog.pg_namespace opn ON opn.oid = op.opcnamespace
    LEFT JOIN pg_catalog.pg_collation co ON k <= i.indnkeyatts AND co.oid = i.indcollation[k - 1]
    LEFT JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace ORDER BY k) AS keys
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_catalog.pg_am am ON am.oid = c.relam LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
"""


def of_table(session: Session, oid: int) -> list[Index]:
    """All indexes of a table."""
    return [
        _index(row) for row in session.rows(f"{_INDEXES} WHERE i.indrelid = %(oid)s ORDER BY c.relname", {"oid": oid})
    ]


def notable(session: Session, oid: int, name: str, suffix: str) -> list[Index]:
    """Of a table's indexes the one of that name, those that are INVALID, and those whose name holds the suffix."""
    chosen = "c.relname = %(name)s OR NOT i.indisvalid OR position(%(suffix)s IN c.relname::text) > 0"
    query = f"{_INDEXES} WHERE i.indrelid = %(oid)s AND ({chosen}) ORDER BY c.relname"
    return [_index(row) for row in session.rows(query, {"oid": oid, "name": name, "suffix": suffix})]


def invalid_below(session: Session, oid: int) -> list[Index]:
    """The INVALID indexes of all partitions that hold rows, as far as no index of the partitioned table has them."""
    below = "i.indrelid IN (SELECT relid FROM pg_partition_tree(%(oid)s) WHERE isleaf)"
    loose = "NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)"
    query = f"{_INDEXES} WHERE NOT i.indisvalid AND {below} AND {loose} ORDER BY c.relname"
    return [_index(row) for row in session.rows(query, {"oid": oid})]


def by_oid(session: Session, oid: int) -> Index | None:
    """One index; None when it is gone."""
    row = session.row(f"{_INDEXES} WHERE i.indexrelid = %(oid)s", {"oid": oid})
    return _index(row) if row else None


def size(session: Session, oid: int) -> int | None:
    """Bytes of an index; None when it is gone, or somebody holds it so that it cannot even be measured."""
    try:
        with session.transaction({"lock_timeout": "1s"}):
            found: int | None = session.value("SELECT pg_relation_size(%(oid)s::oid)", {"oid": oid})
            return found
    except ServerFault as fault:
        if fault.sqlstate != "55P03":
            raise
        return None


def attached(session: Session, parent: int) -> list[Index]:
    """The indexes of partitions that are attached to the index of a partitioned table."""
    query = f"{_INDEXES} WHERE i.indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %(oid)s)"
    return [_index(row) for row in session.rows(query, {"oid": parent})]


def named(session: Session, schema: str, name: str) -> dict[str, Any] | None:
    """What has a name in a schema: ``oid`` and ``kind`` of the object, None when the name is free.

    Without a schema the name is looked for through search_path.
    """
    where = (
        "n.nspname = %(schema)s AND c.relname = %(name)s" if schema else "c.oid = to_regclass(quote_ident(%(name)s))"
    )
    return session.row(
        f"""SELECT c.oid::bigint AS oid, c.relkind::text AS kind, n.nspname::text AS schema
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {where}""",
        {"schema": schema, "name": name},
    )


def _index(row: Mapping[str, Any]) -> Index:
    fields = dict(row)
    count = fields.pop("key_count")
    keys = [KeySeen(**key) for key in fields.pop("keys")]
    storage = dict(item.split("=", 1) for item in fields.pop("storage"))
    return Index(**fields, storage=storage, keys=tuple(keys[:count]), include=tuple(key.text for key in keys[count:]))
