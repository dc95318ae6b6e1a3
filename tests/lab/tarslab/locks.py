# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time: locks that the kernel takes back when their holder dies, with the holder's name in them."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import files
from .errors import LabError


@contextlib.contextmanager
def only_one(path: Path, command: str) -> Iterator[None]:
    """Hold the lock of a checkout for one command; raises LabError that says who has it."""
    with _opened(path) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                f"`{command}` cannot start: {describe(files.read_json(path))}. "
                "Wait until it has ended, or stop it with Ctrl-C where it runs; it leaves nothing half done."
            ) from error
        _sign(handle, command)
        yield


@contextlib.contextmanager
def shared_place(path: Path, command: str, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a place that several checkouts share; waits for it, and calls `waiting` once with the reason."""
    with _opened(path) as handle:
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    waiting(describe(files.read_json(path)))
                    told = True
                time.sleep(0.5)
        _sign(handle, command)
        yield


def is_held(path: Path) -> bool:
    """Return whether somebody holds the lock; one that was never taken is not held."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def describe(holder: dict[str, object]) -> str:
    """Return a clause that says who holds a lock, from what the holder wrote into it."""
    if not holder:
        return "another one is just starting"
    began = float(str(holder.get("since", 0)))
    since = time.strftime("%H:%M:%S", time.localtime(began))
    minutes = (time.time() - began) / 60
    return (
        f"`{holder.get('command')}` of {holder.get('user')} is at work (process {holder.get('pid')}, "
        f"since {since}, {minutes:.0f} min ago)"
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield handle
    finally:
        os.close(handle)


def _sign(handle: int, command: str) -> None:
    who = {"command": command, "pid": os.getpid(), "user": _user(), "since": round(time.time(), 1)}
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(who).encode(), 0)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
