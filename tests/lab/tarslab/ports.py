# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's ports on 127.0.0.1: a block that follows from the checkout, remembered once it was taken."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket

from . import proc
from .errors import LabError
from .identity import BLOCK, BLOCKS, FIRST_PORT, PORT_NAMES, Identity

HOST = "127.0.0.1"


def block(first: int) -> dict[str, int]:
    """Return the ports of the block that begins at `first`, by name."""
    return {name: first + distance for distance, name in enumerate(PORT_NAMES)}


def choose(identity: Identity) -> dict[str, int]:
    """Return the first block, from the checkout's own one upwards, in which every port is free."""
    for step in range(BLOCKS):
        first = FIRST_PORT + (identity.preferred_block - FIRST_PORT + step * BLOCK) % (BLOCK * BLOCKS)
        ports = block(first)
        if all(is_free(p) for p in ports.values()):
            return ports
    raise LabError(
        f"No {BLOCK} ports in a row are free on {HOST} between {FIRST_PORT} and {FIRST_PORT + BLOCK * BLOCKS}."
    )


def check(ports: dict[str, int]) -> None:
    """Raise LabError that names the first port which somebody else has taken, and who."""
    for name, port in ports.items():
        if not is_free(port):
            raise LabError(
                f"Port {HOST}:{port}, at which this lab serves {name}, is taken by {holder(port)}: end that, "
                "or move the lab to other ports with `lab down` and `lab up`."
            )


def is_free(port: int) -> bool:
    """Return whether a server may listen on a port of 127.0.0.1."""
    with contextlib.closing(socket.socket()) as probe:
        # As servers do: connections of a server that has just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """Return who listens on a port, as far as this user may know."""
    if shutil.which("ss"):
        listed = proc.run(["ss", "-H", "-l", "-t", "-n", "-p", f"sport = :{port}"], timeout=10)
        found = re.search(r'\("([^"]+)",pid=(\d+)', listed)
        if found:
            return f"process {found[2]} ({found[1]})"
    return "another program"
