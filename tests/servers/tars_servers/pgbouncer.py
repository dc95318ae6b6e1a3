# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PgBouncer on loopback, before one database of a primary."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Literal

import psycopg

from .debian import Recipe, tree
from .places import unprivileged
from .server import Server

RECIPE = Recipe("pgbouncer", "bookworm", ("pgbouncer",), ("usr/sbin/pgbouncer",))
CONFIG = """\
[databases]
{database} = host={host} port={target} dbname={database} user=postgres password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
ignore_startup_parameters = extra_float_digits,options
"""


class PgBouncer(Server):
    """In front of a primary: one server process per transaction, or per session.

    ``primary`` has host, port and password of the superuser's, as whom everybody is logged in.
    """

    prefix = "tars-pgb-"
    port_taken = "cannot listen"

    def __init__(
        self, primary: Any, database: str, *, pool_mode: Literal["transaction", "session"] = "transaction"
    ) -> None:
        super().__init__(None, None, unprivileged())
        self._primary, self._database, self._mode = primary, database, pool_mode

    @property
    def what(self) -> str:
        return "PgBouncer"

    def _create(self) -> None:
        self.folder.chmod(0o700)

    def _command(self) -> list[str | Path]:
        config = self.folder / "pgbouncer.ini"
        config.touch(mode=0o600)
        values = {"database": self._database, "host": self._primary.host, "target": self._primary.port}
        values |= {"password": self._primary.password, "port": self.port, "mode": self._mode}
        config.write_text(CONFIG.format(**values), encoding="utf-8")
        if self._account:
            os.chown(config, self._account.uid, self._account.gid)
        found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        program = Path(found) if found else tree(RECIPE, "install the package pgbouncer") / "usr/sbin/pgbouncer"
        return [program, config]

    def _answers(self) -> bool:
        login = {"user": "postgres", "dbname": self._database, "password": "any"}
        try:
            psycopg.connect(host=self.host, port=self.port, prepare_threshold=None, **login).close()
        except psycopg.OperationalError:
            return False
        return True
