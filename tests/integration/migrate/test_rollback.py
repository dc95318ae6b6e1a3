# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/rollback.yml with the database: only when it is asked for, in reverse, and nothing that a region shares.

The regions' traffic is back already, so no cluster is needed but for the record.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
FILES = {
    "001_more": "ALTER TABLE t ADD COLUMN more int;",
    "001_more.rollback": "ALTER TABLE t DROP COLUMN more;",
    "002_most": "ALTER TABLE t ADD COLUMN most int;",
    "002_most.rollback": "ALTER TABLE t DROP COLUMN most;",
    "003_indexes": "CREATE INDEX one ON t (a); CREATE INDEX two ON t (id, a); CREATE INDEX there ON t (id);",
}
AS_NEW, AS_BEFORE = (["a", "id", "more", "most"], ["one", "there", "two"]), (["a", "id"], ["there"])


class Regions:
    """East, and west with a database of its own or with the same."""

    def __init__(self, folder: Path, kube: Any, database: dict[str, Any]) -> None:
        self.folder, self.kube, self.database = folder, kube, database
        (folder / "expand").mkdir()
        for name, text in FILES.items():
            (folder / "expand" / f"{name}.sql").write_text(text, encoding="utf-8")
        role = {"name": "Migrate", "ansible.builtin.include_role": {"name": "tars.rollout.migrate"}}
        play = [{"name": "Play", "hosts": "east", "gather_facts": False, "tasks": [role]}]
        (folder / "migrate.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
        self.record("east")

    def record(self, region: str, **fields: str) -> None:
        """What the region's record says."""
        record = {"phase": "rolled_back", "release": "1.0.1", "phase_since": "2026-01-01T00:00:00Z", **fields}
        self.kube.objects[f"/api/v1/namespaces/{region}/configmaps/ga-rollout-tars"] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "ga-rollout-tars", "namespace": region},
            "data": {"record": json.dumps(record)},
        }

    def play(self, playbook: str, *options: str, good: bool = True, west: str = "another", **variables: Any) -> str:
        """Run a playbook for east; ``west`` is the name of its database."""
        login = {f"login_{name}": self.database[name] for name in ("host", "port", "user", "password")}
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "region_kubeconfig": str(self.kube.kubeconfig),
            "region_name": "{{ inventory_hostname }}",
            "region_namespace": "{{ inventory_hostname }}",
            "rollout_evidence": str(self.folder / "evidence"),
            "rollout_cohorts": [{"name": "backend", "services": ["api"]}],
            "rollout_services": {"api": {"slos": {}}},
            "migrate_path": str(self.folder / "expand"),
            "migrate_lint": False,
            "migrate_max_replication_lag": -1,
            "migrate_wait_for_blockers": 1,
            "migrate_retries": 0,
            "rollout_backup_taken_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **variables,
        }
        databases = {"east": self.database["dbname"], "west": west}
        hosts = {name: {"region_database": {**login, "login_db": other}} for name, other in databases.items()}
        inventory = {"all": {"hosts": hosts, "vars": common}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.folder / "inventory.yml")]
        done = subprocess.run(
            [*command, playbook, "--limit", "east", *options],
            cwd=CHECKOUT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        assert str(self.database["password"]) not in done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def migrate(self) -> None:
        (self.folder / "evidence").mkdir(exist_ok=True)
        self.play(str(self.folder / "migrate.yml"), "-e", "rollout_release=1.0.1")

    def back(self, *options: str, **others: Any) -> str:
        """What a person types."""
        return self.play("playbooks/rollback.yml", *options, **others)


@pytest.fixture
def connection(database: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**database, autocommit=True) as made:
        made.execute("CREATE TABLE t (id int, a int)")
        made.execute("CREATE INDEX there ON t (id)")
        yield made


@pytest.fixture
def regions(tmp_path: Path, kube: Any, database: dict[str, Any], connection: psycopg.Connection[Any]) -> Regions:
    made = Regions(tmp_path, kube, database)
    made.migrate()
    assert state(connection) == AS_NEW
    return made


def state(connection: psycopg.Connection[Any]) -> tuple[list[str], list[str]]:
    """The columns and the valid indexes of the table."""
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped"
    indexes = "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND indrelid = 't'::regclass"
    found = [sorted(row[0] for row in connection.execute(query).fetchall()) for query in (columns, indexes)]
    return found[0], found[1]


ASKED = ("-e", "rollback_database=true")


def test_only_when_it_is_asked_for_and_in_reverse(regions: Regions, connection: psycopg.Connection[Any]) -> None:
    assert "no release under way (the record says rolled_back)" in regions.back(good=False)
    assert "no release under way" in regions.back("-e", "rollback_database=false", good=False)
    assert state(connection) == AS_NEW

    said = regions.back(*ASKED, "--check")
    assert "undoing 3 migration(s) and 2 index(es)" in said and state(connection) == AS_NEW

    said = regions.back(*ASKED, "-v")
    assert "OUTCOME rolled_back east 1.0.1: requested. Stable has all the traffic, and the database has nothing" in said
    assert state(connection) == AS_BEFORE
    # The last file first, then the last index.
    undone = re.search(r"ran: - 003_indexes - 002_most - 001_more\b.*", said)
    assert undone is not None, said
    assert re.findall(r"queries: - DROP INDEX CONCURRENTLY IF EXISTS \W+public\W+(\w+)", undone[0]) == ["two", "one"]

    said = regions.back(*ASKED)
    assert "nothing to undo: there is no" in said and "changed=0 " in said


def test_what_another_region_uses_is_never_undone(regions: Regions, connection: psycopg.Connection[Any]) -> None:
    # By its address, and by name where the address is another.
    for sharing in ({"west": regions.database["dbname"]}, {"migrate_shared_with": ["west"]}):
        said = regions.back(*ASKED, **sharing)
        assert "west use the same database, so nothing in it is undone" in said
        assert "the database stays as it is, for west use it too" in said
        assert state(connection) == AS_NEW


def test_a_promoted_release_keeps_its_database(regions: Regions, connection: psycopg.Connection[Any]) -> None:
    regions.record("east", phase="promoted")
    assert "no release under way (the record says promoted)" in regions.back(*ASKED, good=False)
    assert state(connection) == AS_NEW


def test_what_could_not_be_undone_is_undone_by_the_same_command(
    regions: Regions, connection: psycopg.Connection[Any], database: dict[str, Any]
) -> None:
    with psycopg.connect(**database) as reader:
        reader.execute("SELECT * FROM t")
        said = regions.back(*ASKED, good=False, migrate_lock_timeout=0.5)
    assert "OUTCOME failed east 1.0.1" in said
    assert "Stable has all the traffic, the database was not undone" in said
    assert state(connection) == AS_NEW
    assert "OUTCOME rolled_back east" in regions.back(*ASKED)
    assert state(connection) == AS_BEFORE
