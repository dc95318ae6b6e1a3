# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a rollback while the mesh's control plane is away: the canaries go last, and only when proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLE = Path(__file__).resolve().parents[3] / "roles" / "rollback" / "tasks" / "main.yml"
TASKS: list[dict[str, Any]] = yaml.safe_load(ROLE.read_text(encoding="utf-8"))
MODULES = [next((key for key in task if "." in key), "") for task in TASKS]
AWAY = {
    "failed": True, "reason": "control_plane_away", "msg": "the gateways have no connection",
    "details": {"services": [{"fence": 8}, {"fence": 11}]},
}  # fmt: skip


def numbers(module: str) -> list[int]:
    return [number for number, found in enumerate(MODULES) if found == f"tars.rollout.{module}"]


def test_the_order() -> None:
    first, again = numbers("canary_weight")
    (in_place,), (gone,) = numbers("canary_in_place"), numbers("canary_track")
    taken = numbers("rollout_record")[0]
    assert first < in_place < taken < again < gone


@pytest.mark.parametrize(
    ("cut", "failed"),
    [({"services": []}, False), (AWAY, False), ({"failed": True, "reason": "gateway_not_following"}, True)],
)
def test_only_a_control_plane_that_is_away_is_gone_on_with(template: Any, cut: dict[str, Any], failed: bool) -> None:
    first, again = (TASKS[number] for number in numbers("canary_weight"))
    variables = {"rollback_cut": cut, "rollback_in_place": True}
    assert template("{{ " + first["failed_when"] + " }}", variables) is failed
    asked = TASKS[numbers("canary_in_place")[0]]["when"]
    for condition in (again["when"], asked):
        assert template("{{ " + condition + " }}", variables) is (cut is AWAY)
    assert template("{{ " + asked + " }}", {**variables, "rollback_in_place": False}) is False


def test_the_record_is_above_the_fences_of_the_routes(template: Any) -> None:
    floor = TASKS[numbers("rollout_record")[0]]["tars.rollout.rollout_record"]["fence_floor"]
    assert int(template(floor, {"rollback_cut": AWAY})) == 11
    assert int(template(floor, {"rollback_cut": {"services": [{"fence": 4}]}})) == 4
