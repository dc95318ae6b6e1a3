# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One connection to PostgreSQL. The only file that imports psycopg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:
    HAS_PSYCOPG = False
else:
    HAS_PSYCOPG = True

from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import ServerFault

CONNECT_S = 10
APPLICATION = "tars.rollout pg_index_concurrently"


@dataclass(frozen=True)
class Address:
    """Where a server is and how to log in; what is empty is left to libpq and its environment."""

    host: str = ""
    port: int = 5432
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = "postgres"
    ssl_mode: str = ""
    ca_cert: str = ""

    @property
    def text(self) -> str:
        """For messages: never user or password."""
        return f"{self.host or 'the local socket'}:{self.port}/{self.database}"


class Session:
    """A connection in autocommit mode: it holds no snapshot between two statements, so it is in nobody's way."""

    def __init__(self, address: Address) -> None:
        if not HAS_PSYCOPG:
            raise MissingLibrary("psycopg")
        self.address = address
        self._connection = self._connect(address)

    @staticmethod
    def _connect(address: Address) -> psycopg.Connection[dict[str, Any]]:
        options: dict[str, Any] = {
            "host": address.host,
            "user": address.user,
            "password": address.password,
            "sslmode": address.ssl_mode,
            "sslrootcert": address.ca_cert,
        }
        try:
            return psycopg.connect(
                port=address.port,
                dbname=address.database,
                autocommit=True,
                # A pooler may give the next statement to another server process, which knows no prepared ones.
                prepare_threshold=None,
                connect_timeout=CONNECT_S,
                # Statements are sent as UTF-8, whatever the role or the database says.
                client_encoding="utf8",
                application_name=APPLICATION,
                row_factory=dict_row,
                **{key: value for key, value in options.items() if value},
            )
        except psycopg.Error as error:
            raise server_fault(error, f"Connecting to PostgreSQL at {address.text}") from None

    def reopen(self) -> None:
        """Connect again after it was lost; settings of the session are gone."""
        self._connection.close()
        self._connection = self._connect(self.address)

    @property
    def pid(self) -> int:
        """The server process as the handshake named it; behind a pooler it is the pooler's own number."""
        return self._connection.info.backend_pid

    @property
    def version(self) -> int:
        """The server's version as a number: 150018 is 15.18."""
        return self._connection.info.server_version

    @property
    def closed(self) -> bool:
        """Whether it is known to be gone."""
        return bool(self._connection.closed or self._connection.broken)

    def rows(self, query: str, arguments: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one of our own queries."""
        try:
            return self._connection.execute(query.encode(), arguments or {}).fetchall()
        except psycopg.Error as error:
            raise server_fault(error, f"Asking {self.address.text}") from None

    def row(self, query: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The first row, None when there is none."""
        found = self.rows(query, arguments)
        return found[0] if found else None

    def value(self, query: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """The first field of the first row, None when there is none."""
        found = self.row(query, arguments)
        return next(iter(found.values())) if found else None

    def run(self, statement: str, what: str = "") -> list[dict[str, Any]]:
        """Run one statement that holds texts of the user's. ``what`` begins the sentence of a fault."""
        try:
            # Binary results force the protocol that takes a single statement: nothing can be smuggled in behind it.
            cursor = self._connection.execute(statement.encode(), binary=True)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise server_fault(error, what or f"Running a statement on {self.address.text}") from None

    def set(self, settings: Mapping[str, str], *, local: bool = False) -> None:
        """Change settings for this session, or for this transaction, all at once."""
        names = [f"set_config(%(n{at})s, %(v{at})s, %(local)s)" for at in range(len(settings))]
        arguments: dict[str, Any] = {"local": local}
        for at, (name, value) in enumerate(settings.items()):
            arguments |= {f"n{at}": name, f"v{at}": value}
        self.rows(f"SELECT {', '.join(names)}", arguments)

    @contextmanager
    def transaction(self, settings: Mapping[str, str], begin: str = "BEGIN", end: str = "ROLLBACK") -> Iterator[None]:
        """A transaction with settings of its own; a fault in it always ends in ROLLBACK."""
        self.run(begin)
        try:
            if settings:
                self.set(settings, local=True)
            yield
        except BaseException:
            # The fault that is on its way says more than a lost connection at the ROLLBACK.
            with suppress(ServerFault):
                self.run("ROLLBACK")
            raise
        self.run(end)

    def close(self) -> None:
        """Harmless when done twice."""
        self._connection.close()


def server_fault(error: Any, what: str) -> ServerFault:
    """Our fault for psycopg's; its own text may span lines, and holds no password of libpq's."""
    state = error.sqlstate or ""
    said = (error.diag.message_primary or str(error).strip() or type(error).__name__).splitlines()[0]
    detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
    if state:
        reason = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__).lower()
        return ServerFault(f"{what} failed: {said}{detail} (SQLSTATE {state})", reason=reason, sqlstate=state)
    return ServerFault(
        f"{what} failed: {said}",
        reason="connection_lost",
        hint="See that the server runs and lets this host in, then run the same command again",
    )
