# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis through Sentinel: the stream of jobs between the services that order work and the workers that do it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .config import Settings

GROUP = "workers"
MOST_JOBS = 10_000
"""Length at which the stream drops its oldest jobs (roughly), so that a lab without workers does not fill up."""

CONNECT_SECONDS = 2.0
BLOCK_SECONDS = 5.0
STALE_SECONDS = 15.0
"""A job that its worker has held this long is given to another one."""


class QueueError(Exception):
    """Redis did not answer; the text is a sentence for logs and answers."""


class Queue:
    """The region's job stream. Every method raises QueueError when Redis (or Sentinel) does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stream = f"{settings.redis_prefix}:jobs"
        self._dead = f"{settings.redis_prefix}:jobs:dead"
        self._consumer = settings.pod
        self._client: Any = None

    async def put(self, job: dict[str, Any]) -> str:
        """Append a job; return its entry id."""
        async with self._answering() as redis:
            entry = await redis.xadd(self._stream, {"job": json.dumps(job)}, maxlen=MOST_JOBS, approximate=True)
            return str(entry)

    async def open_group(self) -> None:
        """Make the stream and its consumer group where they are missing."""
        async with self._answering() as redis:
            known = await redis.exists(self._stream) and await redis.xinfo_groups(self._stream)
            if not any(group["name"] == GROUP for group in known or []):
                await redis.xgroup_create(self._stream, GROUP, id="0", mkstream=True)

    async def take(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """Return new jobs as (entry id, job); waits up to BLOCK_SECONDS for the first one."""
        async with self._answering() as redis:
            answer = await redis.xreadgroup(
                GROUP, self._consumer, {self._stream: ">"}, count=count, block=int(BLOCK_SECONDS * 1000)
            )
            return _jobs(answer[0][1] if answer else [])

    async def take_stale(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """Take over jobs that another worker (or this one) took and has not finished for STALE_SECONDS."""
        async with self._answering() as redis:
            answer = await redis.execute_command(
                "XAUTOCLAIM", self._stream, GROUP, self._consumer, int(STALE_SECONDS * 1000), "0-0", "COUNT", count
            )
            return _jobs([(entry, dict(zip(f[::2], f[1::2], strict=True))) for entry, f in answer[1] if f])

    async def deliveries(self, entry: str) -> int:
        """Return how often a pending job was handed out."""
        async with self._answering() as redis:
            found = await redis.xpending_range(self._stream, GROUP, min=entry, max=entry, count=1)
            return int(found[0]["times_delivered"]) if found else 0

    async def done(self, entry: str) -> None:
        """Acknowledge a job and take it out of the stream, whose length so stays the number of open jobs."""
        async with self._answering() as redis, redis.pipeline(transaction=True) as pipe:
            await pipe.xack(self._stream, GROUP, entry).xdel(self._stream, entry).execute()

    async def bury(self, entry: str, job: dict[str, Any]) -> None:
        """Put a job that fails again and again aside."""
        async with self._answering() as redis, redis.pipeline(transaction=True) as pipe:
            pipe.xadd(self._dead, {"job": json.dumps(job)}, maxlen=1000, approximate=True)
            await pipe.xack(self._stream, GROUP, entry).xdel(self._stream, entry).execute()

    async def depth(self) -> tuple[int, int]:
        """Return (open jobs, those of them that a worker holds)."""
        async with self._answering() as redis:
            held = await redis.xpending(self._stream, GROUP) if await redis.exists(self._stream) else {}
            return int(await redis.xlen(self._stream)), int(held.get("pending", 0))

    async def leave(self) -> None:
        """Take this consumer out of the group, unless it still holds jobs (these go to others when they are stale)."""
        async with self._answering() as redis:
            mine = [c for c in await redis.xinfo_consumers(self._stream, GROUP) if c["name"] == self._consumer]
            if mine and not mine[0]["pending"]:
                await redis.xgroup_delconsumer(self._stream, GROUP, self._consumer)

    async def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            await self._client.connection_pool.disconnect()

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[Any]:
        if not self._settings.sentinels:
            raise QueueError("this service was started without TARS_REDIS_SENTINELS")
        from redis.exceptions import RedisError  # here, because services that never ask shall not carry it in memory

        try:
            yield self._connected()
        except (RedisError, OSError) as error:
            raise QueueError(f"Redis did not answer: {type(error).__name__} {error}".strip()) from error

    def _connected(self) -> Any:
        if self._client is None:
            from redis.asyncio.sentinel import Sentinel

            password = self._settings.redis_password or None
            sentinel = Sentinel(
                self._settings.sentinels,
                sentinel_kwargs={"socket_timeout": CONNECT_SECONDS, "socket_connect_timeout": CONNECT_SECONDS},
            )
            self._client = sentinel.master_for(
                self._settings.redis_master,
                db=self._settings.redis_db,
                password=password,
                decode_responses=True,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=BLOCK_SECONDS + CONNECT_SECONDS,
            )
        return self._client


def _jobs(entries: list[tuple[str, dict[str, str]]]) -> list[tuple[str, dict[str, Any]]]:
    return [(entry, json.loads(values["job"])) for entry, values in entries]
