# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role migrate through ansible-playbook, with the lab's migrations against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
EXPAND = CHECKOUT / "tests" / "lab" / "migrations" / "expand"
SCHEMA = CHECKOUT / "tests" / "lab" / "app" / "schema.sql"
INDEXES = 6


class Region:
    """A region without a cluster: its database, and the folder that it keeps its evidence in."""

    def __init__(self, folder: Path, database: dict[str, Any], standby: Any) -> None:
        self.folder = folder
        login = {f"login_{name}": database[name] for name in ("host", "port", "user", "password")}
        replica = {"name": "standby", "host": standby.host, "port": standby.port}
        self.variables: dict[str, Any] = {
            "region_name": "us-east-1",
            "region_database": {**login, "login_db": database["dbname"], "verify_replicas": [replica]},
            "rollout_evidence": str(folder),
            "rollout_backup_taken_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "migrate_path": str(EXPAND),
            "migrate_max_replication_lag": 30.0,
            "migrate_explain": {
                "idx_traces_span_id": {"query": "SELECT id FROM traces WHERE span_id = 'x'", "max_ms": 5000}
            },
        }

    def play(
        self, *options: str, tasks_from: str = "main", good: bool = True, hosts: str = "localhost,", **variables: Any
    ) -> str:
        """Run the role; what it printed."""
        role = {"name": "tars.rollout.migrate", "tasks_from": tasks_from}
        tasks = [{"name": "Play", "ansible.builtin.include_role": role}]
        play = [{"name": "Role", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
        (self.folder / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
        (self.folder / "vars.json").write_text(json.dumps({**self.variables, **variables}), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", hosts, "-c", "local"]
        done = subprocess.run(
            [*command, "-e", f"@{self.folder / 'vars.json'}", str(self.folder / "play.yml"), *options],
            cwd=CHECKOUT,
            env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        assert str(self.variables["region_database"]["login_password"]) not in done.stdout + done.stderr
        # As one line: a callback may fold long ones.
        return " ".join(done.stdout.split())


@pytest.fixture
def region(tmp_path: Path, database: dict[str, Any], connection: Any, postgres_standby: Any) -> Region:
    return Region(tmp_path, database, postgres_standby)


@pytest.fixture
def connection(database: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**database, autocommit=True) as made:
        made.execute("SELECT set_config('tars.region', 'us-east-1', false)")
        made.execute(SCHEMA.read_bytes())
        yield made


def built(connection: psycopg.Connection[Any]) -> list[str]:
    query = (
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND indexrelid::regclass::text LIKE 'idx%'"
    )
    return sorted(row[0] for row in connection.execute(query.encode()).fetchall())


def traces(connection: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = 'traces'::regclass AND attnum > 0 AND NOT attisdropped"
    return [row[0] for row in connection.execute(query).fetchall()]


def test_from_check_mode_to_rollback(region: Region, connection: psycopg.Connection[Any]) -> None:
    said = region.play("--check")
    assert "v1_0_1_add_indexes, v1_0_1_add_trace_columns pending, 6 indexes wanted" in said
    assert (built(connection), "parent_span_id" in traces(connection)) == ([], False)

    region.play()
    assert (len(built(connection)), "parent_span_id" in traces(connection)) == (INDEXES, True)
    kept = json.loads((region.folder / "migrate-expand-us-east-1.json").read_text())
    assert len(kept["indexes"]) == INDEXES and len(kept["migrations"]) == 2

    assert "changed=0 " in region.play()
    assert json.loads((region.folder / "migrate-expand-us-east-1.json").read_text()) == kept

    said = region.play(tasks_from="rollback", migrate_shared_with=["us_west_2"])
    assert "us_west_2 use the same database, so nothing in it is undone" in said
    assert len(built(connection)) == INDEXES

    region.play(tasks_from="rollback")
    assert (built(connection), "parent_span_id" in traces(connection)) == ([], False)
    assert "changed=0 " in region.play(tasks_from="rollback")


def test_an_index_that_was_there_before_outlives_a_rollback(
    region: Region, connection: psycopg.Connection[Any]
) -> None:
    connection.execute("CREATE INDEX idx_traces_span_id ON traces (span_id)")
    region.play()
    assert len(built(connection)) == INDEXES
    region.play(tasks_from="rollback")
    assert built(connection) == ["idx_traces_span_id"]


def test_a_run_that_failed_half_way_is_undone_as_well(region: Region, connection: psycopg.Connection[Any]) -> None:
    doomed = {"name": "idx_doomed", "table": "traces", "columns": [{"expr": "1 / (id - id)"}]}
    said = region.play(good=False, migrate_indexes=[doomed])
    assert "division by zero" in said and len(built(connection)) == INDEXES

    said = region.play(tasks_from="rollback", migrate_indexes=[doomed])
    assert "undoing 2 migration(s) and 7 index(es)" in said
    assert (built(connection), "parent_span_id" in traces(connection)) == ([], False)
    assert "nothing to undo: there is no" in region.play(tasks_from="rollback")


def test_regions_with_one_address_of_a_database_share_it(region: Region, connection: psycopg.Connection[Any]) -> None:
    indexes = [{"name": "idx_one", "table": "traces", "columns": ["span_id"]}]
    region.play(migrate_path="", migrate_explain={}, migrate_indexes=indexes)
    # What is given on the command line counts for every host of the inventory.
    said = region.play(tasks_from="rollback", hosts="localhost,us_west_2,")
    assert "us_west_2 use the same database, so nothing in it is undone" in said
    assert built(connection) == ["idx_one"]
    region.play(tasks_from="rollback")
    assert built(connection) == []


def test_no_fresh_backup_no_migration(region: Region, connection: psycopg.Connection[Any]) -> None:
    for moment, word in (("2026-01-01T00:00:00Z", "s old, and may be 86400"), ("", "set rollout_backup_taken_at")):
        assert word in region.play(good=False, rollout_backup_taken_at=moment)
    assert built(connection) == []


def test_a_plan_check_of_no_index_is_refused(region: Region, connection: psycopg.Connection[Any]) -> None:
    wrong = {"idx_mistyped": {"query": "SELECT 1"}}
    indexes = [{"name": "idx_one", "table": "traces", "columns": ["span_id"]}]
    for options in ({}, {"migrate_path": "", "migrate_indexes": indexes}):
        said = region.play(good=False, migrate_explain=wrong, **options)
        assert "names idx_mistyped, and no file and no entry of migrate_indexes makes such an index" in said
    assert built(connection) == []


def test_a_tool_of_the_users(region: Region, connection: psycopg.Connection[Any]) -> None:
    marker = region.folder / "applied"
    shell = ["/bin/sh", "-c"]
    commands = {
        "pending": [*shell, f"test -e {marker} || echo one"],
        "apply": [*shell, f'echo "$PGDATABASE" > {marker}'],
        "rollback": ["/bin/rm", str(marker)],
    }
    options = {"migrate_runner": "command", "migrate_command": commands, "migrate_path": "", "migrate_explain": {}}
    assert "one pending" in region.play("--check", **options) and not marker.exists()
    region.play(**options)
    assert marker.read_text().strip() == region.variables["region_database"]["login_db"]
    assert "changed=0 " in region.play(**options)
    region.play(tasks_from="rollback", **options)
    assert not marker.exists()

    marker.write_text("by the release before")
    region.play(**options)
    assert "nothing to undo" in region.play(tasks_from="rollback", **options)
    assert marker.exists()


def test_a_job_that_fails_is_not_waited_for_until_the_end(
    region: Region, connection: psycopg.Connection[Any], kube: Any
) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/m"}]}
    job: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate-1"}}
    job["spec"] = {"template": {"spec": pod}}
    options = {"migrate_runner": "kubernetes_job", "migrate_job": job, "migrate_path": "", "migrate_explain": {}}
    options |= {"region_kubeconfig": str(kube.kubeconfig), "region_namespace": "tars"}
    back = {**options, "migrate_job_rollback": {**job, "metadata": {"name": "back-1"}}}
    assert "nothing to undo" in region.play(tasks_from="rollback", **back) and kube.objects == {}

    kube.status = {"conditions": [{"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}]}
    began = time.monotonic()
    said = region.play(good=False, **options)
    assert "Job migrate-1 in tars of us-east-1 failed: BackoffLimitExceeded" in said
    assert time.monotonic() - began < 300

    kube.objects.clear()
    kube.status = {"conditions": [{"type": "Complete", "status": "True"}]}
    region.play(**options)
    region.play(tasks_from="rollback", **back)
    assert [path.rsplit("/", 1)[1] for path in kube.objects] == ["migrate-1", "back-1"]
