# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL servers of the tests: that they do what later tests build on, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tars_servers import PostgresServer, ProgramMissing, ServerError
from tars_servers.places import free_port

GONE_AFTER_S = 15.0


def in_folder(folder: Path) -> list[str]:
    """Return the command lines of all processes that name a folder or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = os.readlink(process / "cwd")
        except OSError:
            continue
        if str(folder) in line or place.startswith(str(folder)):
            found.append(line)
    return found


def test_standby_replays_what_the_primary_writes(postgres: PostgresServer, postgres_standby: PostgresServer) -> None:
    with postgres.database("replayed") as params, psycopg.connect(**params) as session:
        session.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
        session.commit()
        postgres_standby.wait_replayed(postgres.lsn())
        with postgres_standby.connect(dbname=params["dbname"]) as replica:
            assert replica.execute("SELECT count(*), pg_is_in_recovery() FROM t").fetchone() == (1000, True)
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                replica.execute("DELETE FROM t")
    slot = "SELECT active FROM pg_replication_slots WHERE slot_name = 'shared'"
    assert postgres.value(slot) is True
    assert postgres.value("SELECT application_name FROM pg_stat_replication") == "shared"


def test_paused_replay_stands_still_until_it_is_resumed(
    postgres: PostgresServer, postgres_standby: PostgresServer
) -> None:
    replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    postgres_standby.pause_replay()
    postgres.value("SELECT pg_logical_emit_message(false, 'test', 'x')::text")
    with postgres.database("paused"):
        lsn = postgres.lsn()
        with pytest.raises(ServerError, match=r"had not replayed up to .* after 0\.3 s"):
            postgres_standby.wait_replayed(lsn, seconds=0.3)
        assert postgres_standby.value(replayed, lsn) is False
        postgres_standby.resume_replay()
        postgres_standby.wait_replayed(lsn)


def test_a_database_goes_although_a_session_is_open(postgres: PostgresServer) -> None:
    with postgres.database("left") as params:
        session = psycopg.connect(**params)
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    assert postgres.value("SELECT count(*) FROM pg_database WHERE datname = %s", params["dbname"]) == 0


def test_each_test_has_a_database_of_its_own(database: dict[str, Any]) -> None:
    with psycopg.connect(**database) as session:
        assert session.execute("SELECT current_database()").fetchone() == (database["dbname"],)


def test_promoted_standby_takes_writes_and_nothing_is_left_at_the_end() -> None:
    with PostgresServer(settings={"max_connections": 23, "application_name": "it's"}) as primary:
        standby = primary.standby("replica", {"max_standby_streaming_delay": "2s"})
        folders = [primary.folder, standby.folder]
        assert primary.value("SHOW max_connections") == "23"
        assert primary.value("SELECT setting FROM pg_file_settings WHERE name = 'application_name'") == "it's"
        assert standby.value("SHOW max_standby_streaming_delay") == "2s"
        if os.geteuid() == 0:
            assert Path(f"/proc/{primary.pid}").stat().st_uid != 0
        primary.value("SELECT pg_create_physical_replication_slot('other')")
        primary.stop()
        standby.promote()
        standby.connect().execute("CREATE TABLE t (a int)")
        assert standby.value("SELECT pg_is_in_recovery()") is False
        assert all(folder.is_dir() for folder in folders)
        assert in_folder(standby.folder)
    assert not any(folder.exists() for folder in folders)
    assert [line for folder in folders for line in in_folder(folder)] == []


def test_a_crash_loses_nothing_that_was_committed_and_the_port_stays() -> None:
    with PostgresServer() as server:
        port = server.port
        server.connect().execute("CREATE TABLE t AS SELECT 1 AS a")
        server.stop("immediate")
        with pytest.raises(psycopg.OperationalError):
            server.connect()
        server.start()
        assert (server.port, server.value("SELECT a FROM t")) == (port, 1)
        assert "database system was not properly shut down" in server.log.read_text()


def test_a_port_that_is_taken_is_said_with_the_log() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = PostgresServer(port=port)
        with pytest.raises(ServerError) as raised, server as _never:
            pass
    assert f"server primary on port {port} ended while it was starting." in str(raised.value)
    assert 'could not bind IPv4 address "127.0.0.1": Address already in use' in str(raised.value)
    assert server._folder is None


def test_a_port_that_gets_lost_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    from tars_servers import server as module

    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        offered = iter((other.getsockname()[1], free))
        monkeypatch.setattr(module, "free_port", lambda: next(offered))
        with PostgresServer() as server:
            assert server.port == free


def test_a_setting_that_does_not_exist_is_said_with_the_log() -> None:
    with pytest.raises(ServerError, match=r'(?s)ended while it was starting.*unrecognized .*parameter "no_such"'):
        PostgresServer(settings={"no_such": 1}).__enter__()


def test_a_standby_name_that_is_no_slot_name_is_refused(postgres: PostgresServer) -> None:
    with pytest.raises(ServerError, match="'Not-A-Slot' must be of a-z, 0-9 and _"):
        postgres.standby("Not-A-Slot")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_test_itself_is_killed(number: signal.Signals) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1].split(':')\n"
        "from tars_servers import PostgresServer\n"
        "with PostgresServer() as primary:\n"
        "    print(primary.folder, primary.standby().folder, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", script, ":".join(sys.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout
        folders = [Path(part) for part in test.stdout.readline().split()]
        assert len(folders) == 2 and all(in_folder(folder) for folder in folders)
        test.send_signal(number)
        test.wait(10)
    limit = time.monotonic() + GONE_AFTER_S
    while any(folder.exists() or in_folder(folder) for folder in folders):
        assert time.monotonic() < limit, [in_folder(folder) for folder in folders]
        time.sleep(0.05)


def test_another_major_version_runs_beside() -> None:
    try:
        server = PostgresServer(major=17)
    except ProgramMissing as error:
        pytest.skip(str(error))
    with server as primary:
        standby = primary.standby()
        primary.connect().execute("CREATE TABLE t AS SELECT 1 AS a")
        standby.wait_replayed(primary.lsn())
        assert standby.value("SELECT current_setting('server_version_num')::int / 10000") == 17
        assert standby.value("SELECT a FROM t") == 1
