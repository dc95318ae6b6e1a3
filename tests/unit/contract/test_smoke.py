# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stage asks of its canaries, and what becomes of an answer that was not as wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
STAGE = yaml.safe_load((ROOT / "roles/shift/tasks/stage.yml").read_text(encoding="utf-8"))
RESCUE = yaml.safe_load((ROOT / "playbooks/tasks/rescue.yml").read_text(encoding="utf-8"))
FAILED = yaml.safe_load((ROOT / "playbooks/vars/failed.yml").read_text(encoding="utf-8"))
MODULES = [next(key for key in task if "." in key) for task in STAGE]


def test_it_is_asked_once_per_cohort_and_before_its_first_weight() -> None:
    at = MODULES.index("tars.rollout.canary_smoke")
    assert at < MODULES.index("tars.rollout.canary_weight")
    assert STAGE[at]["when"].startswith("shift_step.stage | int == 0 and ")


def test_every_route_says_whose_it_is(template: Any) -> None:
    asked = STAGE[MODULES.index("tars.rollout.canary_smoke")]["tars.rollout.canary_smoke"]
    variables = {
        "shift_step": {"services": ["api", "insight"]},
        "rollout_routes": {
            "api": [{"name": "api"}], "insight": [{"name": "insight"}, {"name": "insight (gateway_api)"}],
            "other": [{"name": "other"}],
        },
        "rollout_services": {"api": {}, "insight": {"smoke": [{"path": "/ws", "websocket": True}]}},
    }  # fmt: skip
    assert [(item["name"], item["of"]) for item in template(asked["services"], variables)] == [
        ("api", "api"), ("insight", "insight"), ("insight (gateway_api)", "insight"),
    ]  # fmt: skip
    assert template(asked["requests_of"], variables) == {"insight": [{"path": "/ws", "websocket": True}]}


def test_a_failed_one_is_a_rollback_and_its_lines_are_evidence(template: Any) -> None:
    facts, names = RESCUE[0]["ansible.builtin.set_fact"], {**FAILED, **RESCUE[0]["vars"]}
    failed = {
        "reason": "smoke_failed",
        "msg": "The canary of api ...",
        "details": {"lines": ["api: GET / answered 500"]},
    }
    place = {"rollout_fence": 7, "inventory_hostname": "us_west_2", "rollout_release": "1.0.1"}
    variables = {**names, **place, "ansible_failed_result": failed}
    assert template(facts["rollout_outcome"], variables)["outcome"].strip() == "rolled_back"
    seen = {"step": "smoke", "verdict": "rollback", "lines": ["api: GET / answered 500"]}
    assert template(facts["rollout_seen"], variables) == seen
