# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What must be true before anything is planned: the server, the table, the rights."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted, qualified, quote

# 14.0 to 14.3 may miss rows in indexes built concurrently, says the release note of 14.4.
OLDEST = 140004
# The first identifier that is not the system's own.
FIRST_USER_OID = 16384
KINDS = {"v": "a view", "f": "a foreign table", "S": "a sequence", "i": "an index", "I": "an index", "c": "a type"}


@dataclass(frozen=True)
class Table:
    """A table that can have indexes. ``kind``: r table, p partitioned, m materialized view."""

    oid: int
    schema: str
    name: str
    kind: str

    @property
    def sql(self) -> str:
        return qualified(self.schema, self.name)

    @property
    def text(self) -> str:
        return f"{self.schema}.{self.name}"


def check_server(session: Session, *, allow_pooler: bool) -> None:
    """Refuse a server on which no index can be built, or not safely."""
    if not allow_pooler and session.pid != session.value("SELECT pg_backend_pid()"):
        raise IndexFault(
            f"Between here and PostgreSQL at {session.address.text} stands a pooler: the server process is another one "
            "than the handshake named. Settings and locks of this session would go to other clients",
            reason="transaction_pooler",
            hint="Give the address of PostgreSQL itself, or set allow_pooler where the pooler keeps sessions",
        )
    check_version(session.version, session.address.text)
    if session.value("SELECT pg_is_in_recovery()"):
        raise IndexFault(
            f"PostgreSQL at {session.address.text} is a standby, which cannot be written",
            reason="in_recovery",
            sqlstate="25006",
            hint="Give the address of the primary",
        )
    if session.value("SHOW default_transaction_read_only") == "on":
        raise IndexFault(
            f"PostgreSQL at {session.address.text} makes every transaction of this login read-only",
            reason="read_only",
            sqlstate="25006",
            hint="Take default_transaction_read_only off this role or database",
        )


def check_version(number: int, where: str) -> None:
    """Refuse what is older than 14.4. ``number`` as the server says it (140003 is 14.3), ``where`` for the sentence."""
    if number < OLDEST:
        raise IndexFault(
            f"PostgreSQL at {where} is {version_text(number)}, whose concurrent builds are not supported or may miss "
            "rows",
            reason="version",
            hint="Update it to 14.4 or newer",
        )


def version_text(number: int) -> str:
    """150018 as 15.18."""
    return f"{number // 10000}.{number % 10000}"


def table_of(session: Session, schema: str, index: str) -> Table | None:
    """The table of an index by its name, read without a lock on either; None where there is none."""
    where = "n.nspname = %(schema)s AND c.relname = %(index)s" if schema else "c.oid = to_regclass(%(quoted)s)"
    found = session.row(
        f"""SELECT t.oid::bigint AS oid, tn.nspname::text AS schema, t.relname::text AS name, t.relkind::text AS kind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid
          JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE {where}""",
        {"schema": schema, "index": index, "quoted": quote(index)},
    )
    return Table(**found) if found else None


def see_table(session: Session, wanted: Wanted) -> Table | None:
    """The table if there is one that can have indexes, None otherwise."""
    try:
        return find_table(session, wanted)
    except IndexFault:
        return None


def find_table(session: Session, wanted: Wanted) -> Table:
    """The table, through search_path where no schema is given; raises IndexFault for anything without indexes."""
    where = "c.oid = to_regclass(%(quoted)s)"
    if wanted.schema:
        where = "n.nspname = %(schema)s AND c.relname = %(table)s"
    found = session.row(
        f"""SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
          c.relpersistence = 't' AS temporary
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {where}""",
        {"quoted": quote(wanted.table), "schema": wanted.schema, "table": wanted.table},
    )
    if found is None or found["name"] != wanted.table:
        # A longer name would be cut to that of another table.
        return _no_table(session, wanted)
    temporary = found.pop("temporary")
    table = Table(**found)
    if temporary:
        raise IndexFault(
            f"Table {table.text} is a temporary one of another session",
            reason="not_supported",
            sqlstate="0A000",
            hint="Build its index in the session that made it",
        )
    check_own(table)
    if table.kind not in ("r", "p", "m"):
        raise IndexFault(
            f"{table.text} is {KINDS.get(table.kind, 'no table')}, which cannot have indexes",
            reason="wrong_object_type",
            sqlstate="42809",
            hint="Name a table or a materialized view",
        )
    return table


def check_own(table: Table) -> None:
    """Refuse PostgreSQL's own tables."""
    if table.oid < FIRST_USER_OID or table.schema in ("pg_catalog", "information_schema", "pg_toast"):
        raise IndexFault(
            f"Table {table.text} is PostgreSQL's own", reason="system_table", sqlstate="42501", hint="Leave it alone"
        )


def _no_table(session: Session, wanted: Wanted) -> Table:
    known = session.value("SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s", {"schema": wanted.schema})
    if wanted.schema and not known:
        raise IndexFault(
            f"There is no schema {wanted.schema} in database {session.address.database}",
            reason="undefined_schema",
            sqlstate="3F000",
            hint="Correct the name of the schema",
        )
    where = f"schema {wanted.schema}" if wanted.schema else f"search_path ({session.value('SHOW search_path')})"
    raise IndexFault(
        f"There is no table {wanted.table} in {where} of database {session.address.database}",
        reason="undefined_table",
        sqlstate="42P01",
        hint="Correct the name, or give the schema",
    )


def check_rights(
    session: Session, table: Table, *partitions: Table, tablespace: str = "", dropping: bool = False
) -> None:
    """Refuse with a list of all rights that are missing, so that one request for them is enough."""
    tables = (table, *partitions)
    rows = session.rows(
        """SELECT c.oid::bigint AS oid, pg_has_role(c.relowner, 'USAGE') AS owner,
            has_schema_privilege(c.relnamespace, 'CREATE') AS "create",
            has_schema_privilege(c.relnamespace, 'USAGE') AS usage,
            has_database_privilege(current_database(), 'TEMP') AS temp,
            current_database()::text AS database, current_user::text AS login
        FROM pg_class c WHERE c.oid = ANY(%(oids)s)""",
        {"oids": [one.oid for one in tables]},
    )
    held = {row["oid"]: row for row in rows}
    needs: list[tuple[str, bool]] = []
    for one in tables:
        if (found := held.get(one.oid)) is None:
            raise IndexFault(f"Table {one.text} has just been dropped", reason="undefined_table", sqlstate="42P01")
        needs.append((f"ownership of {one.text}", found["owner"]))
        if not dropping:
            needs.append((f"CREATE on schema {one.schema}", found["create"]))
            needs.append((f"TEMP on database {found['database']}", found["temp"]))
        needs.append((f"USAGE on schema {one.schema}", found["usage"]))
    if tablespace and not dropping:
        query = "SELECT has_tablespace_privilege(oid, 'CREATE') FROM pg_tablespace WHERE spcname = %(name)s"
        allowed = session.value(query, {"name": tablespace})
        if allowed is None:
            raise IndexFault(f"There is no tablespace {tablespace}", reason="undefined_object", sqlstate="42704")
        needs.append((f"CREATE on tablespace {tablespace}", allowed))
    if missing := list(dict.fromkeys(text for text, there in needs if not there)):
        raise IndexFault(
            f"Role {held[table.oid]['login']} may not do this to table {table.text}; it lacks: {', '.join(missing)}",
            reason="missing_rights",
            sqlstate="42501",
            hint="Log in as the owner of the table, or grant what is missing",
            fields={"missing": missing},
        )
