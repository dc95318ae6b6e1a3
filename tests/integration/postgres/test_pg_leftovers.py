# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed build leaves is found by the next run, whatever it was called; what another builds is left alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._pg_index import options
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import facts
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault

Connection = psycopg.Connection[Any]
Module = Callable[..., Any]


def indexes(connection: Connection) -> dict[str, bool]:
    query = "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid >= 16384 AND indrelid IN ("
    query += "SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) ORDER BY 1"
    return dict(connection.execute(query.encode()).fetchall())


@contextmanager
def open_transaction(database: dict[str, Any], statement: str) -> Iterator[None]:
    """One that is older than a moment, so that it counts as in the way."""
    with psycopg.connect(**database) as other:
        other.execute(statement.encode())
        time.sleep(1.2)
        yield
        other.rollback()


@pytest.fixture
def parted(connection: Connection) -> None:
    connection.execute("CREATE TABLE p (k int, a int) PARTITION BY RANGE (k)")
    for name, low in (("p1", 0), ("p2", 10)):
        connection.execute(f"CREATE TABLE {name} PARTITION OF p FOR VALUES FROM ({low}) TO ({low + 10})".encode())
    connection.execute("INSERT INTO p SELECT i % 20, i FROM generate_series(1, 1000) i")


def test_a_failed_replacement_leaves_nothing_for_ever(
    database: dict[str, Any], connection: Connection, call: Module
) -> None:
    connection.execute("CREATE INDEX ix ON t (b)")
    wish = {"name": "ix", "table": "t", "columns": ["a"], "unique": True, "on_drift": "replace"}
    with open_transaction(database, "SELECT count(*) FROM t"), pytest.raises(IndexFault) as caught:
        call(**wish)
    assert (caught.value.sqlstate, caught.value.fields["leftover"]) == ("23505", "renamed_aside")
    assert indexes(connection) == {"ix": True, "ix_tars_left1": False}
    assert call(name="ix", table="t", columns=["b"])["swept"] == ["public.ix_tars_left1"]
    assert indexes(connection) == {"ix": True}


def test_what_is_left_at_a_partition_goes_with_the_next_run(
    database: dict[str, Any], connection: Connection, call: Module, parted: None
) -> None:
    connection.execute("INSERT INTO p VALUES (1, 1)")
    wish = {"name": "ix", "table": "p", "columns": ["k", "a"], "unique": True}
    with open_transaction(database, "SELECT count(*) FROM p1"), pytest.raises(IndexFault) as caught:
        call(**wish, wait_for_blockers=1.0)
    assert caught.value.sqlstate == "23505"
    assert indexes(connection)["p1_ix_tars_left1"] is False
    connection.execute("DELETE FROM p WHERE ctid IN (SELECT max(ctid) FROM p1 GROUP BY k, a HAVING count(*) > 1)")
    foreseen = call(**wish, check=True)
    assert (
        "sweep" in foreseen["would"]
        and 'DROP INDEX CONCURRENTLY IF EXISTS "public"."p1_ix_tars_left1"' in (foreseen["queries"])
    )
    assert call(**wish)["swept"] == ["public.p1_ix_tars_left1"]
    assert indexes(connection) == {"ix": True, "p1_ix": True, "p2_ix": True}


def test_a_killed_rebuild_of_a_partitions_index_leaves_nothing(
    connection: Connection, call: Module, parted: None
) -> None:
    wish = {"name": "ix", "table": "p", "columns": ["a"]}
    call(**wish)
    connection.execute("CREATE INDEX p1_ix_ccnew ON p1 (a)")
    for name in ("ix", "p1_ix", "p1_ix_ccnew"):
        connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
    assert call(**wish)["repaired"] == "invalid_rebuilt"
    assert indexes(connection) == {"ix": True, "p1_ix": True, "p2_ix": True}
    # A user's own that failed is left, as on a plain table, unless it is asked for.
    connection.execute("CREATE INDEX p1_ix_ccnew ON p1 (a)")
    connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'p1_ix_ccnew'::regclass")
    assert call(**wish)["changed"] is False
    assert call(**wish, sweep_leftovers=True)["swept"] == ["public.p1_ix_ccnew"]


@contextmanager
def a_build_of_another(database: dict[str, Any], statement: str, table: str) -> Iterator[psycopg.Connection[Any]]:
    """It waits behind a writer, who is handed out."""
    with psycopg.connect(**database) as writer, psycopg.connect(**database, autocommit=True) as other:
        writer.execute(f"UPDATE {table} SET a = a".encode())
        thread = threading.Thread(target=other.execute, args=(statement.encode(),))
        thread.start()
        with psycopg.connect(**database, autocommit=True) as look:
            seen = """SELECT 1 FROM pg_stat_progress_create_index
                WHERE datname = current_database() AND relid = %s::regclass"""
            while look.execute(seen, [table]).fetchone() is None:
                time.sleep(0.05)
        try:
            yield writer
        finally:
            writer.rollback()
            thread.join()


def test_a_build_of_another_is_not_cleaned_up(
    database: dict[str, Any], connection: Connection, ports: Callable[..., Call]
) -> None:
    made = ports(name="ix", table="t", columns=["a"])
    work, said = Work(made, options.address(made.params)), []
    try:
        table = facts.find_table(work.monitor, options.all_wanted(made.params)[0])
        with a_build_of_another(database, "CREATE INDEX CONCURRENTLY ix ON t (a)", "t"):
            assert (work.clean_up("public", "ix", table, "ix", said), said) == ("none", [])
    finally:
        work.close()
    assert indexes(connection) == {"ix": True}


def test_a_build_of_another_on_a_partition_is_adopted(
    database: dict[str, Any], connection: Connection, call: Module, parted: None
) -> None:
    with a_build_of_another(database, "CREATE INDEX CONCURRENTLY mine ON p1 (a)", "p1") as writer:
        threading.Timer(2.0, writer.rollback).start()
        result = call(name="ix", table="p", columns=["a"], wait_for_blockers=1.0)
    assert (result["adopted"], result["partitions_built"]) == (True, 1)
    assert indexes(connection) == {"ix": True, "mine": True, "p2_ix": True}


@pytest.mark.parametrize(
    "before",
    [
        [],
        ["CREATE INDEX ix ON t (b)"],
        ["CREATE INDEX ix ON t (b)", "CREATE INDEX ix_tars_new ON t (lower(b), a)"],
        ["CREATE INDEX ix ON t (b)", "CREATE INDEX ix_tars_new ON t (b)", "CREATE INDEX ix_tars_old1 ON t (a)"],
        ["CREATE INDEX ix ON t (lower(b), a)", "INVALID ix"],
        ["CREATE INDEX ix ON t (lower(b), a)", "CREATE INDEX ix_tars_left1 ON t (a)", "INVALID ix_tars_left1"],
    ],
)
def test_check_mode_says_the_very_sql_of_the_run(connection: Connection, call: Module, before: list[str]) -> None:
    for statement in before:
        if statement.startswith("INVALID"):
            mark = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass"
            connection.execute(mark, [statement.split()[1]])
        else:
            connection.execute(statement.encode())
    wish = {"name": "ix", "table": "t", "columns": [{"expr": "lower(b)"}, "a"], "on_drift": "replace"}
    foreseen, done = (call(**wish, check=check) for check in (True, False))
    assert foreseen["queries"] == done["queries"] != []
    assert foreseen["changed"] is True and indexes(connection) == {"ix": True}


def test_a_reader_on_a_replica_keeps_the_replaced_index(
    database: dict[str, Any], connection: Connection, call: Module, postgres_standby: Any
) -> None:
    connection.execute("CREATE INDEX ix ON t (b)")
    replica = {"name": "standby", "host": postgres_standby.host, "port": postgres_standby.port}
    wish = {"name": "ix", "table": "t", "columns": ["a"], "on_drift": "replace", "verify_replicas": [replica]}
    there = {**database, "host": postgres_standby.host, "port": postgres_standby.port}
    deadline = time.monotonic() + 20
    while True:
        try:
            with psycopg.connect(**there) as reader:
                reader.execute("SELECT count(*) FROM t")
                break
        except psycopg.Error:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with open_transaction(there, "SELECT count(*) FROM t"):
        assert call(**wish, wait_for_blockers=1.0)["replaced"] is True
        assert indexes(connection) == {"ix": True, "ix_tars_old1": True}
    assert call(**wish)["swept"] == ["public.ix_tars_old1"]
    assert indexes(connection) == {"ix": True}
