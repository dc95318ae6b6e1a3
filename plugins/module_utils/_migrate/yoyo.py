# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The records of yoyo-migrations: which files were applied. The only file that imports yoyo.

A migration and its record are one transaction here; yoyo's own command writes the record after the commit, so a kill
between the two would apply a file twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

try:
    import yoyo.exceptions
    from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
    from yoyo.connections import DatabaseURI
    from yoyo.migrations import Migration as Record
except ImportError:
    HAS_YOYO = False
else:
    HAS_YOYO = True

from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._migrate.files import Migration
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Address, server_fault

TABLE = "_yoyo_migration"
APPLIED = f"SELECT migration_id AS id FROM {TABLE} ORDER BY applied_at_utc, migration_id"
# Seconds after which the lock row of a process that is not there is taken as left behind.
STALE = 60


class Yoyo:
    """One connection of yoyo's, under its lock. ``lock_timeout`` in seconds, for every statement of a migration."""

    def __init__(self, address: Address, lock_timeout: float) -> None:
        if not HAS_YOYO:
            raise MissingLibrary("yoyo-migrations")
        options = {"sslmode": address.ssl_mode, "sslrootcert": address.ca_cert, "connect_timeout": "10"}
        uri = DatabaseURI(
            *("postgresql+psycopg", address.user or None, address.password or None, address.host or None),
            *(address.port, address.database, {key: value for key, value in options.items() if value}),
        )
        self._backend: Any = PostgresqlPsycopgBackend(uri, TABLE)
        with self._told("Preparing the records of yoyo"):
            self._backend.init_database()
            # Whoever queues behind a lock that we wait for waits as long as we do.
            self._backend.execute(f"SET lock_timeout = {int(lock_timeout * 1000)}")
            self._backend.execute("SET statement_timeout = 0")

    @contextmanager
    def locked(self, patience: float) -> Iterator[None]:
        """Hold yoyo's lock; a row that a killed process left is removed."""
        self._break_stale()
        try:
            with self._backend.lock(timeout=patience):
                self._backend.ensure_internal_schema_updated()
                yield
        except yoyo.exceptions.LockTimeout as error:
            raise RolloutError(
                f"Another run of yoyo works on this database: {error}",
                reason="locked",
                hint="See what it does; when nothing runs any more: yoyo break-lock",
            ) from None

    def _break_stale(self) -> None:
        query = "SELECT pid, extract(epoch FROM now() AT TIME ZONE 'UTC' - ctime) FROM yoyo_lock"
        row = self._backend.execute(query).fetchone()
        if row is not None and row[1] > STALE and not _alive(int(row[0])):
            self._backend.break_lock()

    def apply(self, migration: Migration) -> None:
        """Run its statements and write it down, in one transaction where the file does not say otherwise."""
        record = Record(migration.id, str(migration.path), str(migration.path.parent))
        with self._told(f"Migration {migration.id}"):
            if not migration.transactional:
                self._run(migration.apply)
            with self._backend.transaction():
                if migration.transactional:
                    self._run(migration.apply)
                self._backend.mark_one(record, log=False)
                self._backend.log_migration(record, "apply")

    def undo(self, migration: Migration) -> None:
        """Run its rollback and take it off the record, in one transaction."""
        record = Record(migration.id, str(migration.path), str(migration.path.parent))
        with self._told(f"The rollback of migration {migration.id}"), self._backend.transaction():
            self._run(migration.back or ())
            self._backend.unmark_one(record, log=False)
            self._backend.log_migration(record, "rollback")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._backend.DatabaseError as error:
            raise server_fault(error, what) from None

    def _run(self, statements: Sequence[str]) -> None:
        for statement in statements:
            # Not through yoyo's execute(), which takes a colon for the begin of a parameter.
            with self._backend.cursor() as cursor:
                cursor.execute(statement.encode())

    def close(self) -> None:
        self._backend.connection.close()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
