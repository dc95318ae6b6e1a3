# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/contract.yml with two regions of one database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]


class Regions:
    """Two regions with their records."""

    def __init__(self, folder: Path, kube: Any, database: dict[str, Any]) -> None:
        self.folder, self.kube, self.database = folder, kube, database
        (folder / "contract").mkdir()
        (folder / "contract" / "900_less.sql").write_text("ALTER TABLE t DROP COLUMN a;", encoding="utf-8")

    def record(self, region: str, **fields: str) -> None:
        """What the region's record says."""
        record = {"phase": "promoted", "release": "1.0.1", "phase_since": "2026-01-01T00:00:00Z", **fields}
        self.kube.objects[f"/api/v1/namespaces/{region}/configmaps/ga-rollout-tars"] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "ga-rollout-tars", "namespace": region},
            "data": {"record": json.dumps(record)},
        }

    def play(self, *options: str, good: bool = True, **variables: Any) -> str:
        login = {f"login_{name}": self.database[name] for name in ("host", "port", "user", "password")}
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "region_kubeconfig": str(self.kube.kubeconfig),
            "region_name": "{{ inventory_hostname }}",
            "region_namespace": "{{ inventory_hostname }}",
            "region_database": {**login, "login_db": self.database["dbname"]},
            "rollout_evidence": str(self.folder / "evidence"),
            "rollout_contract_path": str(self.folder / "contract"),
            "rollout_contract_hold": 3600,
            "migrate_backup_max_age": 0,
            "migrate_max_replication_lag": -1,
            **variables,
        }
        inventory = {"all": {"hosts": {"east": {}, "west": {}}, "vars": common}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.folder / "inventory.yml")]
        done = subprocess.run(
            [*command, "playbooks/contract.yml", "-e", "rollout_release=1.0.1", *options],
            cwd=CHECKOUT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        return " ".join(done.stdout.split())


@pytest.fixture
def regions(tmp_path: Path, kube: Any, database: dict[str, Any]) -> Regions:
    return Regions(tmp_path, kube, database)


def test_once_per_database_and_only_when_every_region_is_promoted(regions: Regions, database: dict[str, Any]) -> None:
    regions.record("east")
    regions.record("west", phase="soaking")
    with psycopg.connect(**database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int, a int)")

        def columns() -> list[str]:
            query = "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"
            return [row[0] for row in connection.execute(query + " AND NOT attisdropped").fetchall()]

        said = regions.play(good=False)
        assert "OUTCOME refused east 1.0.1: east: not promoted to 1.0.1 for 3600 s: west. Nothing" in said
        assert "OUTCOME refused west" in said and "is gone" not in said
        said = regions.play("--limit", "east", good=False)
        assert "OUTCOME refused east 1.0.1: east: not in this run: west" in said
        assert columns() == ["id", "a"]

        regions.record("west")
        said = regions.play()
        assert "OUTCOME contracted east 1.0.1: what only the release before needed is gone" in said
        assert "OUTCOME nothing_to_do west 1.0.1: its database is that of east, where it is done" in said
        assert columns() == ["id"]


def test_the_tool_of_the_expand_phase_does_not_contract(regions: Regions) -> None:
    regions.record("east")
    regions.record("west")
    marker, ran = regions.folder / "expanded", regions.folder / "contracted"
    tool = {"migrate_runner": "command", "rollout_contract_path": ""}
    expand = {"pending": ["/bin/echo", "one"], "apply": ["/usr/bin/touch", str(marker)]}
    said = regions.play(**tool, migrate_command=expand)
    assert "OUTCOME nothing_to_do east 1.0.1: nothing is given to contract" in said
    contract = {"pending": ["/bin/echo", "two"], "apply": ["/usr/bin/touch", str(ran)]}
    said = regions.play(**tool, migrate_command=expand, migrate_contract_command=contract)
    assert "OUTCOME contracted east" in said
    assert (marker.exists(), ran.exists()) == (False, True)
