# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that the cases need: a primary, its standby, and a PgBouncer that pools transactions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import psycopg
from psycopg import sql
from tars_servers import PgBouncer, PostgresServer

from .pg_given import CopiedStandby, Given

DATABASE = "lab"


class Servers:
    """All of them; those that only some cases need start with the first such case.

    ``given``: connection strings by name (primary, standby, pgbouncer) of servers that run already.
    """

    def __init__(self, given: Mapping[str, str | None], major: int | None = None) -> None:
        self._given = {name: Given(dsn) for name, dsn in given.items() if dsn}
        self.primary: Any = self._given.get("primary") or PostgresServer(major=major).__enter__()

    @cached_property
    def standby(self) -> Any:
        if (given := self._given.get("standby")) is not None:
            return given
        return CopiedStandby(self.primary).__enter__() if "primary" in self._given else self.primary.standby("standby")

    @cached_property
    def pgbouncer(self) -> Any:
        return self._given.get("pgbouncer") or PgBouncer(self.primary, DATABASE).__enter__()

    def close(self) -> None:
        for name in ("pgbouncer", "standby"):
            if name in vars(self):
                getattr(self, name).close()
        self.primary.close()

    def admin(self) -> psycopg.Connection[Any]:
        """The superuser's own connection to the database of the cases."""
        return self.primary.connect(dbname=DATABASE, application_name="cases", connect_timeout=60)

    def clean(self) -> None:
        """An empty database, and no trace of the case before: roles keep no settings, replay goes on."""
        with self.primary.connect() as connection:
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'lab'").fetchone()
            if exists:
                with self.admin() as inside:
                    for (gid,) in inside.execute("SELECT gid FROM pg_prepared_xacts WHERE database = 'lab'").fetchall():
                        inside.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))
                connection.execute("DROP DATABASE lab WITH (FORCE)")
            query = (
                "SELECT rolname FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE setdatabase = 0"
            )
            for (role,) in connection.execute(query).fetchall():
                connection.execute(f'ALTER ROLE "{role}" RESET ALL'.encode())
            connection.execute("ALTER SYSTEM RESET ALL")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE lab")
        if "standby" in vars(self):
            self.standby.resume_replay()
