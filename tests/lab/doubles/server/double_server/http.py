# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP: aiohttp requests become calls, replies become responses. Works with aiohttp 3.8 (Debian bookworm) and later."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiohttp import web

from .call import Call
from .server import Server


def application(server: Server) -> web.Application:
    """The application: everything goes to the server."""

    async def handle(request: web.Request) -> web.StreamResponse:
        call = Call(
            method=request.method,
            path=request.path,
            args={},
            query=list(request.query.items()),
            headers=request.headers,
            raw=await request.read(),
        )
        reply = server.answer(call)
        if call.hang:
            await asyncio.sleep(call.hang)
        if reply.drop and request.transport is not None:
            request.transport.abort()
        if reply.text is not None:
            kind = "text/html" if reply.text.lstrip().startswith("<") else "text/plain"
            return web.Response(text=reply.text, status=reply.status, content_type=kind, headers=dict(reply.headers))
        if reply.status == 204:
            return web.Response(status=204, headers=dict(reply.headers))
        return web.json_response(reply.json, status=reply.status, headers=dict(reply.headers))

    app = web.Application()
    # A line end in a path is a path too: `.` alone would leave it to the framework, whose 404 is plain text.
    app.router.add_route("*", "/{any:(?s:.*)}", handle)
    return app


async def serve(server: Server, host: str, port: int, tls: ssl.SSLContext | None = None) -> tuple[web.AppRunner, Any]:
    """Start serving; returns the runner (its `cleanup()` ends it) and the address in use."""
    runner = web.AppRunner(application(server), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls).start()
    return runner, runner.addresses[0]
