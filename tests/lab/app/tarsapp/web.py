# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side that all services have in common: headers, metrics, faults, probes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from .answers import refusal
from .database import DatabaseError
from .jobs import QueueError
from .services import routes
from .sockets import socket_routes
from .state import State

LONGEST_WAIT = 60.0
PLAIN_PATHS = frozenset({"/healthz", "/readyz", "/health", "/metrics"})
"""Paths of probes and scrapes: no fault ever strikes there, and they are not counted."""

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger(__name__)


def application(state: State) -> web.Application:
    """Return the application that plays the service named in the settings."""
    app = web.Application(middlewares=[web.middleware(partial(_counted, state))], client_max_size=64 * 1024)
    app.on_response_prepare.append(partial(_signed, state))
    app.add_routes(
        [
            web.get("/healthz", partial(_alive, state)),
            web.get("/health", partial(_health, state)),
            web.get("/readyz", partial(_ready, state)),
            web.get("/metrics", partial(_metrics, state)),
            *socket_routes(state),
            *routes(state),
        ]
    )
    return app


async def _counted(state: State, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count a request, let the release's faults have their way with it, and turn what breaks into an answer."""
    if request.path in PLAIN_PATHS:
        return await handler(request)
    start = time.perf_counter()
    state.in_flight += 1
    status = 499  # what a proxy notes when the client goes away before the answer
    try:
        response = await _guarded(state, request, handler)
        status = response.status
        return response
    finally:
        state.in_flight -= 1
        # A WebSocket is answered once it is open; how long it stays open is no latency.
        if status != 101:
            state.metrics.request(request.method, _template(request), status, time.perf_counter() - start)


async def _guarded(state: State, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        delay = state.faults.delay(state.rng) + _asked_delay(request)
        if delay:
            await asyncio.sleep(delay)
        # A WebSocket is many messages: whether it opens is no share of requests, and to a smoke request a draw of lots.
        if not _opens_socket(request) and state.faults.fails(state.rng):
            return refusal(500, "this release fails a share of its requests")
        return await handler(request)
    except web.HTTPException as error:
        return refusal(error.status, error.reason)
    except (DatabaseError, QueueError) as error:
        log.warning("%s %s: %s", request.method, request.path, error)
        return refusal(503, str(error))


def _opens_socket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _asked_delay(request: web.Request) -> float:
    """Return the seconds that `?ms=` asks an answer to take, at most LONGEST_WAIT."""
    text = request.query.get("ms", "")
    return min(int(text) / 1000, LONGEST_WAIT) if text.isdigit() else 0.0


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"


async def _signed(state: State, request: web.Request, response: web.StreamResponse) -> None:
    """Say on every answer who gave it; on the way out also ask the client (the gateway) to connect to somebody else."""
    response.headers["x-version"] = state.settings.version
    response.headers["x-service"] = state.settings.service
    response.headers["x-pod"] = state.settings.pod
    if state.draining and response.status != 101:
        response.force_close()
        response.headers["Connection"] = "close"


async def _alive(state: State, request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _health(state: State, request: web.Request) -> web.Response:
    settings = state.settings
    return web.json_response({"status": "ok", "version": settings.version, "service": settings.service})


async def _ready(state: State, request: web.Request) -> web.Response:
    if state.ready and not state.draining:
        return web.Response(text="ready\n")
    return web.Response(status=503, text="draining\n" if state.draining else "starting\n")


async def _metrics(state: State, request: web.Request) -> web.Response:
    if state.training is not None:
        state.training.advance(time.monotonic())
    return web.Response(body=state.metrics.text(), headers={"Content-Type": METRICS_TYPE})
