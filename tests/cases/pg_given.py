# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that the caller of the cases brings along, given by connection strings."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from tars_servers import PostgresServer
from tars_servers.cluster import Setting

SLOT = "tars_cases"
# What a standby must have at least as much of as its primary.
SHARED = (
    *("max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions"),
    "max_locks_per_transaction",
)


class Given:
    """A server that runs already. Its superuser is called postgres, as the cases say."""

    def __init__(self, dsn: str) -> None:
        found = conninfo_to_dict(dsn)
        self.host, self.port = str(found.get("host", "127.0.0.1")), int(found.get("port", 5432))
        self.password = str(found.get("password") or "")
        self._rest = {key: value for key, value in found.items() if key not in ("dbname", "user")}

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A new connection of the superuser's, in autocommit mode."""
        defaults = {"user": "postgres", "dbname": "postgres", "autocommit": True, "connect_timeout": 5}
        return psycopg.connect(**{**self._rest, **defaults, **options})

    def value(self, query: str, *arguments: Any) -> Any:
        """The first field of the first row."""
        with self.connect() as connection:
            row = connection.execute(query.encode(), arguments or None).fetchone()
        return row[0] if row else None

    def lsn(self) -> str:
        return str(self.value("SELECT pg_current_wal_lsn()"))

    def wait_replayed(self, lsn: str, seconds: float = 120.0) -> None:
        limit = time.monotonic() + seconds
        while not self.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn):
            assert time.monotonic() < limit, f"the given standby had not replayed up to {lsn} after {seconds:g} s"
            time.sleep(0.05)

    def resume_replay(self) -> None:
        self.value("SELECT pg_wal_replay_resume()")

    def close(self) -> None:
        """It is the caller's: nothing to end."""


class CopiedStandby(PostgresServer):
    """A standby of a given primary, made here because none was given; it streams through a slot of its own."""

    def __init__(self, primary: Given) -> None:
        self._given = primary
        with primary.connect() as connection:
            query = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"
            connection.execute(query, [SLOT])
            self._like = {name: _setting(connection, name) for name in SHARED}
        super().__init__(name=SLOT, primary=_Source(primary), settings=self._like)

    def _create(self) -> None:
        super()._create()
        data, access = self.folder / "data", "scram-sha-256" if self.password else "trust"
        # A primary may keep these two elsewhere, or have things in them that only fit there.
        self._own_file(data / "postgresql.conf", ["include 'tars.conf'"])
        self._own_file(
            data / "pg_hba.conf", [f"{kind} {access}" for kind in ("local all all", "host all all samehost")]
        )

    def _own_file(self, path: Path, lines: Iterable[str]) -> None:
        path.unlink(missing_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def close(self) -> None:
        super().close()
        with self._given.connect() as connection:
            query = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"
            connection.execute(query, [SLOT])


class _Source(PostgresServer):
    """A given primary as a standby of ours needs to see it."""

    def __init__(self, given: Given) -> None:
        version = int(given.value("SHOW server_version_num"))
        super().__init__(major=version // 10000, port=given.port)
        self.host, self.password = given.host, given.password


def _setting(connection: psycopg.Connection[Any], name: str) -> Setting:
    row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
    assert row is not None
    return int(row[0])
