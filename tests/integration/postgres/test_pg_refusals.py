# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._pg_index import options
from ansible_collections.tars.rollout.plugins.module_utils._postgres import size
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session

CHECKOUT = Path(__file__).parents[3]
GB = 1 << 30
Connection = psycopg.Connection[Any]
Module = Callable[..., Any]
TWO = [{"name": "one", "table": "t", "columns": ["a"]}, {"name": "two", "table": "t", "columns": ["b"]}]


def indexes(connection: Connection) -> list[str]:
    query = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1"
    return [row[0] for row in connection.execute(query).fetchall()]


def run_module(name: str, arguments: dict[str, Any]) -> str:
    """All that the module itself prints, its invocation included."""
    program = (
        "import json, sys; from ansible.module_utils import basic; "
        "basic._ANSIBLE_ARGS = sys.stdin.buffer.read(); basic._ANSIBLE_PROFILE = 'legacy'; "
        f"from ansible_collections.tars.rollout.plugins.modules.{name} import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".ansible" / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("place", ["login_host", "login_db", "login_user", "name", "host", "user"])
@pytest.mark.parametrize(
    ("shape", "secret"),
    [
        ("host=h user=u password='se cret1'", "cret1"),
        ("host=h password = sesame77", "sesame77"),
        ("postgresql://u:s/ecret9@h/db", "ecret9"),
    ],
)
def test_a_connection_string_is_refused_and_never_shown(place: str, shape: str, secret: str) -> None:
    module = "pg_migrate" if place == "host" else "pg_index_concurrently"
    arguments: dict[str, Any] = {"login_host": "127.0.0.1", "login_port": 1, "login_user": "u", "login_db": "d"}
    arguments |= {"path": "/"} if module == "pg_migrate" else {"name": "ix", "table": "t", "columns": ["a"]}
    if place in arguments and place != "name":
        arguments[place] = shape
    else:
        arguments["verify_replicas"] = [{"name": "standby", "host": "127.0.0.1", place: shape}]
    said = run_module(module, arguments)
    assert secret not in said
    answer = json.loads(said)
    assert answer["reason"] == "input" and "connection string" in answer["msg"]


def test_room_is_asked_for_all_builds_together(connection: Connection, call: Module) -> None:
    foreseen = call(indexes=TWO, check=True, free_space={"min_free_after_gb": 0, "free_gb": 9})
    one, two = (entry["estimate_bytes"] for entry in foreseen["indexes"])
    # Enough for each of them alone: the index, its sort files, its WAL.
    space = {"min_free_after_gb": 0, "free_gb": (3 * max(one, two) + 8192) / GB}
    for entry in TWO:
        assert call(**entry, check=True, free_space=space)["changed"] is True
    for check in (True, False):
        with pytest.raises(IndexFault, match="The 2 builds need") as caught:
            call(indexes=TWO, check=check, free_space=space)
        assert caught.value.reason == "disk" and caught.value.fields["estimate_bytes"] == one + two
    assert indexes(connection) == []


@contextmanager
def tablespace(connection: Connection, name: str) -> Iterator[None]:
    """One inside of the data folder, so that a standby on the same machine has its own."""
    connection.execute("SET allow_in_place_tablespaces = on")
    connection.execute(f"CREATE TABLESPACE {name} LOCATION ''".encode())
    try:
        yield
    finally:
        connection.execute("DROP INDEX IF EXISTS one")
        connection.execute(f"DROP TABLESPACE {name}".encode())


def test_the_server_looks_where_the_tablespace_is(connection: Connection, call: Module, ports: Module) -> None:
    with tablespace(connection, "elsewhere"):
        wish = {**TWO[0], "tablespace": "elsewhere"}
        with pytest.raises(IndexFault, match=r"GB on /\S* with sort files") as caught:
            call(**wish, free_space={"min_free_after_gb": 1 << 30})
        assert caught.value.reason == "disk" and indexes(connection) == []
        assert call(**wish, free_space={"min_free_after_gb": 0})["free_bytes"] > 0
        session = Session(options.address(ports().params))
        try:
            folder = session.value(size._FOLDER, {"name": "elsewhere"})
            assert folder.startswith("pg_tblspc/") and session.value(size._FOLDER, {"name": ""}) == ""
            assert [mount for mount, _free in size._df(session, ["/", "/proc", folder])][:2] == ["/", "/proc"]
        finally:
            session.close()


def test_a_plain_login_is_told_why_room_cannot_be_seen(connection: Connection, call: Module) -> None:
    connection.execute("CREATE ROLE plain_owner LOGIN PASSWORD 'plain'")
    try:
        connection.execute("ALTER TABLE t OWNER TO plain_owner")
        connection.execute("GRANT CREATE ON SCHEMA public TO plain_owner")
        with pytest.raises(IndexFault, match="pg_read_all_settings") as caught:
            call(**TWO[0], login_user="plain_owner", login_password="plain", free_space={"min_free_after_gb": 0})
        assert caught.value.reason == "disk" and indexes(connection) == []
    finally:
        connection.execute("DROP OWNED BY plain_owner CASCADE")
        connection.execute("DROP ROLE plain_owner")


class PausesReplay(list[str]):
    """Live lines; when the first index is there, the standby stops to replay and the primary writes."""

    def __init__(self, standby: Connection, primary: Connection) -> None:
        super().__init__()
        self.standby, self.primary = standby, primary

    def append(self, line: str) -> None:
        if line == "changed" and "changed" not in self:
            self.standby.execute("SELECT pg_wal_replay_pause()")
            self.primary.execute("UPDATE t SET a = a")
        super().append(line)


def test_replicas_catch_up_between_two_builds(
    connection: Connection, call: Module, database: dict[str, Any], postgres_standby: Any
) -> None:
    there = {**database, "host": postgres_standby.host, "port": postgres_standby.port, "dbname": "postgres"}
    with psycopg.connect(**there, autocommit=True) as standby:
        try:
            with pytest.raises(IndexFault, match="before index two is done") as caught:
                call(indexes=TWO, said=PausesReplay(standby, connection), max_replication_lag=2.0, replica_timeout=1.0)
            assert caught.value.reason == "replica_behind" and indexes(connection) == ["one"]
            began = time.monotonic()
            with pytest.raises(IndexFault, match="nothing was touched"):
                call(indexes=TWO, max_replication_lag=0.5, replica_timeout=60.0)
            assert time.monotonic() - began < 20
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")
    call(indexes=TWO, max_replication_lag=20.0)
    assert indexes(connection) == ["one", "two"]
