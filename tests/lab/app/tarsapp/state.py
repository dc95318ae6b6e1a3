# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of one running process share."""

from __future__ import annotations

import asyncio
import random
import time

from .config import Settings
from .database import Database
from .jobs import Queue
from .metrics import AgentMetrics, Metrics
from .training import Training


class State:
    """One process: its settings, its connections, its metrics, and whether it is ready or on its way out."""

    def __init__(self, settings: Settings, rng: random.Random | None = None) -> None:
        self.settings = settings
        self.faults = settings.faults
        self.rng = rng or random.Random()
        self.metrics = Metrics(settings.version)
        application = f"tars-{settings.service}"
        self.database = Database(settings.dsn, application, self.metrics.query_seconds.observe)
        self.queue = Queue(settings)
        self.training: Training | None = None
        if settings.is_agent:
            agent = AgentMetrics(self.metrics, settings.service)
            reward = self.faults.bad_reward
            self.training = Training(settings.service, agent, reward, self.rng, time.monotonic())
        self.ready = False
        self.draining = False
        self.in_flight = 0
        self.sockets = 0
        self.goodbye = asyncio.Event()
        """Set when open WebSockets shall end."""

    async def close(self) -> None:
        """Give all connections back."""
        await self.database.close()
        await self.queue.close()
