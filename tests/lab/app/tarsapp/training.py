# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The make-believe training of an RL agent: rewards, drift and hot reloads that look like the real thing.

Nothing runs in the background. The course of the training is worked out when somebody asks for metrics, from the time
that has passed, so an idle agent costs nothing.
"""

from __future__ import annotations

import random

from .metrics import AgentMetrics

BASE_REWARD = {"dqn": 195.0, "a2c": 185.0, "ppo": 205.0, "ddpg": 175.0}
"""Mean reward of a healthy agent (runbook 000 expects more than 150)."""

SPREAD = 12.0
EPISODES_PER_SECOND = 2.0
MOST_EPISODES = 600
"""Episodes worked out at once at most, when nobody has asked for a long time."""

RELOAD_EVERY = 60.0
MEMORY = 0.03
"""Weight of an episode in the running mean."""


class Training:
    """One agent's course; `now` is any clock in seconds that only goes forward."""

    def __init__(self, agent: str, metrics: AgentMetrics, bad_reward: float, rng: random.Random, now: float) -> None:
        self._metrics = metrics
        self._rng = rng
        self._level = BASE_REWARD[agent] * (1 - bad_reward)
        self._harm = bad_reward
        self._mean = self._level
        self._last = now
        self._reload_at = now
        self.advance(now)

    def advance(self, now: float) -> None:
        """Work out what has happened since the last call."""
        episodes = min(int((now - self._last) * EPISODES_PER_SECOND), MOST_EPISODES)
        if episodes:
            self._last = now
        for _round in range(episodes):
            reward = self._rng.gauss(self._level, SPREAD)
            self._metrics.reward.observe(reward)
            self._mean += MEMORY * (reward - self._mean)
        if now >= self._reload_at:
            self._reload_at = now + RELOAD_EVERY
            self._metrics.reloads.observe(max(0.005, self._rng.gauss(0.04, 0.012)))
        self._metrics.reward_mean.set(self._mean)
        self._metrics.drift.set(min(1.0, 0.02 + self._harm + abs(self._rng.gauss(0, 0.004))))

    @property
    def mean(self) -> float:
        """The running mean of the rewards."""
        return self._mean
