# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: a small pool that is opened by the first query, and the few queries that the services ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

CONNECT_SECONDS = 3.0
QUERY_SECONDS = 5.0
POOL_SIZE = 2
IDLE_SECONDS = 60.0

SAVE = (
    "INSERT INTO evaluations (evaluation_id, mission_id, agent_id, region, environment, reward, status) "
    "VALUES ($1, $2, $3, $4, $5, $6, 'completed') ON CONFLICT (evaluation_id) DO NOTHING"
)
_EVALUATION = "SELECT evaluation_id, mission_id, agent_id, environment, reward, status, created_at FROM evaluations"
READ = f"{_EVALUATION} WHERE evaluation_id = $1"
RECENT = f"{_EVALUATION} ORDER BY id DESC LIMIT $1"
MISSIONS = "SELECT id, name, status, created_at FROM missions WHERE status = $1 ORDER BY created_at DESC LIMIT $2"
TRACES = "SELECT trace_id, span_id, service, duration_ms, created_at FROM traces ORDER BY id DESC LIMIT $1"
AGENTS = "SELECT id, kind, status, policy_version FROM agents ORDER BY id"
REWARDS = (
    "SELECT agent_id, count(*) AS evaluations, avg(reward) AS mean_reward "
    "FROM (SELECT agent_id, reward FROM evaluations ORDER BY id DESC LIMIT 500) AS latest "
    "GROUP BY agent_id ORDER BY agent_id"
)


class DatabaseError(Exception):
    """The database did not answer a query; the text is a sentence for logs and answers."""


class Database:
    """The region's database. `observe` gets the seconds of each query."""

    def __init__(self, dsn: str, application: str, observe: Callable[[float], None]) -> None:
        self._dsn = dsn
        self._application = application
        self._observe = observe
        self._pool: Any = None
        self._lock = asyncio.Lock()

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries. Raises DatabaseError."""
        return [dict(row) for row in await self._ask("fetch", query, *values)]

    async def execute(self, query: str, *values: Any) -> bool:
        """Run a statement; return whether it changed a row. Raises DatabaseError."""
        tag: str = await self._ask("execute", query, *values)
        return not tag.endswith(" 0")

    async def close(self) -> None:
        """Give all connections back."""
        if self._pool is not None:
            self._pool.terminate()

    async def _ask(self, method: str, query: str, *values: Any) -> Any:
        if not self._dsn:
            raise DatabaseError("this service was started without TARS_DATABASE_DSN")
        import asyncpg  # here, because services that never ask shall not carry it in memory

        start = time.perf_counter()
        try:
            pool = await self._connected(asyncpg)
            return await getattr(pool, method)(query, *values, timeout=QUERY_SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseError(f"the database did not answer: {type(error).__name__} {error}".strip()) from error
        finally:
            self._observe(time.perf_counter() - start)

    async def _connected(self, asyncpg: Any) -> Any:
        async with self._lock:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=POOL_SIZE,
                    max_inactive_connection_lifetime=IDLE_SECONDS,
                    timeout=CONNECT_SECONDS,
                    server_settings={"application_name": self._application},
                )
            return self._pool
