# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Is an index what is wanted? The server itself parses the wanted one, on an empty temporary copy of the table."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.tars.rollout.plugins.module_utils._postgres import catalog
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index, KeySeen
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, quote

PROBE_LOCK = "2s"


def probe(session: Session, wanted: Wanted, table: Table) -> Index:
    """The wanted index as the server would have it; raises the very fault that the real build would end with.

    The copy has the table's name, so that expressions over whole rows print alike. It takes a reader's lock on the
    table and is rolled back.
    """
    copy = f"pg_temp.{quote(table.name)}"
    begin = f"Reading the definition of index {wanted.text} for table {table.text}"
    with session.transaction({"lock_timeout": PROBE_LOCK, "statement_timeout": "10s"}):
        parted = ""
        if table.kind == "p":
            # A unique index must hold the partition key, which only a partitioned copy knows.
            key = session.value("SELECT pg_get_partkeydef(%(oid)s)", {"oid": table.oid})
            parted = f" PARTITION BY {key}"
        like = f"CREATE TEMPORARY TABLE {quote(table.name)} (LIKE {table.sql} INCLUDING GENERATED){parted}"
        session.run(like, begin)
        session.run(wanted.create("", copy, how=""), begin)
        seen = catalog.of_table(session, session.value("SELECT to_regclass(%(copy)s)::oid::bigint", {"copy": copy}))
    if len(seen) != 1 or len(seen[0].keys) != len(wanted.keys):
        raise IndexFault(
            f"A column of index {wanted.text} holds more than one expression",
            reason="input",
            sqlstate="42601",
            hint="Give each expression as an entry of its own",
        )
    return seen[0]


def differences(seen: Index, wish: Index, wanted: Wanted) -> list[str]:
    """The attributes in which an index is not what is wanted, [] when it is.

    Storage parameters that nobody asked for are no difference, nor is the tablespace then.
    """
    checks = {
        "unique": seen.unique != wish.unique,
        "method": seen.method != wish.method,
        "predicate": seen.predicate != wish.predicate,
        "include": sorted(seen.include) != sorted(wish.include),
        "nulls_not_distinct": seen.nulls_not_distinct != wish.nulls_not_distinct,
        "storage": not _covers(seen.storage, wanted.storage),
        "tablespace": bool(wanted.tablespace) and (seen.tablespace or "pg_default") != wanted.tablespace,
    }
    return [*_keys(seen, wish), *(name for name, differs in checks.items() if differs)]


def _keys(seen: Index, wish: Index) -> list[str]:
    texts = [key.text for key in seen.keys], [key.text for key in wish.keys]
    if texts[0] != texts[1]:
        if sorted(texts[0]) == sorted(texts[1]):
            there = {key.text: key for key in seen.keys}
            pairs = [(there[key.text], key) for key in wish.keys] if seen.method == wish.method else []
            return ["column_order", *_attributes(pairs)]
        both = set(seen.keys) ^ set(wish.keys)
        odd = {key.text for key in both if key.text in set(texts[0]) ^ set(texts[1])}
        columns = all(key.is_column for key in both if key.text in odd)
        return ["column" if columns else "expression"]
    if seen.method != wish.method:
        # Operator classes and orders of two methods cannot be compared.
        return []
    return _attributes(list(zip(seen.keys, wish.keys, strict=True)))


def _attributes(pairs: list[tuple[KeySeen, KeySeen]]) -> list[str]:
    checks = {
        "sort_order": any(a.descending != b.descending for a, b in pairs),
        "nulls_order": any(a.odd_nulls != b.odd_nulls for a, b in pairs),
        "opclass": any(a.opclass != b.opclass for a, b in pairs),
        "collation": any(a.collation != b.collation for a, b in pairs),
    }
    return [name for name, differs in checks.items() if differs]


def _covers(seen: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    return all(name in seen and _plain(seen[name]) == _plain(value) for name, value in asked.items())


def _plain(value: str) -> str:
    return {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}.get(
        value.lower(), value.lower()
    )
