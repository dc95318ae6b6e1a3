# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server on the loopback that answers each service (by Host) well or badly: what the load is tested against."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator

from aiohttp import WSCloseCode, web

VERSION = "1.0.0"


class Gateway:
    """Counts what it was asked, so that a test can compare it with what the generator says it sent."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[str] = []
        self.connections: set[tuple[str, int]] = set()
        self._by_peer: Counter[tuple[str, int]] = Counter()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_get("/", self._answer)
        app.router.add_get("/ws", self._websocket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.run_until_complete(self._end_tasks())
        self._loop.close()

    async def _end_tasks(self) -> None:
        """Handlers that still hang, on purpose, must not outlive their loop."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        service = request.host.split(".")[0]
        self.seen.append(service)
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        headers = {"x-version": VERSION, "x-service": service}
        match service:
            case "error":
                return web.Response(status=500, headers=headers)
            case "no-route":
                return web.Response(status=404)
            case "redirect":
                return web.Response(status=302, headers={"Location": "/elsewhere"})
            case "reset":
                request.transport.abort()
            case "second-reset":
                # Ends a kept connection at its second request, as a server does whose idle time is over.
                peer = request.transport.get_extra_info("peername")
                self._by_peer[peer] += 1
                if self._by_peer[peer] > 1:
                    request.transport.abort()
            case "hang":
                await asyncio.sleep(30)
            case "slow":
                await asyncio.sleep(0.5)
            case "stranger":
                return web.Response(text="hello")
            case "wrong":
                headers["x-service"] = "another"
            case "half":
                response = web.StreamResponse(headers={**headers, "Content-Length": "100"})
                await response.prepare(request)
                await response.write(b"half")
                request.transport.close()
                return response
        return web.Response(text="ok", headers=headers)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        service = request.host.split(".")[0]
        if service == "plain":
            return web.Response(text="no upgrade", headers={"x-version": VERSION})
        if service == "error":
            return web.Response(status=503)
        response = web.WebSocketResponse()
        response.headers["x-version"] = VERSION
        await response.prepare(request)
        for number in range(1000):
            if service != "silent":
                await response.send_str(f"{VERSION} pod-1\n")
            if number == 3 and service == "closing":
                await response.close(code=WSCloseCode.GOING_AWAY)
                break
            if number == 3 and service == "aborting":
                assert request.transport is not None
                request.transport.abort()
                break
            await asyncio.sleep(0.05)
        return response


@contextlib.contextmanager
def serving() -> Iterator[Gateway]:
    """A gateway that is gone afterwards."""
    gateway = Gateway()
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def closed_port() -> int:
    """A port on which nobody listens (it was free a moment ago)."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
