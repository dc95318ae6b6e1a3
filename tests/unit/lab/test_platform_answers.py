# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platform's parts answer, and what the lab makes of it."""

from __future__ import annotations

import pytest
from tarslab.errors import LabError
from tarslab.platform import gateway, health, redis
from tarslab.platform.databases import Database


@pytest.mark.parametrize(
    ("answer", "pod"),
    [
        ("redis-1.redis.data.svc.cluster.local\n6379\n", "redis-1"),
        ("", None),
        ("\n", None),
        ("ERR No such master with that name", None),
        ("10.244.0.9\n6379", None),
    ],
)
def test_the_sentinels_answer_gives_the_pod(answer: str, pod: str | None) -> None:
    assert redis.parse_master(answer) == pod


@pytest.mark.parametrize(
    ("text", "connected"),
    [
        ("# TYPE envoy_control_plane_connected_state gauge\nenvoy_control_plane_connected_state{} 1\n", True),
        ("envoy_control_plane_connected_state{} 0\n", False),
        ("envoy_server_live{} 1\n", False),
        ("", False),
    ],
)
def test_the_gateways_figures_tell_the_connection(text: str, connected: bool) -> None:
    assert gateway.parse_connected(text) is connected


def test_a_broken_part_is_a_line_of_the_status() -> None:
    def broken() -> tuple[bool, str]:
        raise LabError("nobody there")

    assert health._line("db", broken) == ("db", "down", "nobody there")
    assert health._line("db", lambda: (True, "fine")) == ("db", "up", "fine")


def test_a_database_is_one_url() -> None:
    assert Database("h", 5432, "d", "u", "p-_1").dsn == "postgresql://u:p-_1@h:5432/d"
