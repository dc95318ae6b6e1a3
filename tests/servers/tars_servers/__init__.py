# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real PostgreSQL, PgBouncer and Prometheus processes on loopback for tests, without Kubernetes or installing.

    with PostgresServer(settings={"max_connections": 20}) as primary:
        standby = primary.standby("replica")
    with PrometheusServer({"scrape_configs": [...]}) as prometheus:
        prometheus.query("up")

A server ends with its ``with`` block, and also when the process that started it is killed; nothing of it stays behind.
"""

from __future__ import annotations

from .errors import ProgramMissing, ServerError
from .pgbouncer import PgBouncer
from .postgres import PostgresServer
from .prometheus import PrometheusServer
from .registry import RegistryServer

__all__ = ["PgBouncer", "PostgresServer", "ProgramMissing", "PrometheusServer", "RegistryServer", "ServerError"]
