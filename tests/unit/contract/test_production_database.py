# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventories of production and staging say of the database is what the modules and the role take."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible_collections.tars.rollout.plugins.module_utils._pg_index import options

ROOT = Path(__file__).parents[3]
HOSTS = {"production": "us_west_2", "staging": "staging"}
SERVERS = {"TARS_POSTGRESQL_US_WEST_2": "db-west", "TARS_POSTGRESQL_STAGING": "db-staging"}
# As the runbooks name them.
SIX = {
    "idx_missions_status_created": "missions",
    "idx_evaluations_mission_timestamp": "evaluations",
    "idx_traces_span_id": "traces",
    "idx_evaluations_agent_region_time": "evaluations",
    "idx_training_steps_composite": "training_steps",
    "idx_api_keys_user_active": "api_keys",
}
SAYS = (
    "{{ {'defined': region_database is defined, 'database': region_database | default({}), 'indexes': migrate_indexes,"
    " 'explain': migrate_explain, 'path': migrate_path} | to_json }}"
)


def ansible(program: str, inventory: str, *words: str, **environment: str) -> str:
    """Run a program of Ansible's with an inventory; what it printed. Nothing of the caller's own names a server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TARS_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), "-i", f"inventories/{inventory}", *words],
        cwd=ROOT,
        env={**kept, "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(inventory: str, folder: Path, **environment: str) -> dict[str, Any]:
    """The variables of the database as a play sees them, for a host of the inventory."""
    arguments = json.dumps({"content": SAYS, "dest": str(folder / "said.json")})
    ansible("ansible", inventory, HOSTS[inventory], "-m", "ansible.builtin.copy", "-a", arguments, **environment)
    said: dict[str, Any] = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    return said


@pytest.mark.parametrize("inventory", HOSTS)
def test_the_six_indexes_of_the_runbooks_are_what_the_module_takes(inventory: str, tmp_path: Path) -> None:
    said = rendered(inventory, tmp_path, **SERVERS)
    assert said["defined"] is True
    entries = [one | {"explain": said["explain"].get(one["name"])} for one in said["indexes"]]
    rules = {"mutually_exclusive": options.EXCLUSIVE, "required_one_of": [("name", "indexes")]}
    result = ModuleArgumentSpecValidator(options.SPEC, **rules).validate({**said["database"], "indexes": entries})
    assert result.error_messages == []
    assert options.address(result.validated_parameters).host == SERVERS[f"TARS_POSTGRESQL_{HOSTS[inventory].upper()}"]

    wanted = options.all_wanted(result.validated_parameters)
    assert {one.name: one.table for one in wanted} == SIX and len(wanted) == len(SIX)
    assert [one.where for one in wanted if one.where] == ["is_active"]
    # Each key is a column, and none holds an order or anything else that belongs beside it.
    assert all(re.fullmatch(r'"[a-z_]+"( DESC)?', key.sql) for one in wanted for key in one.keys)
    # Each plan check is one of an index that is made, and asks for the region's own rows.
    asked = {one.name: one.question for one in wanted if one.question is not None}
    assert asked.keys() == said["explain"].keys()
    assert {question.max_ms for question in asked.values()} == {50.0, 100.0}
    assert f"'{HOSTS[inventory].replace('_', '-')}'" in asked["idx_evaluations_agent_region_time"].query


def test_without_a_server_there_is_no_database_and_with_files_no_list(tmp_path: Path) -> None:
    said = rendered("production", tmp_path, TARS_MIGRATIONS="/release/migrations")
    assert (said["defined"], said["indexes"], said["path"]) == (False, [], "/release/migrations")


@pytest.mark.parametrize("inventory", HOSTS)
def test_the_preflight_takes_the_inventory(inventory: str) -> None:
    assert "preflight.yml" in ansible("ansible-playbook", inventory, "playbooks/preflight.yml", "--syntax-check")
