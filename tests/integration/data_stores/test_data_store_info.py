# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""data_store_info in this process, against a real primary with its standby. Redis is asked in the tests on the lab."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tars.rollout.plugins.module_utils._data_stores import run
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from ansible_collections.tars.rollout.plugins.modules.data_store_info import spec

if TYPE_CHECKING:
    from tars_servers import PostgresServer


@pytest.fixture(autouse=True)
def _streaming(postgres: PostgresServer, postgres_standby: PostgresServer) -> None:
    """A standby that was just made catches up first."""
    postgres_standby.wait_replayed(postgres.lsn())
    wait_for(postgres, "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")


def ask(**options: Any) -> list[dict[str, Any]]:
    checked = ArgumentSpecValidator(spec()).validate({"region": "us-west-2", **options})
    assert not checked.error_messages, checked.error_messages
    stop = Stop()
    call = Call(checked.validated_parameters, False, lambda text: None, SystemClock(stop), stop, Progress(), Scrubber())
    found = run(call)
    assert found["changed"] is False
    stores: list[dict[str, Any]] = found["stores"]
    return stores


def entry(server: PostgresServer, **more: Any) -> dict[str, Any]:
    names = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "database"}
    return {names[key]: value for key, value in server.params.items() if key in names} | more


def test_a_primary_whose_standby_follows_is_fit(postgres: PostgresServer, postgres_standby: PostgresServer) -> None:
    primary, standby = ask(
        postgresql=[
            entry(postgres, name="primary", standbys=1, max_lag=10),
            entry(postgres_standby, name="standby", role="standby"),
        ]
    )
    assert (primary["role"], primary["standbys"]) == ("primary", 1)
    assert 0 <= primary["lag_s"] <= 10
    assert (standby["role"], standby["lag_s"]) == ("standby", None)


def test_a_standby_that_does_not_replay_is_behind(postgres: PostgresServer, postgres_standby: PostgresServer) -> None:
    postgres_standby.pause_replay()
    try:
        with postgres.connect(autocommit=True) as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'test', 'row')")
        with pytest.raises(RolloutError) as caught:
            ask(postgresql=[entry(postgres, name="primary", max_lag=0.5)])
    finally:
        postgres_standby.resume_replay()
    assert caught.value.reason == "replica_behind"
    assert "primary at " in str(caught.value)
    assert "had not replayed within 0.5 s" in str(caught.value)


def test_a_standby_that_has_only_connected_is_behind_and_no_question_of_rights(postgres: PostgresServer) -> None:
    where = postgres.lsn()
    with closing(postgres.connect(replication="true", application_name="silent")) as silent:
        # It streams from here on, and never says how far it is.
        silent.pgconn.send_query(f"START_REPLICATION PHYSICAL {where}".encode())
        wait_for(postgres, "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'silent'")
        with pytest.raises(RolloutError) as caught:
            ask(postgresql=[entry(postgres, max_lag=0.3)])
    assert caught.value.reason == "replica_behind"
    assert "silent (nothing reported yet)" in str(caught.value)


def test_what_keeps_the_wal_and_never_replays_it_is_no_standby(postgres: PostgresServer, tmp_path: Path) -> None:
    with receivewal(postgres, tmp_path):
        wait_for(
            postgres, "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'keeps' AND write_lsn > '0/0'"
        )
        (found,) = ask(postgresql=[entry(postgres, standbys=1, max_lag=10)])
        assert found["standbys"] == 1
        with pytest.raises(RolloutError, match="1 standbys stream from it, and 2 are wanted"):
            ask(postgresql=[entry(postgres, standbys=2)])


def wait_for(server: PostgresServer, query: str) -> None:
    end = time.monotonic() + 30
    while not server.value(query):
        assert time.monotonic() < end, query
        time.sleep(0.05)


@contextmanager
def receivewal(server: PostgresServer, folder: Path) -> Iterator[None]:
    """The client that keeps a copy of the WAL, as it comes with PostgreSQL."""
    where = f"host={server.host} port={server.port} user=postgres application_name=keeps"
    run = subprocess.Popen(
        [server.programs.bin / "pg_receivewal", "--no-loop", "--synchronous", "-D", folder, "-d", where],
        env={"PGPASSWORD": server.password, "PATH": "/usr/bin:/bin"},
    )
    try:
        yield
    finally:
        run.terminate()
        run.wait(20)


def test_another_role_or_fewer_standbys_than_wanted_are_said(
    postgres: PostgresServer, postgres_standby: PostgresServer
) -> None:
    with pytest.raises(RolloutError, match="it is a standby, and a primary is wanted") as caught:
        ask(postgresql=[entry(postgres_standby)])
    assert caught.value.reason == "store_role"
    with pytest.raises(RolloutError, match="1 standbys stream from it, and 2 are wanted") as caught:
        ask(postgresql=[entry(postgres, standbys=2)])
    assert caught.value.reason == "standby_missing"


def test_what_does_not_answer_is_named_and_its_password_is_not(postgres: PostgresServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, and nobody else can take it
        port = taken.getsockname()[1]
        for what, given in (("PostgreSQL", "postgresql"), ("Redis", "redis")):
            silent = {"host": "127.0.0.1", "port": port, "password": "do-not-show-me"}
            with pytest.raises(RolloutError) as caught:
                ask(**{given: [silent]})
            assert caught.value.reason == "store_unreachable"
            assert f"{what} at 127.0.0.1:{port}" in str(caught.value)
            assert "do-not-show-me" not in repr(caught.value.payload(Scrubber()))
    wrong = entry(postgres) | {"password": "do-not-show-me"}
    with pytest.raises(RolloutError) as caught:
        ask(postgresql=[wrong])
    assert "do-not-show-me" not in repr(caught.value.payload(Scrubber()))
