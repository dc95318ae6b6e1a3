# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From start to end: serve, leave without losing a request, or break as the release's faults say."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from .config import Settings
from .jobs import QueueError
from .state import State
from .web import application
from .worker import Worker

MIB = 1024 * 1024
LEAK_STEP_SECONDS = 1.0
POLL_SECONDS = 0.05
CUT_SECONDS = 0.1
KEPT_SECONDS = 2 * 3600.0
log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Play the service until SIGTERM or SIGINT, then drain. Raises OSError when the port is taken."""
    state = State(settings)
    stop = asyncio.Event()
    _on_signals(state, stop)
    runner = web.AppRunner(
        application(state),
        access_log=None,
        handle_signals=False,
        # Longer than Envoy keeps an idle connection (an hour): who closes it meets no request that is on its way.
        keepalive_timeout=KEPT_SECONDS,
    )
    await runner.setup()
    # The listening socket is ours and not the runner's: it must close long before the runner cuts connections.
    assert runner.server is not None
    server = await asyncio.get_running_loop().create_server(
        runner.server, "0.0.0.0", settings.port, backlog=512, reuse_address=True
    )
    worker = Worker(state) if settings.service == "worker" else None
    tasks = [asyncio.create_task(worker.run())] if worker else []
    tasks += [asyncio.create_task(job) for job in _fault_jobs(state)]
    state.ready = True
    gc.freeze()  # what start-up has made stays for good: the collector need not walk it again and again
    log.info(
        "%s %s in %s serves; faults: %s", settings.service, settings.version, settings.region, state.faults.active()
    )
    await _stopped_or_broken(stop, tasks)
    await drain(state, server, worker)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # What is still open after the drain is cut: the runner's own clearing up would wait for it again.
    await runner.server.shutdown(CUT_SECONDS)
    await runner.cleanup()
    await state.close()


async def drain(state: State, server: asyncio.AbstractServer, worker: Worker | None) -> None:
    """Leave in good order.

    Readiness fails at once; requests are still answered for `drain` seconds, because routers need a moment to turn
    away; then WebSockets end with 1001, no connection is accepted any more, and requests in flight are waited for.
    """
    settings = state.settings
    state.draining = True
    log.info("draining: %d requests in flight", state.in_flight)
    if worker is not None:
        worker.stop()
    await asyncio.sleep(settings.drain)
    server.close()
    state.goodbye.set()
    until = asyncio.get_running_loop().time() + settings.drain_limit
    while (state.in_flight or (worker and not worker.finished)) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(POLL_SECONDS)
    if worker is not None:
        with contextlib.suppress(QueueError):  # a consumer without jobs that stays in the group harms nobody
            await state.queue.leave()
    log.info("drained: %d requests left", state.in_flight)


async def _stopped_or_broken(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the signal; a task that ends before with an error is a bug and ends the process with its traceback."""
    told = asyncio.create_task(stop.wait())
    done, _waiting = await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    for task in done:
        task.result()


def _on_signals(state: State, stop: asyncio.Event) -> None:
    def told_to_stop() -> None:
        if state.faults.bad_drain == "exit":
            os._exit(0)
        if state.faults.bad_drain == "hang":
            log.info("this release does not react to SIGTERM")
            return
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop)


def _fault_jobs(state: State) -> list[Coroutine[Any, Any, None]]:
    jobs: list[Coroutine[Any, Any, None]] = []
    if state.faults.crash_loop:
        jobs.append(_crash(state.faults.crash_loop))
    if state.faults.leak_mib_per_min:
        jobs.append(_leak(state.faults.leak_mib_per_min))
    return jobs


async def _crash(seconds: float) -> None:
    await asyncio.sleep(seconds)
    log.error("this release crashes %g s after its start", seconds)
    logging.shutdown()
    os._exit(1)


async def _leak(mib_per_minute: float) -> None:
    kept: list[bytes] = []
    size = int(mib_per_minute * MIB * LEAK_STEP_SECONDS / 60)
    while True:
        await asyncio.sleep(LEAK_STEP_SECONDS)
        kept.append(b"\x01" * size)  # written, so that the pages are really taken
