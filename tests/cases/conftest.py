# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases",
        metavar="PATH",
        default=str(HERE / "gate_cases.json"),
        help="a file of the format gate-cases/1, or a folder of such files",
    )
    parser.addoption("--dsn", help="a running primary for the database cases, instead of one that they start")
    parser.addoption("--standby-dsn", help="its standby; without it one is made by pg_basebackup")
    parser.addoption("--pgbouncer-dsn", help="a PgBouncer before it that pools transactions; without it one is started")
    parser.addoption("--postgres", type=int, help="the major version of PostgreSQL to start")
    parser.addoption(
        "--through-prometheus",
        action="store_true",
        help="play the cases through a real Prometheus instead of straight against the gate",
    )
