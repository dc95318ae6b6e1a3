# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data folder of a PostgreSQL server: made empty, or copied from a primary, and its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .places import Account
from .process import run
from .programs import Postgres

Setting = str | int | float | bool
SETTINGS_FILE = "tars.conf"
INITDB_S = 300.0
BASEBACKUP_S = 300.0

# Small and fast, and as true to a user's server as tests need: replication, prepared transactions, no disk to wait for.
DEFAULTS: dict[str, Setting] = {
    "listen_addresses": "127.0.0.1",
    "max_connections": 50,
    "shared_buffers": "32MB",
    "max_prepared_transactions": 10,
    "wal_level": "replica",
    "max_wal_senders": 8,
    "max_replication_slots": 8,
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "fsync": False,
    "full_page_writes": False,
    # In files of the data folder, so that a killed server leaves nothing in the machine's memory.
    "dynamic_shared_memory_type": "mmap",
    "logging_collector": False,
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # A standby that meets an interrupted connection asks again after this, not after 5 s.
    "wal_retrieve_retry_interval": "200ms",
}


def environment(programs: Postgres) -> dict[str, str]:
    """Return the environment for PostgreSQL's programs: nothing of the caller's PG* or library variables gets in."""
    return {"PATH": f"{programs.bin}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def initdb(
    programs: Postgres, folder: Path, data: Path, superuser: str, password: str, account: Account | None
) -> None:
    """Make an empty cluster whose logins all need a password."""
    secret = folder / "password"
    _write(secret, password + "\n", account)
    argv: list[str | Path] = [
        programs.bin / "initdb",
        "-D",
        data,
        "-U",
        superuser,
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
    ]
    argv += ["--encoding=UTF8", "--no-sync", "--no-instructions"]
    run("initdb", argv, seconds=INITDB_S, cwd=folder, account=account, env=environment(programs))
    secret.unlink()
    with (data / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write(f"include '{SETTINGS_FILE}'\n")


def basebackup(
    programs: Postgres, folder: Path, data: Path, source: str, password: str, slot: str, account: Account | None
) -> None:
    """Copy a running primary, given by a connection string without password, and make it stream through a new slot."""
    argv: list[str | Path] = [programs.bin / "pg_basebackup", "-d", source, "-D", data, "-R", "-C", "-S", slot]
    argv += ["-X", "stream", "-c", "fast", "--no-sync"]
    env = {**environment(programs), "PGPASSWORD": password}
    run("pg_basebackup", argv, seconds=BASEBACKUP_S, cwd=folder, account=account, env=env)


def write_settings(data: Path, settings: Mapping[str, Setting], account: Account | None) -> None:
    """Write the settings file; ALTER SYSTEM still wins over it, as on a user's server."""
    _write(data / SETTINGS_FILE, "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items()), account)


def _quoted(value: Setting) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "'" + str(value).replace("'", "''") + "'"


def _write(path: Path, text: str, account: Account | None) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    if account:
        os.chown(path, account.uid, account.gid)
