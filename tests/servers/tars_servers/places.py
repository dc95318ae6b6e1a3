# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server lives for a while: its folder, its port, its account."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ServerError

MEMORY = Path("/dev/shm")
MEMORY_FREE = 1 << 30
"""Bytes that must be free for a server's data to go into memory; containers often have 64 MiB there."""
SOCKET_MAX = 107 - len("/.s.PGSQL.65535.lock")
"""Characters that the folder of a Unix socket may have."""


@dataclass(frozen=True)
class Account:
    """A user and group to run a program as."""

    name: str
    uid: int
    gid: int

    def popen(self) -> dict[str, Any]:
        """Return the options of subprocess for it; no supplementary group of root's stays."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def unprivileged() -> Account | None:
    """Return the account for servers that refuse to run as root; None when we are not root anyway."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise ServerError(
            "PostgreSQL does not run as root and this machine has no user nobody: run as a user."
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def new_folder(prefix: str, account: Account | None = None, base: Path | None = None) -> Path:
    """Make an empty folder that only its account can read: in memory where there is room, else in a temporary place."""
    bases = [base] if base else [MEMORY, Path(tempfile.gettempdir()), Path("/tmp")]
    for place in bases:
        if _usable(place, account):
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            if account:
                os.chown(folder, account.uid, account.gid)
            return folder
    who = account.name if account else "this user"
    raise ServerError(f"None of {', '.join(map(str, bases))} can hold a server's data for {who}: set TMPDIR.")


def reachable(path: Path) -> bool:
    """Return whether every account of the machine can reach what is in a folder."""
    return all(stat.S_IMODE(p.stat().st_mode) & 0o001 for p in (path, *path.parents) if p.exists())


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _usable(place: Path, account: Account | None) -> bool:
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK) or len(str(place)) + 20 > SOCKET_MAX:
        return False
    if account and not reachable(place):
        return False
    return place != MEMORY or shutil.disk_usage(place).free >= MEMORY_FREE
