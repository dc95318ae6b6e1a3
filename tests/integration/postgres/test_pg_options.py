# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each option that describes an index, and those of the building session, from the call to the catalogue and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from tars_servers import PgBouncer, PostgresServer

Connection = psycopg.Connection[Any]
Module = Callable[..., Any]


@dataclass(frozen=True)
class Option:
    """An index that has it, one that has not, what the difference is called, and a query that only the first meets."""

    wish: dict[str, Any]
    other: str
    drift: list[str]
    shown: str


INDEX = "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = 'ix' AND i.indisvalid"
DEFINED = f"{INDEX} AND pg_get_indexdef(c.oid) LIKE "
OPTIONS = {
    "include": Option(
        {"columns": ["a"], "include": ["b", "id"]},
        "CREATE INDEX ix ON t (a)",
        ["include"],
        f"{INDEX} AND i.indnatts = 3 AND i.indnkeyatts = 1",
    ),
    "opclass": Option(
        {"columns": [{"column": "b", "opclass": "text_pattern_ops"}]},
        "CREATE INDEX ix ON t (b)",
        ["opclass"],
        f"{DEFINED} '%(b text_pattern_ops)'",
    ),
    "opclass with its schema": Option(
        {"columns": [{"column": "a", "opclass": "pg_catalog.int4_minmax_multi_ops"}], "method": "brin"},
        "CREATE INDEX ix ON t USING brin (a)",
        ["opclass"],
        f"{DEFINED} '%(a int4_minmax_multi_ops)'",
    ),
    "collation": Option(
        {"columns": ["a", {"column": "b", "collation": "C"}]},
        "CREATE INDEX ix ON t (a, b)",
        ["collation"],
        f"{DEFINED} '%(a, b COLLATE \"C\")'",
    ),
    "nulls_not_distinct": Option(
        {"columns": ["id"], "unique": True, "nulls_not_distinct": True},
        "CREATE UNIQUE INDEX ix ON t (id)",
        ["nulls_not_distinct"],
        f"{INDEX} AND i.indnullsnotdistinct",
    ),
    "tablespace": Option(
        {"columns": ["a"], "tablespace": "tars_options"},
        "CREATE INDEX ix ON t (a)",
        ["tablespace"],
        f"{INDEX} AND c.reltablespace = (SELECT oid FROM pg_tablespace WHERE spcname = 'tars_options')",
    ),
    "method": Option(
        {"columns": ["a"], "method": "hash"},
        "CREATE INDEX ix ON t (a)",
        ["method"],
        f"{DEFINED} '%USING hash (a)'",
    ),
    "storage_params and more": Option(
        {"columns": ["a", "b"], "storage_params": {"fillfactor": 60}},
        "CREATE INDEX ix ON t (a)",
        ["column", "storage"],
        f"{INDEX} AND c.reloptions = '{{fillfactor=60}}' AND i.indnatts = 2",
    ),
}


@pytest.fixture
def tablespace(connection: Connection) -> Iterator[None]:
    """One inside of the data folder."""
    connection.execute("SET allow_in_place_tablespaces = on")
    connection.execute("CREATE TABLESPACE tars_options LOCATION ''")
    try:
        yield
    finally:
        connection.execute("DROP INDEX IF EXISTS ix")
        connection.execute("DROP TABLESPACE tars_options")


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_of_the_index(name: str, connection: Connection, call: Module, tablespace: None) -> None:
    option = OPTIONS[name]
    wish = {"name": "ix", "table": "t", **option.wish}

    def shown() -> bool:
        return connection.execute(option.shown.encode()).fetchone() is not None

    def oid() -> Any:
        return connection.execute("SELECT to_regclass('ix')::oid").fetchone()

    assert call(**wish)["changed"] is True and shown()
    again = call(**wish)
    assert (again["changed"], again["drift"], again["queries"]) == (False, [], [])

    connection.execute("DROP INDEX ix")
    connection.execute(option.other.encode())
    before = oid()
    for check in (True, False):
        with pytest.raises(IndexFault) as caught:
            call(**wish, check=check)
        assert caught.value.reason == "drift" and caught.value.fields["drift"] == option.drift
    ignored = call(**wish, on_drift="ignore")
    assert (ignored["changed"], ignored["drift"]) == (False, option.drift)
    assert oid() == before and not shown()

    foreseen = call(**wish, on_drift="replace", check=True)
    assert foreseen["would"] == ["replace"] and oid() == before
    replaced = call(**wish, on_drift="replace")
    assert (replaced["replaced"], replaced["drift"]) == (True, option.drift)
    assert replaced["queries"] == foreseen["queries"]
    assert shown() and oid() != before
    assert call(**wish)["changed"] is False
    left = connection.execute("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass").fetchone()
    assert left == (1,)


def test_storage_parameters_alone_are_corrected_in_place(connection: Connection, call: Module) -> None:
    wish = {"name": "ix", "table": "t", "columns": ["a"], "storage_params": {"fillfactor": 60}}

    def state() -> Any:
        query = "SELECT oid, relfilenode, reloptions FROM pg_class WHERE relname = 'ix'"
        return connection.execute(query).fetchone()

    assert call(**wish)["changed"] is True and state()[2] == ["fillfactor=60"]
    assert call(**wish)["changed"] is False
    for policy in ("fail", "replace"):
        connection.execute("ALTER INDEX ix RESET (fillfactor)")
        connection.execute("ALTER INDEX ix SET (deduplicate_items = off)")
        before = state()
        ignored = call(**wish, on_drift="ignore")
        assert (ignored["changed"], ignored["drift"], state()) == (False, ["storage"], before)
        result = call(**wish, on_drift=policy)
        assert (result["action"], result["drift"]) == ("alter_set_no_rebuild", ["storage"])
        # Not built anew, and what nobody named is as it was.
        assert state()[:2] == before[:2] and sorted(state()[2]) == ["deduplicate_items=off", "fillfactor=60"]


@pytest.fixture
def tells(connection: Connection) -> None:
    """An index on its results ends with what the building session has as its memory and workers."""
    names = "current_setting('maintenance_work_mem'), current_setting('max_parallel_maintenance_workers')"
    body = f"BEGIN RAISE 'built with % and %', {names}; END"
    connection.execute(f"CREATE FUNCTION tells(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $${body}$$".encode())


def test_memory_and_workers_are_those_of_the_building_session(
    connection: Connection, call: Module, tells: None
) -> None:
    wish = {"name": "ix", "table": "t", "columns": [{"expr": "tells(a)"}]}
    asked = {"maintenance_work_mem": "77MB", "max_parallel_maintenance_workers": 1}
    memory = connection.execute("SHOW maintenance_work_mem").fetchone()
    workers = connection.execute("SHOW max_parallel_maintenance_workers").fetchone()
    assert memory is not None and workers is not None and memory != ("77MB",) and workers != ("1",)
    for options, text in ((asked, "built with 77MB and 1 "), ({}, f"built with {memory[0]} and {workers[0]} ")):
        with pytest.raises(IndexFault, match=text):
            call(**wish, **options)
    # Of the session alone: nobody else has it, and no role.
    with psycopg.connect(**vars_of(connection), autocommit=True) as other:
        assert other.execute("SHOW maintenance_work_mem").fetchone() == memory
    assert connection.execute("SELECT count(*) FROM pg_db_role_setting").fetchone() == (0,)


def vars_of(connection: Connection) -> dict[str, Any]:
    """How to log in once more in the same way."""
    info = connection.info
    return {
        **{"host": info.host, "port": info.port, "user": info.user, "dbname": info.dbname},
        "password": info.password,
    }


@pytest.mark.parametrize(
    ("options", "state"),
    [({"maintenance_work_mem": "much"}, "22023"), ({"max_parallel_maintenance_workers": -1}, "22023")],
)
@pytest.mark.parametrize("check", [True, False])
def test_memory_that_means_nothing_is_refused_before_any_index(
    connection: Connection, call: Module, options: dict[str, Any], state: str, check: bool
) -> None:
    with pytest.raises(IndexFault) as caught:
        call(name="ix", table="t", columns=["a"], check=check, **options)
    assert caught.value.sqlstate == state
    assert connection.execute("SELECT to_regclass('ix')").fetchone() == (None,)


def test_a_pooler_that_keeps_sessions_is_taken_when_it_is_allowed(
    connection: Connection, call: Module, postgres: PostgresServer, database: dict[str, Any]
) -> None:
    with PgBouncer(postgres, database["dbname"], pool_mode="session") as pooler:
        through = {"login_host": pooler.host, "login_port": pooler.port}
        wish = {"name": "ix", "table": "t", "columns": ["a"]}
        for check in (True, False):
            with pytest.raises(IndexFault, match="stands a pooler") as caught:
                call(**wish, **through, check=check)
            assert caught.value.reason == "transaction_pooler"
            assert connection.execute("SELECT to_regclass('ix')").fetchone() == (None,)
        assert call(**wish, **through, allow_pooler=True)["valid"] is True
        assert call(**wish, **through, allow_pooler=True)["changed"] is False
        with pytest.raises(IndexFault) as caught:
            call(**{**wish, "columns": ["b"]}, **through, allow_pooler=True)
        assert caught.value.fields["drift"] == ["column"]
    # Directly nothing is to be allowed.
    assert call(**wish)["changed"] is False
