# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSockets: each service sends a line now and then that says which version and pod the client is connected to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from functools import partial

from aiohttp import WSCloseCode, WSMsgType, web

from .state import State

LINE_SECONDS = 1.0
CLOSE_SECONDS = 2.0
"""How long a client may take to answer a close frame."""


def socket_routes(state: State) -> list[web.RouteDef]:
    """Return `/ws` and the statistics of runbook 001."""
    return [
        web.get("/ws", partial(_socket, state)),
        web.get("/api/v1/websocket/stats", partial(_statistics, state)),
    ]


async def _socket(state: State, request: web.Request) -> web.StreamResponse:
    """Serve one WebSocket until either side ends it; a process that drains ends it with 1001 (going away)."""
    if request.query.get("reconnect") == "1":
        state.metrics.reconnections.inc()
    socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, autoping=True)
    await socket.prepare(request)
    state.sockets += 1
    state.metrics.websockets.set(state.sockets)
    tasks = [asyncio.ensure_future(job) for job in (_lines(state, socket), _replies(socket), state.goodbye.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"draining")
        state.sockets -= 1
        state.metrics.websockets.set(state.sockets)
        # The client's own code is an echo where the service has spoken first.
        said = WSCloseCode.GOING_AWAY if state.goodbye.is_set() else socket.close_code
        state.metrics.disconnection(said or WSCloseCode.ABNORMAL_CLOSURE)
    return socket


async def _lines(state: State, socket: web.WebSocketResponse) -> None:
    settings = state.settings
    line = {"service": settings.service, "version": settings.version, "pod": settings.pod}
    while True:
        await socket.send_str(json.dumps({**line, "time": round(time.time(), 3)}))
        await asyncio.sleep(LINE_SECONDS)


async def _replies(socket: web.WebSocketResponse) -> None:
    """Send back what the client says; ends when the client does."""
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)


async def _statistics(state: State, request: web.Request) -> web.Response:
    return web.json_response({"connections": state.sockets})
