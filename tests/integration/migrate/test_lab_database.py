# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own database, as `lab up` makes it, and the six indexes of a rollout while services read and write."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._migrate import files
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.options import INDEX, SPEC
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.run import run
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from psycopg import sql
from tars_servers import PostgresServer
from tarslab import content

CHECKOUT = Path(__file__).parents[3]
NAME, PASSWORD = "tars_us_west_2", "of-the-test"
SAVE = """INSERT INTO evaluations (evaluation_id, mission_id, agent_id, region, environment, reward, status)
VALUES (gen_random_uuid(), 7, 'ppo', 'us-west-2', 'CartPole-v1', 199, 'completed')"""
RECENT = "SELECT evaluation_id, reward FROM evaluations ORDER BY id DESC LIMIT 20"
VALID = """SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname ^@ 'idx_' AND i.indisvalid AND i.indisready ORDER BY 1"""


class Services(threading.Thread):
    """What the services do to the table, again and again until the end."""

    def __init__(self, login: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.login, self.over = login, threading.Event()
        self.saved, self.errors = 0, list[str]()

    def run(self) -> None:
        with psycopg.connect(**self.login, autocommit=True) as connection:
            while not self.over.wait(0.005):
                try:
                    connection.execute(SAVE)
                    self.saved += 1
                    connection.execute(RECENT).fetchall()
                except psycopg.Error as error:
                    self.errors.append(str(error))


def call(login: dict[str, Any], indexes: list[dict[str, Any]], standby: PostgresServer) -> Any:
    """The module, with the defaults of its options."""
    described = [{name: one.get(name, option.get("default")) for name, option in INDEX.items()} for one in indexes]
    params = {name: option.get("default") for name, option in SPEC.items()}
    params |= {f"login_{name}": login[name] for name in ("host", "port", "user", "password")}
    replica = {"name": "standby", "host": standby.host, "port": standby.port, "user": None, "password": None}
    params |= {"login_db": login["dbname"], "indexes": described, "verify_replicas": [replica]}
    stop = Stop()
    return run(Call(params, False, print, SystemClock(stop), stop, Progress(), Scrubber()))


@pytest.fixture(scope="module")
def server() -> Any:
    # As small as in the lab; a log that its standby's slot would let go is not kept there either.
    settings = {"shared_buffers": "32MB", "max_wal_size": "256MB", "max_slot_wal_keep_size": "512MB"}
    with PostgresServer(settings=settings) as made:
        yield made


def test_six_indexes_over_a_million_rows_that_services_read_and_write(server: PostgresServer) -> None:
    standby = server.standby()
    with server.connect() as admin:
        role = sql.Identifier(NAME)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD)))
        admin.execute(sql.SQL("GRANT pg_monitor TO {}").format(role))
        admin.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
    lab: Any = SimpleNamespace(
        ports={"pg_primary": server.port}, paths=SimpleNamespace(source=CHECKOUT / "tests" / "lab")
    )
    assert content.ensure_schema(lab, NAME, PASSWORD, "us-west-2") is True
    assert content.ensure_schema(lab, NAME, PASSWORD, "us-west-2") is False

    login = {**server.params, "user": NAME, "dbname": NAME, "password": PASSWORD}
    with psycopg.connect(**login, autocommit=True) as connection:
        query = "SELECT count(*), count(DISTINCT region), max(created_at) <= now() FROM evaluations"
        assert connection.execute(query).fetchone() == (1_020_000, 1, True)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("UPDATE evaluations SET evaluation_id = md5('more 1')::uuid WHERE id = 1")
        folder = CHECKOUT / "tests" / "lab" / "migrations" / "expand"
        wanted = [index for one in files.read(str(folder)) for index in one.indexes]
        names = sorted(index["name"] for index in wanted)
        services = Services(login)
        services.start()
        try:
            result = call(login, wanted, standby)
        finally:
            services.over.set()
            services.join()
        assert len(names) == 6 and [row[0] for row in connection.execute(VALID).fetchall()] == names
        assert (services.errors, services.saved > 0) == ([], True)
        built = {entry["name"]: entry["build_s"] for entry in result["indexes"]}
        print(f"built {built}, {services.saved} rows saved meanwhile", file=sys.stderr)
        slot = "SELECT wal_status FROM pg_replication_slots"
        assert server.value(slot) in ("reserved", "extended")
    with standby.connect(dbname=NAME) as there:
        assert [row[0] for row in there.execute(VALID).fetchall()] == names
        assert there.execute("SELECT count(*) >= 1000000 FROM evaluations").fetchone() == (True,)
