# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_migrate in this process, against a real server, yoyo and squawk."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._migrate.run import run
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from ansible_collections.tars.rollout.plugins.modules.pg_migrate import SPEC

Connection = psycopg.Connection[Any]
FILES = {
    "001_region.sql": "ALTER TABLE t ADD COLUMN region text;",
    "001_region.rollback.sql": "ALTER TABLE t DROP COLUMN region;",
    "002_indexes.sql": "-- transactional: false\nCREATE INDEX CONCURRENTLY t_a ON t (a, region DESC) WHERE a > 5;\n"
    "CREATE UNIQUE INDEX t_id ON t USING btree (id);\n",
    "003_more.sql": "CREATE TABLE u (id bigint PRIMARY KEY, at timestamptz);\nINSERT INTO u VALUES (1, now());",
    "003_more.rollback.sql": "DROP TABLE u;",
}


@pytest.fixture
def connection(database: dict[str, Any]) -> Iterator[Connection]:
    with psycopg.connect(**database, autocommit=True) as made:
        made.execute("CREATE TABLE t AS SELECT i AS id, i % 10 AS a FROM generate_series(1, 1000) i")
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def call(database: dict[str, Any], folder: Path, check: bool = False, **options: Any) -> Any:
    """Run the module with the defaults of its options."""
    login = {f"login_{name}": database[name] for name in ("host", "port", "user", "password")}
    given = {**login, "login_db": database["dbname"], "path": str(folder), **options}
    params = {name: given.get(name, option.get("default")) for name, option in SPEC.items()}
    stop = Stop()
    return run(Call(params, check, lambda text: None, SystemClock(stop), stop, Progress(), Scrubber()))


def columns(connection: Connection, table: str) -> list[str]:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    return [row[0] for row in connection.execute(query, [table]).fetchall()]


def test_check_mode_says_what_is_pending_and_writes_nothing(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    result = call(database, folder, check=True)
    assert (result["changed"], result["pending"]) == (True, ["001_region", "002_indexes", "003_more"])
    assert columns(connection, "t") == ["id", "a"]
    assert (
        connection.execute("SELECT to_regclass('yoyo_lock'), to_regclass('_yoyo_migration')").fetchone() == (None,) * 2
    )


def test_applied_once_with_its_indexes_lifted_out(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    first, second = (call(database, folder) for _time in range(2))
    assert (first["ran"], second["ran"], second["changed"]) == (["001_region", "002_indexes", "003_more"], [], False)
    assert second["applied"] == first["pending"] and second["version"] == "003_more"
    assert connection.execute("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass").fetchone() == (0,)
    keys = ["a", {"column": "region", "order": "desc"}]
    assert second["indexes"] == [
        {"name": "t_a", "state": "present", "table": "t", "columns": keys, "where": "a > 5"},
        {"name": "t_id", "state": "present", "table": "t", "unique": True, "method": "btree", "columns": ["id"]},
    ]


def test_a_failing_file_leaves_itself_undone_and_the_others_done(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    (folder / "002_bad.sql").write_text("ALTER TABLE t ADD COLUMN x int;\nSELECT 1 / 0;", encoding="utf-8")
    with pytest.raises(RolloutError) as caught:
        call(database, folder)
    assert caught.value.reason == "division_by_zero" and "002_bad" in str(caught.value)
    assert columns(connection, "t") == ["id", "a", "region"]
    (folder / "002_bad.sql").write_text("ALTER TABLE t ADD COLUMN x int;", encoding="utf-8")
    assert call(database, folder)["ran"] == ["002_bad", "002_indexes", "003_more"]


def test_undone_in_reverse(database: dict[str, Any], connection: Connection, folder: Path) -> None:
    call(database, folder)
    result = call(database, folder, state="rolled_back", migrations=["001_region", "003_more"])
    assert result["ran"] == ["003_more", "001_region"] and result["applied"] == ["002_indexes"]
    assert columns(connection, "t") == ["id", "a"] and columns(connection, "u") == []


def test_no_way_back_is_said_before_anything_is_undone(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    (folder / "001_region.rollback.sql").unlink()
    call(database, folder)
    with pytest.raises(RolloutError) as caught:
        call(database, folder, state="rolled_back")
    assert caught.value.reason == "no_way_back"
    assert columns(connection, "u") == ["id", "at"]


def test_a_lock_is_tried_again_and_nobody_queues_behind_it(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    with psycopg.connect(**database) as reader:
        reader.execute("SELECT count(*) FROM t")
        threading.Timer(2.0, reader.rollback).start()
        began = time.monotonic()
        result = call(database, folder, lock_timeout=0.3)
    assert result["ran"][0] == "001_region" and time.monotonic() - began > 1
    with psycopg.connect(**database) as reader:
        reader.execute("SELECT count(*) FROM u")
        with pytest.raises(RolloutError) as caught:
            call(database, folder, state="rolled_back", lock_timeout=0.2, retries=1)
    assert caught.value.reason == "lock_not_available"


def test_two_runs_at_once_apply_each_file_once(database: dict[str, Any], connection: Connection, folder: Path) -> None:
    ran: list[str] = []
    threads = [threading.Thread(target=lambda: ran.extend(call(database, folder)["ran"])) for _run in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == ["001_region", "002_indexes", "003_more"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ALTER TABLE t DROP COLUMN a;", "not_expand"),
        ("ALTER TABLE t RENAME COLUMN a TO b;", "not_expand"),
        ("TRUNCATE t;", "not_expand"),
        ("DROP INDEX t_a;", "not_expand"),
        ("ALTER TABLE t ALTER COLUMN a TYPE text;", "lint"),
        ("ALTER TABLE t ADD CONSTRAINT t_pk PRIMARY KEY USING INDEX t_id;", "cannot_lift"),
        ("CREATE INDEX ON t (a);", "cannot_lift"),
        ("-- depends: 001_region\nSELECT 1;", "not_supported"),
    ],
)
def test_what_expands_takes_nothing_away(
    database: dict[str, Any], connection: Connection, folder: Path, text: str, reason: str
) -> None:
    (folder / "004_bad.sql").write_text(text, encoding="utf-8")
    for check in (True, False):
        with pytest.raises(RolloutError) as caught:
            call(database, folder, check=check)
        assert caught.value.reason == reason
    assert columns(connection, "t") == ["id", "a"]


def test_nothing_is_taken_away_without_squawk_either(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    (folder / "004_bad.sql").write_text("DROP TABLE t;", encoding="utf-8")
    for exclude in ([], ["ban-drop-table"]):
        with pytest.raises(RolloutError, match=r"004_bad\.sql takes something away") as caught:
            call(database, folder, lint=False, lint_exclude=exclude)
        assert caught.value.reason == "not_expand"
    assert columns(connection, "t") == ["id", "a"]
    call(database, folder, lint_exclude=["expand-drop", "ban-drop-table"])
    assert columns(connection, "t") == []


CONTRACTS = """
CREATE VIEW v AS SELECT 1;
DROP VIEW v;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION f();
ALTER TABLE t ALTER COLUMN a DROP DEFAULT;
CREATE TYPE e AS ENUM ('x');
ALTER TYPE e RENAME VALUE 'x' TO 'y';
DROP TYPE e;
CREATE SEQUENCE q;
DROP SEQUENCE q;
CREATE SCHEMA s;
ALTER TABLE t SET SCHEMA s;
ALTER TABLE s.t SET SCHEMA public;
DROP SCHEMA s;
DELETE FROM t;
REVOKE ALL ON t FROM public;
"""


def test_all_that_takes_away_may_stand_in_the_contract_phase(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    (folder / "004_less.sql").write_text(CONTRACTS, encoding="utf-8")
    assert "004_less" in call(database, folder, phase="contract")["ran"]
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_contracted_index_is_not_wanted_again(
    database: dict[str, Any], connection: Connection, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    contract = tmp_path_factory.mktemp("contract")
    (contract / "900_less.sql").write_text("DROP INDEX t_a;", encoding="utf-8")

    def names(**options: Any) -> list[tuple[str, str]]:
        return [(entry["name"], entry["state"]) for entry in call(database, folder, **options)["indexes"]]

    assert names(other_path=str(contract)) == [("t_a", "present"), ("t_id", "present")]
    dropped = call(database, contract, phase="contract", other_path=str(folder))
    assert [(entry["name"], entry["state"]) for entry in dropped["indexes"]] == [("t_a", "absent")]
    assert names(other_path=str(contract)) == [("t_id", "present")]
    # A later release makes it again, and the contract step of then lets it live.
    (folder / "010_again.sql").write_text("CREATE INDEX CONCURRENTLY t_a ON t (a);", encoding="utf-8")
    assert names(other_path=str(contract)) == [("t_id", "present"), ("t_a", "present")]
    assert call(database, contract, phase="contract", other_path=str(folder))["indexes"] == []


def test_what_contracts_may(database: dict[str, Any], connection: Connection, folder: Path) -> None:
    (folder / "004_less.sql").write_text("ALTER TABLE t DROP COLUMN a;\nDROP INDEX t_a;", encoding="utf-8")
    result = call(database, folder, phase="contract")
    assert columns(connection, "t") == ["id", "region"]
    assert [entry["name"] for entry in result["indexes"] if entry["state"] == "absent"] == ["t_a"]


def test_the_lock_row_of_a_killed_run_is_removed(
    database: dict[str, Any], connection: Connection, folder: Path
) -> None:
    call(database, folder)
    (folder / "005_last.sql").write_text("CREATE TABLE v (id bigint PRIMARY KEY);", encoding="utf-8")
    gone = "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now() AT TIME ZONE 'UTC' - interval '5 min', 4194303)"
    connection.execute(gone.encode())
    assert call(database, folder)["ran"] == ["005_last"]


def test_yoyo_itself_reads_the_same_records(database: dict[str, Any], connection: Connection, folder: Path) -> None:
    from yoyo import get_backend, read_migrations

    call(database, folder)
    login = f"{database['user']}:{database['password']}@{database['host']}:{database['port']}"
    backend = get_backend(f"postgresql+psycopg://{login}/{database['dbname']}")
    assert [one.id for one in backend.to_apply(read_migrations(str(folder)))] == []
    backend.connection.close()


def test_the_replicas_have_the_same_version(
    database: dict[str, Any], connection: Connection, folder: Path, postgres_standby: Any
) -> None:
    address = {"host": postgres_standby.host, "port": postgres_standby.port, "user": None, "password": None}
    result = call(database, folder, verify_replicas=[{"name": "standby", **address}], max_replication_lag=30.0)
    assert [(one["version"], one["same"]) for one in result["replicas"]] == [("003_more", True)]
