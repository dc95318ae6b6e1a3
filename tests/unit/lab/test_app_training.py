# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The make-believe training of an agent follows the clock that it is given."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("prometheus_client", reason="the services' own library is not in this environment")

from tarsapp.metrics import AgentMetrics, Metrics
from tarsapp.training import MOST_EPISODES, Training


def trained(bad_reward: float, seconds: int) -> tuple[Metrics, Training]:
    metrics = Metrics("1")
    training = Training("ppo", AgentMetrics(metrics, "ppo"), bad_reward, random.Random(3), 1000.0)
    for second in range(0, seconds, 5):
        training.advance(1000.0 + second)
    return metrics, training


def value(metrics: Metrics, name: str) -> float:
    found = metrics.registry.get_sample_value(name, {"version": "1", "agent": "ppo"})
    assert found is not None
    return float(found)


def test_a_healthy_agent_is_above_what_the_runbook_expects() -> None:
    metrics, _saved = trained(0.0, 305)
    episodes = value(metrics, "agent_episode_reward_count")
    assert episodes == 600
    assert value(metrics, "agent_episode_reward_sum") / episodes == pytest.approx(205, abs=3)
    assert value(metrics, "agent_reward_mean") > 195
    assert value(metrics, "agent_policy_drift") < 0.05
    assert value(metrics, "hot_reload_duration_seconds_count") == 6


def test_bad_reward_falls_by_its_share_and_drifts() -> None:
    metrics, training = trained(0.3, 305)
    assert value(metrics, "agent_reward_mean") == pytest.approx(205 * 0.7, abs=8)
    assert training.mean < 150
    assert value(metrics, "agent_policy_drift") >= 0.3


def test_a_long_silence_is_not_made_up_for() -> None:
    metrics, training = trained(0.0, 5)
    training.advance(1e9)
    assert value(metrics, "agent_episode_reward_count") == MOST_EPISODES
