# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for every integration test that asks; what nobody asks for is neither started nor imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tars_servers import PostgresServer, PrometheusServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A primary that tests share: use ``database``, and leave its settings, roles and life alone."""
    from tars_servers import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_standby(postgres: PostgresServer) -> PostgresServer:
    """The shared primary's streaming standby; it ends with its primary."""
    return postgres.standby("shared")


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[dict[str, Any]]:
    """A database of the test's own on the shared primary, as keywords of ``psycopg.connect``."""
    with postgres.database() as params:
        yield params


@pytest.fixture(scope="session")
def prometheus() -> Iterator[PrometheusServer]:
    """A Prometheus that scrapes nothing, for questions about its API."""
    from tars_servers import PrometheusServer

    with PrometheusServer() as server:
        yield server
