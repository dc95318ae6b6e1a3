# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that says it is 14.3: a real one, behind a forwarder that changes what it says of its version."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault

# The server tells its version once, when a client has logged in; a message says how long it is, so its length stays.
SAID = re.compile(rb"(?<=server_version\0)[^\0]+")
CHANGES = re.compile(rb"\b(CREATE|DROP|ALTER|COPY|SET|REINDEX)\b|set_config", re.IGNORECASE)


class SaysOther:
    """Forwards to a server; ``asked`` is all that clients sent."""

    def __init__(self, target: tuple[str, int], version: bytes) -> None:
        self.target, self.version, self.asked = target, version, b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(self.target)
                for one, other, change in ((client, server, self._note), (server, client, self._rename)):
                    threading.Thread(target=self._pump, args=(one, other, change), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket, change: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(change(data))
            other.shutdown(socket.SHUT_WR)

    def _note(self, data: bytes) -> bytes:
        self.asked += data
        return data

    def _rename(self, data: bytes) -> bytes:
        return SAID.sub(lambda found: self.version.ljust(len(found[0])), data)


@pytest.fixture
def says(database: dict[str, Any]) -> Iterator[Callable[[bytes], SaysOther]]:
    made: list[SaysOther] = []

    def make(version: bytes) -> SaysOther:
        made.append(SaysOther((database["host"], database["port"]), version))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("check", [False, True])
def test_14_3_is_refused_before_anything_is_changed(
    says: Callable[[bytes], SaysOther], connection: psycopg.Connection[Any], call: Callable[..., Any], check: bool
) -> None:
    server = says(b"14.3")
    with pytest.raises(IndexFault, match=r"is 14\.3, whose concurrent builds") as caught:
        call(name="ix", table="t", columns=["a"], login_host="127.0.0.1", login_port=server.port, check=check)
    assert caught.value.reason == "version"
    # It was asked something, and nothing that changes anything, not even a setting.
    assert b"pg_backend_pid" in server.asked and CHANGES.search(server.asked) is None


def test_14_4_is_not_refused(
    says: Callable[[bytes], SaysOther], connection: psycopg.Connection[Any], call: Callable[..., Any]
) -> None:
    server = says(b"14.4")
    result = call(name="ix", table="t", columns=["a"], login_host="127.0.0.1", login_port=server.port)
    assert result["valid"] is True and CHANGES.search(server.asked) is not None
