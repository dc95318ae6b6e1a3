# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forwarder: listens on the machine's 127.0.0.1, connects to the same ports inside the lab's network namespace.

A process of its own (`python -m tarslab.forward NAMESPACE NOTE PORT[:INNER]...`). The listening sockets are made
first, then the process enters the namespace: sockets keep the namespace that they were made in. Once the file NOTE
holds the node's address, ports with an inner one are handed straight to it at the node: Docker's own proxy in between
costs a tenth of a core at 300 requests per second, waits for its turn behind the whole cluster, and ended without a
word under load.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import netns, weight
from .errors import LabError

HOST = "127.0.0.1"
CHUNK = 1 << 16


def listen(ports: Sequence[int]) -> list[socket.socket]:
    """Open the listening sockets; raises LabError that names the port which is taken."""
    sockets = []
    for port in ports:
        try:
            sock = socket.create_server((HOST, port), backlog=512)
            # Accepted connections inherit it. asyncio sets it only on sockets that name their protocol, which these do
            # not; without it one answer in ten is held back 40 ms.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(sock)
        except OSError as error:
            raise LabError(f"The forwarder cannot listen on {HOST}:{port}: {error.strerror}.") from error
    return sockets


Place = Callable[[], tuple[str, int]]


def place(port: int, inner: int, note: Path) -> Place:
    """Where a port's connections go: to the node's port ``inner`` once its address is known, else the same port."""

    def now() -> tuple[str, int]:
        try:
            node = note.read_text(encoding="ascii").strip() if inner else ""
        except OSError:
            node = ""
        return (node, inner) if node else (HOST, port)

    return now


async def serve(sockets: Sequence[socket.socket], places: Sequence[Place]) -> None:
    """Accept for ever, each connection handed on to its place, seen from where this process now is."""
    servers = [await _server(s, to) for s, to in zip(sockets, places, strict=True)]
    await asyncio.gather(*(s.serve_forever() for s in servers))


async def _server(sock: socket.socket, to: Place) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*to())
        except OSError:
            # Nobody listens inside: the caller must see a reset at once, as it would without a forwarder.
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        finally:
            writer.close()
            inner_writer.close()

    return await asyncio.start_server(handle, sock=sock)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction. An end is passed on as an end, a reset as a reset, so that callers can tell them apart."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
    except OSError:
        writer.transport.abort()


def main(arguments: Sequence[str]) -> None:
    """Run the forwarder for a namespace and its ports."""
    name, note, *words = arguments
    pairs = [(int(port), int(inner or 0)) for port, _colon, inner in (word.partition(":") for word in words)]
    sockets = listen([port for port, _inner in pairs])
    netns.enter(name)
    weight.favour()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sockets, [place(port, inner, Path(note)) for port, inner in pairs]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LabError as fault:
        sys.exit(str(fault))
