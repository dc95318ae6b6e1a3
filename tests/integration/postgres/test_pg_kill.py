# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook killed at ten points of a build: the next run ends valid, nothing INVALID is left, no write is lost.

The points are tenths of the time that an undisturbed build takes, seen from the module's first statement on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tars_servers import PostgresServer

CHECKOUT = Path(__file__).parents[3]
ROWS, POINTS = 400_000, 10
PATIENCE = 240.0
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Build
      tars.rollout.pg_index_concurrently: {{login_host: 127.0.0.1, login_port: {port}, login_user: postgres,
        login_db: postgres, name: ix, table: t, columns: [b, n], wait_for_blockers: 120}}
"""


class Writer(threading.Thread):
    """Counts every update that the server has acknowledged."""

    def __init__(self, server: PostgresServer) -> None:
        super().__init__(daemon=True)
        self._server, self._over, self.done = server, threading.Event(), 0

    def run(self) -> None:
        with self._server.connect() as connection:
            while not self._over.wait(0.01):
                row = self.done * 37 % ROWS + 1
                connection.execute("UPDATE t SET n = n + 1 WHERE id = %s", [row])
                self.done += 1

    def finish(self) -> int:
        self._over.set()
        self.join()
        return self.done


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer() as made:
        with made.connect() as connection:
            rows = f"SELECT i AS id, 0 AS n, md5(i::text) AS b FROM generate_series(1, {ROWS}) i"
            connection.execute(f"CREATE TABLE t AS {rows}".encode())
            connection.execute("ALTER TABLE t ADD PRIMARY KEY (id)")
        yield made


@pytest.fixture(scope="module")
def undisturbed(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds from the module's first sight to its end."""
    run = start(server, tmp_path_factory.mktemp("undisturbed"))
    began = first_sight(server, run)
    assert run.wait(PATIENCE) == 0
    return time.monotonic() - began


def start(server: PostgresServer, folder: Path) -> subprocess.Popen[bytes]:
    play = folder / "play.yml"
    play.write_text(PLAY.format(port=server.port), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", str(play)]
    env = {**os.environ, "PGPASSWORD": server.password, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    env |= {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")}
    return subprocess.Popen(
        command, cwd=CHECKOUT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def first_sight(server: PostgresServer, run: subprocess.Popen[bytes]) -> float:
    query = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'tars.rollout%%'"
    limit = time.monotonic() + PATIENCE
    with server.connect() as connection:
        while connection.execute(query.encode()).fetchone() is None:
            assert run.poll() is None and time.monotonic() < limit, "the module never came to the server"
            time.sleep(0.005)
    return time.monotonic()


def one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
@pytest.mark.parametrize("point", range(POINTS))
def test_the_next_run_ends_valid(
    server: PostgresServer, undisturbed: float, tmp_path: Path, point: int, number: signal.Signals
) -> None:
    with server.connect() as connection:
        connection.execute("DROP INDEX IF EXISTS ix")
        connection.execute("UPDATE t SET n = 0 WHERE n <> 0")
        writer = Writer(server)
        writer.start()
        killed = start(server, tmp_path)
        began = first_sight(server, killed)
        time.sleep(max(0.0, began + undisturbed * (point + 0.5) / POINTS - time.monotonic()))
        killed.send_signal(number)
        killed.wait(PATIENCE)
        # At once: what the killed one left to the server may still be on its way.
        assert start(server, tmp_path).wait(PATIENCE) == 0
        written = writer.finish()
        assert one(connection, "SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = to_regclass('ix')")
        assert one(connection, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        assert one(connection, "SELECT count(*) FROM pg_class WHERE relname LIKE '%_tars_%'") == 0
        assert one(connection, "SELECT sum(n) FROM t") == written
        # Every row is in the index: both ways to read the table agree.
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        plan = json.dumps(one(connection, "EXPLAIN (FORMAT JSON) SELECT b, n FROM t ORDER BY b, n"))
        assert '"ix"' in plan
        digest = "SELECT md5(string_agg(b || n, ',' ORDER BY b, n)) FROM (SELECT b, n FROM t ORDER BY b, n) s"
        through_index = one(connection, digest)
        connection.execute("RESET enable_seqscan")
        connection.execute("SET enable_indexscan = off")
        connection.execute("SET enable_indexonlyscan = off")
        assert through_index == one(connection, digest)
