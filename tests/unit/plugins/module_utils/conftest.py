# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on loopback and a clock that nobody waits for."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes one example slow by chance: properties say what is true, never how fast.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


class FakeClock:
    """Time passes only by ``sleep``; remembers what was slept for."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.time

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float, doing: str) -> None:
        assert seconds >= 0 and doing
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def new_clock() -> type[FakeClock]:
    """For properties, which need a new clock per example. Tests never import this file: each runner names it anew."""
    return FakeClock


@dataclass
class Server:
    """A running server: its URL and every request that reached it (method, path, headers in lower case, body)."""

    url: str
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def reply(self, handler: BaseHTTPRequestHandler, status: int, body: bytes = b"{}", **headers: str) -> None:
        """Answer; underscores in header names stand for dashes."""
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)


Behaviour = Callable[[BaseHTTPRequestHandler, Server], None]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers that behave as told: ``serve(lambda handler, server: server.reply(handler, 200))``."""
    running: list[ThreadingHTTPServer] = []

    def begin(behave: Behaviour, context: ssl.SSLContext | None = None) -> Server:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    # The client went away in the middle; some tests are about just that.
                    self.close_connection = True

            def any_method(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {key.lower(): value for key, value in self.headers.items()}
                server.seen.append((self.command, self.path, headers, body))
                behave(self, server)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = any_method

            def log_message(self, *args: Any) -> None:
                """Nothing on the terminal."""

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        httpd.daemon_threads = True
        if context is not None:
            httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        server = Server(f"http{'s' if context else ''}://127.0.0.1:{httpd.server_port}")
        threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
        running.append(httpd)
        return server

    yield begin
    for httpd in running:
        httpd.shutdown()
        httpd.server_close()


@pytest.fixture
def dripping() -> Iterator[Callable[..., str]]:
    """Starts servers that never end their headers: ``dripping()`` gives the address, ``dripping(tls)`` one with TLS."""
    over = threading.Event()
    listeners: list[socket.socket] = []

    def talk(connection: socket.socket, context: ssl.SSLContext | None, start: bytes) -> None:
        with contextlib.suppress(OSError), connection:
            wire = context.wrap_socket(connection, server_side=True) if context else connection
            wire.recv(65536)
            wire.sendall(start)
            while not over.wait(0.05):
                wire.sendall(b"x")

    def serve(listener: socket.socket, context: ssl.SSLContext | None, start: bytes) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                threading.Thread(target=talk, args=(connection, context, start), daemon=True).start()

    def begin(context: ssl.SSLContext | None = None, start: bytes = b"HTTP/1.1 200 OK\r\nX-Long: ") -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, context, start), daemon=True).start()
        return f"http{'s' if context else ''}://127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    over.set()
    for listener in listeners:
        # Closing alone does not wake the thread that accepts.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@dataclass
class Authority:
    """Files of a certificate authority, of a server for 127.0.0.1 and of a client, all signed by it."""

    ca: str
    server: str
    client_cert: str
    client_key: str

    def context(self, demand_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        if demand_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl program is not installed, so no certificates can be made")
    folder = tmp_path_factory.mktemp("tls")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test ca")
    for name in ("server", "client"):
        run("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext")
        run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing)
    both = folder / "server.both"
    both.write_text((folder / "server.pem").read_text() + (folder / "server.key").read_text())
    return Authority(*(str(Path(folder, name)) for name in ("ca.pem", "server.both", "client.pem", "client.key")))
