# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""data_store_info in this process, against a real primary with its standby. Redis is asked in the tests on the lab."""

from __future__ import annotations

import socket
import time
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
    end = time.monotonic() + 30
    while postgres.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != 1:
        assert time.monotonic() < end, "the standby does not stream"
        time.sleep(0.1)


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
