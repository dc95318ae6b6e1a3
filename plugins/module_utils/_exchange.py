# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Bounds one exchange with an HTTP server in time as a whole.

The time-outs of urllib3 bound each silence only: a server that sends one byte now and then, of its headers or its
body, holds a caller for ever. Here a watchdog shuts the socket down instead, which wakes the reader wherever it reads.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

try:
    from urllib3 import Timeout
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.poolmanager import PoolManager, ProxyManager
    from urllib3.util.ssl_ import create_urllib3_context
except ImportError:  # The ports complain before they use anything of this file.
    HTTPConnection = HTTPSConnection = HTTPConnectionPool = HTTPSConnectionPool = object  # type: ignore[assignment,misc]

_CURRENT = threading.local()


class Exchange:
    """One request and its answer; ``over``: their time ran out, so whatever came is not to be trusted."""

    def __init__(self) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._connection: Any = None

    def hold(self, connection: Any) -> None:
        """This connection is ours until it is released. TimeoutError when the time is over, so nothing more is sent."""
        with self._lock:
            if self.over:
                raise TimeoutError("the time for the exchange is over")
            self._connection = connection

    def release(self, connection: Any) -> None:
        """That connection goes back to its pool, where another exchange may take it: hands off from now on."""
        with self._lock:
            if connection is self._connection:
                self._connection = None

    def end(self) -> None:
        """The time is over: wake whoever reads from or writes to the connection."""
        with self._lock:
            self.over = True
            connection, self._connection = self._connection, None
            # An answer that ends the connection takes the socket away from it, and TLS within TLS wraps another one.
            wire = getattr(connection, "sock", None) or getattr(connection, "wire", None)
            wire = getattr(wire, "socket", wire)
            if isinstance(wire, socket.socket):
                # The plain shutdown also for TLS: its own one changes state that the reader is using.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(wire, socket.SHUT_RDWR)


class _Watchdog:
    """One thread that ends every exchange whose time is over.

    A timer for each would be a thread for each, and where the processors are busy a new thread waits for its turn
    before the request may go on.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Also in the child of a fork: the thread has not come along, and may hold the lock for ever."""
        self._changed = threading.Condition()
        self._due: dict[Exchange, float] = {}
        self._wakes = math.inf
        self._thread: threading.Thread | None = None

    def watch(self, exchange: Exchange, seconds: float) -> None:
        """End it in that time, unless it is forgotten before."""
        due = time.monotonic() + seconds
        with self._changed:
            self._due[exchange] = due
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exchanges", daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()

    def forget(self, exchange: Exchange) -> None:
        """It has ended by itself. The thread sleeps on: waking it would cost each request a turn."""
        with self._changed:
            self._due.pop(exchange, None)

    def _run(self) -> None:
        # A signal is for the main thread, which would sleep on where this one took it.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        with self._changed:
            while True:
                now = time.monotonic()
                for exchange in [exchange for exchange, due in self._due.items() if due <= now]:
                    del self._due[exchange]
                    exchange.end()
                self._wakes = min(self._due.values(), default=math.inf)
                self._changed.wait(None if self._wakes == math.inf else self._wakes - now)


_WATCHDOG = _Watchdog()
os.register_at_fork(after_in_child=_WATCHDOG.begin)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[Exchange]:
    """What this thread sends and reads over connections of bounded pools must be through in that time.

    Not bounded are what no socket of ours does: the resolver (its own time-outs hold) and the TLS handshake, where
    Python counts the connect time-out as a whole. Nothing is sent after either when the time is over by then.
    """
    exchange = Exchange()
    _WATCHDOG.watch(exchange, seconds)
    _CURRENT.exchange = exchange
    try:
        yield exchange
    finally:
        _CURRENT.exchange = None
        _WATCHDOG.forget(exchange)


def bound(manager: Any) -> Any:
    """Let the pools of that pool manager of urllib3 heed ``within``. Left alone: SOCKS, which has pools of its own."""
    if type(manager) in (PoolManager, ProxyManager):
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return manager


def one_context(manager: Any) -> Any:
    """Let all connections of that pool manager of urllib3 share one TLS context, and return the manager.

    Else urllib3 reads certificates and key anew for each: ten routes that are cut at once wait for ten times that.
    Left alone: proxies, which may be verified by the same files, and files that cannot be read, of which the first
    connection speaks.
    """
    given = manager.connection_pool_kw
    if isinstance(manager, ProxyManager):
        return manager
    files = {name: given.get(name) for name in ("ca_certs", "ca_cert_data", "cert_file", "key_file")}
    try:
        context = create_urllib3_context(cert_reqs=given.get("cert_reqs"))
        if files["ca_certs"] or files["ca_cert_data"]:
            context.load_verify_locations(cafile=files["ca_certs"], cadata=files["ca_cert_data"])
        else:
            context.load_default_certs()
        if files["cert_file"]:
            # No password: OpenSSL would ask the terminal for that of an encrypted key.
            context.load_cert_chain(files["cert_file"], files["key_file"], password="")
    except (OSError, ValueError):
        return manager
    for name in files:
        given.pop(name, None)
    given["ssl_context"] = context
    return manager


@dataclass(frozen=True)
class Limits:
    """Seconds of silence while connecting and while waiting, and of the whole exchange."""

    connect: float
    read: float
    total: float


@dataclass(frozen=True)
class Answer:
    """What came of one GET. ``headers`` are found by any case of their name; ``body`` is empty after a 101."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(manager: Any, url: str, headers: Mapping[str, str], limits: Limits, farewell: bytes = b"") -> Answer:
    """One GET by a bounded pool manager, not repeated and not redirected.

    ``farewell`` is what is sent when the server switches protocols (101), before the connection is closed.
    TimeoutError when the time ran out; else whatever urllib3 and the socket raise.
    """
    with within(limits.total) as exchange:
        try:
            response = manager.request(
                "GET", url, headers=dict(headers), timeout=Timeout(connect=limits.connect, read=limits.read),
                retries=False, redirect=False, preload_content=False,
            )  # fmt: skip
            connection = response.connection
            try:
                body = b"" if response.status == 101 else bytes(response.read())
                if response.status == 101 and farewell and getattr(connection, "sock", None) is not None:
                    connection.sock.sendall(farewell)
            finally:
                # A connection that speaks another protocol now is no good for the next request.
                if response.status == 101 and connection is not None:
                    connection.close()
                response.release_conn()
        except Exception:
            if not exchange.over:
                raise
    if exchange.over:
        raise TimeoutError(f"no whole answer came within {limits.total:g} s")
    return Answer(response.status, response.headers, body)


def _hold(connection: Any) -> None:
    exchange: Exchange | None = getattr(_CURRENT, "exchange", None)
    if exchange is not None:
        exchange.hold(connection)


class _Held:
    """Mixed into connections: each step of an exchange says which connection it is about."""

    sock: Any
    wire: Any = None

    def connect(self) -> None:
        _hold(self)
        super().connect()  # type: ignore[misc]
        _hold(self)

    def request(self, *args: Any, **kwargs: Any) -> None:
        _hold(self)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        self.wire = self.sock
        return super().getresponse()  # type: ignore[misc]


class _Released:
    """Mixed into pools: a connection that comes back is free for others."""

    def _put_conn(self, conn: Any) -> None:
        exchange: Exchange | None = getattr(_CURRENT, "exchange", None)
        if exchange is not None:
            exchange.release(conn)
        super()._put_conn(conn)  # type: ignore[misc]


class _PlainConnection(_Held, HTTPConnection):
    pass


class _TlsConnection(_Held, HTTPSConnection):
    pass


class _PlainPool(_Released, HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(_Released, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def silent(fault: Exception) -> bool:
    """Whether that means no answer came: a fault of the network or of the protocol, and none of ours."""
    return isinstance(fault, OSError) or type(fault).__module__.partition(".")[0] in ("urllib3", "http")
