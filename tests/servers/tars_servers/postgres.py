# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL on loopback: a primary, its streaming standbys, and what tests do to them."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql

from . import cluster, programs
from .cluster import Setting
from .errors import ServerError
from .places import unprivileged
from .server import Server

SUPERUSER = "postgres"
MODES = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresServer(Server):
    """A primary, or by ``standby()`` of another one its standby. Standbys end before their primary does.

    ``major``: None takes the newest that is installed. ``settings`` go on top of ``cluster.DEFAULTS``. ``name`` is for
    errors. The superuser's password differs in every server. The folder holds ``data``, ``log`` and the socket.
    """

    prefix = "tars-pg-"
    port_taken = "could not bind"
    orphan_signal = signal.SIGQUIT

    def __init__(
        self,
        *,
        major: int | None = None,
        settings: Mapping[str, Setting] | None = None,
        port: int | None = None,
        base: Path | None = None,
        name: str = "primary",
        primary: PostgresServer | None = None,
    ) -> None:
        super().__init__(port, base, unprivileged())
        self.programs: programs.Postgres = primary.programs if primary else programs.postgres(major)
        self.name = name
        self.password: str = primary.password if primary else secrets.token_hex(12)
        self.standbys: list[PostgresServer] = []
        self._settings: dict[str, Setting] = {
            **cluster.DEFAULTS,
            **(primary._settings if primary else {}),
            **(settings or {}),
        }
        self._primary = primary

    @property
    def what(self) -> str:
        """What it is, at the beginning of a sentence."""
        at = f" on port {self._port}" if self._port else ""
        return f"The PostgreSQL {self.programs.version} server {self.name}{at}"

    @property
    def params(self) -> dict[str, Any]:
        """How the superuser connects, as keywords of ``psycopg.connect``."""
        login = {"user": SUPERUSER, "password": self.password, "dbname": "postgres"}
        return {"host": self.host, "port": self.port, **login}

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """Return a new connection of the superuser's, in autocommit mode; ``options`` go over ``params``.

        What a test has made the role's own default does not reach it: no standby takes a serializable transaction.
        """
        plain = r"-c default_transaction_isolation=read\ committed -c default_transaction_read_only=off"
        own = {"autocommit": True, "connect_timeout": 5, "options": plain}
        return psycopg.connect(**{**self.params, **own, **options})

    def value(self, query: str, *arguments: Any) -> Any:
        """Return the first field of a query's first row, None without a row, over a connection of its own."""
        with self.connect() as connection:
            row = connection.execute(query.encode(), arguments or None).fetchone()
        return row[0] if row else None

    @contextmanager
    def database(self, prefix: str = "test") -> Iterator[dict[str, Any]]:
        """Make a new database and give its ``params``; at the end it goes, whoever is still connected."""
        name = f"{prefix}_{secrets.token_hex(4)}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield {**self.params, "dbname": name}
        finally:
            with self.connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    # Its life

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop it and keep its files; ``immediate`` is like a crash: the next start recovers."""
        self._end(MODES[mode])

    def close(self) -> None:
        """End its standbys and it and remove every file; harmless when done twice."""
        try:
            while self.standbys:
                self.standbys.pop().close()
        finally:
            super().close()

    # Replication

    def standby(self, name: str = "standby", settings: Mapping[str, Setting] | None = None) -> PostgresServer:
        """Return a running hot standby that streams through the slot ``name``, which is its application_name too."""
        if not re.fullmatch(r"[a-z0-9_]{1,63}", name):
            raise ServerError(f"A standby's name is also its slot's: {name!r} must be of a-z, 0-9 and _.")
        made = PostgresServer(settings=settings, base=self._base, name=name, primary=self)
        made.__enter__()
        self.standbys.append(made)
        return made

    def lsn(self) -> str:
        """Return up to where a primary has written."""
        return str(self.value("SELECT pg_current_wal_lsn()"))

    def wait_replayed(self, lsn: str, seconds: float = 120.0) -> None:
        """Wait until this standby has replayed up to an LSN of its primary's."""
        query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        self._wait(lambda: bool(self.value(query, lsn)), f"had not replayed up to {lsn}", seconds)

    def pause_replay(self) -> None:
        """Stop replay on this standby; when this returns nothing more is replayed."""
        self.value("SELECT pg_wal_replay_pause()")
        query = "SELECT pg_get_wal_replay_pause_state()"
        self._wait(lambda: bool(self.value(query) == "paused"), "had not paused its replay", 15.0)

    def resume_replay(self) -> None:
        """Let replay go on."""
        self.value("SELECT pg_wal_replay_resume()")

    def promote(self, seconds: int = 30) -> None:
        """Make this standby a primary; when this returns it takes writes."""
        if not self.value("SELECT pg_promote(true, %s)", seconds):
            raise ServerError(f"{self.what} was not promoted within {seconds} s.", self.log)

    # Inside

    def _create(self) -> None:
        folder, data = self.folder, self.folder / "data"
        if self._primary is None:
            cluster.initdb(self.programs, folder, data, SUPERUSER, self.password, self._account)
            return
        source = f"host={self._primary.host} port={self._primary.port} user={SUPERUSER} application_name={self.name}"
        cluster.basebackup(self.programs, folder, data, source, self.password, self.name, self._account)

    def _command(self) -> list[str | Path]:
        data = self.folder / "data"
        own: dict[str, Setting] = {"port": self.port, "unix_socket_directories": str(self.folder)}
        cluster.write_settings(data, {**self._settings, **own}, self._account)
        return [self.programs.bin / "postgres", "-D", data]

    def _environment(self) -> dict[str, str]:
        return cluster.environment(self.programs)

    def _answers(self) -> bool:
        # Over the socket in our folder, which nobody else has. The server opens it after its TCP port.
        try:
            self.connect(host=str(self.folder)).close()
        except psycopg.OperationalError:
            return False
        return True
