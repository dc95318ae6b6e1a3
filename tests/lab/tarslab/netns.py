# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network namespace of a private engine: nothing of the lab shows up on the machine's own network."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from . import proc
from .errors import LabError

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000

RESOLVER = "192.0.2.53"
"""An address of the namespace where nothing listens: names from outside the cluster are refused in milliseconds, where
an address without a route would let every look-up wait for 16 s."""


def path(name: str) -> Path:
    """Return the file that stands for a namespace."""
    return NAMESPACES / name


def ensure(name: str) -> None:
    """Make a namespace with a working loopback; one that is whole already is left alone."""
    if not _alive(name):
        if path(name).exists():
            proc.run(["ip", "netns", "delete", name])
        proc.run(["ip", "netns", "add", name])
    inside = ["ip", "netns", "exec", name]
    proc.run([*inside, "ip", "link", "set", "lo", "up"])
    proc.run([*inside, "ip", "address", "replace", f"{RESOLVER}/32", "dev", "lo"])
    proc.run([*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1"])


def delete(name: str) -> None:
    """Take a namespace away; one that is not there is no error."""
    if path(name).exists():
        proc.run(["ip", "netns", "delete", name])


def enter(name: str) -> None:
    """Move this thread into a namespace. Sockets made before stay where they were made."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(handle, CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise LabError(f"The network namespace {name} cannot be entered: {os.strerror(code)}.")
    finally:
        os.close(handle)


def _alive(name: str) -> bool:
    # After a crash the file may be there without a namespace mounted on it.
    return path(name).exists() and proc.succeeds(["ip", "netns", "exec", name, "true"])
