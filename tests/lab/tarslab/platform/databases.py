# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database and a login role for each region, in the lab's PostgreSQL; and whether the standby follows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from ..errors import LabError

if TYPE_CHECKING:
    from ..context import Lab

CONNECT_SECONDS = 5


class Database(NamedTuple):
    """How a program inside the cluster reaches a region's database."""

    host: str
    port: int
    name: str
    user: str
    password: str

    @property
    def dsn(self) -> str:
        """The same as one URL. The password needs no quoting: it is made of letters, digits, - and _ only."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.name}"


class Replication(NamedTuple):
    """What the primary says about its standby."""

    state: str
    lag_bytes: int
    """How much the standby has yet to replay."""


def ensure_database(lab: Lab, region: str) -> Database:
    """Make the database and role `tars_<region>` where they are missing, set the role's password, return the access.

    `region` is the inventory host name (us_west_2). Raises LabError where PostgreSQL does not answer or refuses.
    """
    name = f"tars_{region}"
    password = lab.secret(f"postgres_{name}")
    with _primary(lab) as connection:
        if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
        # Who rolls out sees how far the standbys are; without it the lag of others is hidden.
        connection.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(name)))
        if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
            connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
        # A region's role must not look into another's database.
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    return Database("postgres-primary.data.svc.cluster.local", 5432, name, name, password)


def replication(lab: Lab) -> Replication | None:
    """Return what the primary knows of its standby, or None where none is connected."""
    query = """SELECT state, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), -1)::bigint
               FROM pg_stat_replication ORDER BY replay_lsn DESC NULLS LAST LIMIT 1"""
    with _primary(lab) as connection:
        row = connection.execute(query).fetchone()
    return Replication(*row) if row else None


def wait_streaming(lab: Lab, timeout: float) -> bool:
    """Return whether the standby streams within `timeout` seconds."""
    until = time.monotonic() + timeout
    while True:
        seen = replication(lab)
        if seen is not None and seen.state == "streaming":
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.3)


def _exists(connection: psycopg.Connection[Any], query: LiteralString, name: str) -> bool:
    return connection.execute(query, [name]).fetchone() is not None


@contextmanager
def _primary(lab: Lab) -> Iterator[psycopg.Connection[Any]]:
    """The primary, as its superuser, from this machine. Each statement is a transaction of its own."""
    port = lab.ports["pg_primary"]
    try:
        with psycopg.connect(
            host="127.0.0.1",
            port=port,
            dbname="postgres",
            user="postgres",
            password=lab.secret("postgres"),
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
        ) as connection:
            yield connection
    except psycopg.Error as error:
        raise LabError(
            f"PostgreSQL's primary at 127.0.0.1:{port} failed: {str(error).strip()}. See `lab status`."
        ) from error
