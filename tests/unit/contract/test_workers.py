# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the roles share the work of workers, and that a cohort without a route is no fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"
SHARE, WEIGHT = "tars.rollout.canary_replicas", "tars.rollout.canary_weight"


def tasks(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROLES / path).read_text(encoding="utf-8"))
    return found


def at(path: str, module: str) -> int:
    return next(number for number, task in enumerate(tasks(path)) if module in task)


@pytest.mark.parametrize(
    ("path", "option", "before", "after"),
    [
        ("promote/tasks/stable.yml", "whole", "ansible.builtin.include_tasks", "ansible.builtin.assert"),
        ("promote/tasks/back.yml", "weight", WEIGHT, "ansible.builtin.include_role"),
        ("rollback/tasks/restore.yml", "whole", "ansible.builtin.include_tasks", "ansible.builtin.assert"),
        ("rollback/tasks/main.yml", "cut", WEIGHT, "ansible.builtin.wait_for"),
    ],
)
def test_where_work_is_shared(path: str, option: str, before: str, after: str) -> None:
    assert at(path, before) < at(path, SHARE) < at(path, after)
    assert option in tasks(path)[at(path, SHARE)][SHARE]


@pytest.mark.parametrize(
    ("services", "routed", "shared"),
    [(["api"], ["api"], []), (["worker"], [], ["worker"]), (["worker", "api"], ["api"], ["worker"])],
)
def test_a_cohort_may_have_workers(template: Any, services: list[str], routed: list[str], shared: list[str]) -> None:
    stage = "shift/tasks/stage.yml"
    variables = {
        "shift_step": {"services": services, "stage": 0}, "rollout_workers": ["worker"], "ansible_check_mode": False,
        "rollout_routes": {"api": [{"name": "api"}]}, "rollout_services": {"api": {}, "worker": {}},
    }  # fmt: skip
    for module, names in ((WEIGHT, routed), ("tars.rollout.canary_smoke", routed), (SHARE, shared)):
        task = tasks(stage)[at(stage, module)]
        assert template("{{ " + task["when"] + " }}", variables) is bool(names)
        found = template(task[module]["services"], variables)
        assert [item if isinstance(item, str) else item["name"] for item in found] == names
