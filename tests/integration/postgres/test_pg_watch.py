# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build that takes long: what is seen of it, and that it ends when it shall."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault

Connection = psycopg.Connection[Any]
Module = Callable[..., Any]
SLOW = {"name": "ix", "table": "t", "columns": [{"expr": "slow(a)"}]}
# On this table: the module compares definitions by an index on a table of its own, and other tests build elsewhere.
BUILDS = """SELECT pid FROM pg_stat_progress_create_index
    WHERE datname = current_database() AND relid = 't'::regclass"""


@pytest.fixture
def slow(connection: Connection) -> None:
    """A build on its results takes a minute."""
    body = "BEGIN PERFORM pg_sleep(0.001); RETURN i; END"
    connection.execute(f"CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS '{body}'".encode())


def building(database: dict[str, Any], act: Callable[[Connection, int], None]) -> threading.Thread:
    """Do something, with a connection and the building process, as soon as there is one."""

    def wait() -> None:
        with psycopg.connect(**database, autocommit=True) as other:
            while (found := other.execute(BUILDS).fetchone()) is None:
                time.sleep(0.05)
            act(other, found[0])

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_the_deadline_holds_although_the_monitor_is_lost(
    database: dict[str, Any], connection: Connection, call: Module, slow: None
) -> None:
    def end_monitor(other: Connection, builder: int) -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tars%%' "
        ended = other.execute(query + "AND leader_pid IS NULL AND pid <> %s", [builder]).fetchall()
        assert ended == [(True,)]

    thread = building(database, end_monitor)
    began = time.monotonic()
    with pytest.raises(IndexFault) as caught:
        call(**SLOW, timeout=5.0, max_parallel_maintenance_workers=0)
    thread.join()
    assert caught.value.reason == "timeout" and 5 <= time.monotonic() - began < 15
    assert connection.execute(BUILDS).fetchall() == []
    assert caught.value.fields["leftover"] in ("removed", "renamed_aside")
    assert connection.execute("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass").fetchone() == (0,)


def test_who_waits_behind_a_build_is_shown(
    database: dict[str, Any], connection: Connection, call: Module, slow: None
) -> None:
    def alter(other: Connection, builder: int) -> None:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SET lock_timeout = '4s'")
            other.execute("ALTER TABLE t ADD COLUMN c int")

    thread, said = building(database, alter), []
    with pytest.raises(IndexFault) as caught:
        call(**SLOW, said=said, timeout=10.0, max_parallel_maintenance_workers=0)
    thread.join()
    queries = [one["query"] for one in caught.value.fields["queue_behind"]]
    assert queries == ["ALTER TABLE t ADD COLUMN c int"]
    assert any("building index: scanning table" in line and "1 wait behind us" in line for line in said)
