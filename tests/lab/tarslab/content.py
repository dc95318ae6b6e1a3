# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a region's database holds: the tables of the runbooks, and a million rows in the one that is written most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from .errors import LabError

if TYPE_CHECKING:
    from .context import Lab

CONNECT_SECONDS = 5
LAST_TABLE = "traces"
"""The tables come in one transaction, so where this one is, all are."""


def ensure_schema(lab: Lab, user: str, password: str, region_name: str) -> bool:
    """Make the tables, with rows, in the database called like `user` unless it has them; return whether it did.

    Raises LabError where PostgreSQL does not answer or refuses.
    """
    port = lab.ports["pg_primary"]
    scripts = [(lab.paths.source / "app" / name).read_text(encoding="utf-8") for name in ("schema.sql", "rows.sql")]
    try:
        with psycopg.connect(
            host="127.0.0.1", port=port, dbname=user, user=user, password=password, connect_timeout=CONNECT_SECONDS
        ) as connection:
            known = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{LAST_TABLE}"]).fetchone()
            if known and known[0]:
                return False
            connection.execute("SELECT set_config('tars.region', %s, true)", [region_name])
            for script in scripts:
                connection.execute(sql.SQL(script))  # our own file, and nothing is put into it
            connection.commit()
            connection.autocommit = True
            connection.execute("ANALYZE")
    except psycopg.Error as error:
        raise LabError(
            f"The tables of {user} could not be made in PostgreSQL at 127.0.0.1:{port}: {str(error).strip()}. "
            "See `lab status`."
        ) from error
    return True
