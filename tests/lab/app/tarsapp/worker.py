# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue worker: takes jobs from the stream, stores each exactly once, acknowledges it afterwards."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from . import database as sql
from .database import DatabaseError
from .jobs import STALE_SECONDS, Queue, QueueError
from .metrics import WorkerMetrics
from .services import save_values
from .state import State

BATCH = 16
PAUSE_SECONDS = 1.0
"""Wait after an error of Redis or the database."""

MOST_DELIVERIES = 5
"""A job that failed this often is put aside."""

log = logging.getLogger(__name__)


class Worker:
    """One consumer of the group; `stop` lets it finish the jobs in its hands."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._queue: Queue = state.queue
        self._metrics = WorkerMetrics(state.metrics)
        self._stopping = False
        self._looked = 0.0
        self.finished = False
        """Whether `run` has come to its end after `stop`, with no job in its hands."""

    def stop(self) -> None:
        """Take no more jobs."""
        self._stopping = True

    async def run(self) -> None:
        """Work until stopped; errors of Redis or the database are logged and tried again."""
        try:
            await self._work()
        finally:
            self.finished = True

    async def _work(self) -> None:
        opened = False
        while not self._stopping:
            try:
                if not opened:
                    await self._queue.open_group()
                    opened = True
                await self._round()
            except QueueError as error:
                log.warning("%s", error)
                opened = False
                await asyncio.sleep(PAUSE_SECONDS)

    async def _round(self) -> None:
        if time.monotonic() - self._looked >= STALE_SECONDS / 3:
            self._looked = time.monotonic()
            await self._look_around()
        await self._do_all(await self._queue.take(BATCH))

    async def _look_around(self) -> None:
        """Read the queue's length and take over what other workers have left behind."""
        depth, pending = await self._queue.depth()
        self._metrics.depth.set(depth)
        self._metrics.pending.set(pending)
        if pending:
            await self._do_all(await self._queue.take_stale(BATCH))

    async def _do_all(self, jobs: list[tuple[str, dict[str, Any]]]) -> None:
        for entry, job in jobs:
            await self._do(entry, job)

    async def _do(self, entry: str, job: dict[str, Any]) -> None:
        start = time.perf_counter()
        faults, rng = self._state.faults, self._state.rng
        await asyncio.sleep(faults.delay(rng))
        try:
            if faults.fails(rng):
                raise ValueError("this release fails a share of its jobs")
            new = await self._state.database.execute(sql.SAVE, *save_values(job, self._state.settings.region))
        except (DatabaseError, KeyError, TypeError, ValueError) as error:
            await self._failed(entry, job, error)
            return
        # Stored first, acknowledged second: a worker that dies in between leaves a job that the next one finds stored.
        await self._queue.done(entry)
        self._metrics.job("processed" if new else "duplicate")
        self._state.metrics.result(not faults.spoils(rng))
        self._state.metrics.evaluation_seconds.observe(time.perf_counter() - start)

    async def _failed(self, entry: str, job: dict[str, Any], error: Exception) -> None:
        log.warning("job %s failed: %s", entry, error)
        if isinstance(error, DatabaseError):
            # The database's trouble is not the job's fault: it waits until the job is stale and counts no delivery.
            await asyncio.sleep(PAUSE_SECONDS)
        elif await self._queue.deliveries(entry) >= MOST_DELIVERIES:
            await self._queue.bury(entry, job)
            self._metrics.job("dead")
            return
        self._metrics.job("failed")
