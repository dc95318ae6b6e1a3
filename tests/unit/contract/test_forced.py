# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which switches of other roles the role govern takes for one that needs an override, by its real variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.tars.rollout.plugins.module_utils._govern.policy import OVERRIDABLE

ROLE = Path(__file__).resolve().parents[3] / "roles" / "govern"
ASKED: dict[str, Any] = {"govern_approvals": [{"role": "sre"}], "region_database": {"dsn": "x"}, "migrate_path": "sql"}


def forced(template: Callable[[Any, dict[str, Any]], Any], **given: Any) -> list[str]:
    loader = DataLoader()
    files = [loader.load_from_file(str(ROLE / name / "main.yml")) for name in ("defaults", "vars")]
    found = template("{{ govern_forced }}", {**files[0], **files[1], **ASKED, **given})
    assert isinstance(found, list)
    return [str(name) for name in found]


# As an inventory has it, and as text, which is what -e name=value gives.
@pytest.mark.parametrize(
    ("given", "check"),
    [
        ({"rollout_supersede": True}, "supersede"),
        ({"rollout_supersede": "true"}, "supersede"),
        ({"preflight_forecast": False}, "forecast"),
        ({"preflight_forecast": "false"}, "forecast"),
        ({"rollout_force_takeover": "bob is on a plane"}, "takeover"),
        ({"plan_enforce": "false"}, "plan"),
        ({"preflight_mutable_tags": "true"}, "mutable_tags"),
        ({"migrate_lint": "no"}, "lint"),
        ({"migrate_backup_max_age": 0}, "backup"),
        ({"migrate_backup_max_age": "0"}, "backup"),
        ({"shift_fuse": False}, "fuse"),
    ],
)
def test_each_switch_needs_an_override(template: Any, given: dict[str, Any], check: str) -> None:
    assert forced(template, **given) == [check]
    assert check in OVERRIDABLE or check == "plan"
    # Nobody could sign for it where nobody is asked.
    assert forced(template, **given, govern_approvals=[]) == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "rollout_supersede": "false",
            "preflight_forecast": "true",
            "rollout_force_takeover": "",
            "plan_enforce": True,
        },
        {
            "preflight_mutable_tags": "false",
            "migrate_lint": "yes",
            "migrate_backup_max_age": "3600",
            "plan_enforce": True,
        },
        # Nothing is migrated, so no backup is missed.
        {"migrate_backup_max_age": 0, "migrate_path": ""},
    ],
)
def test_what_is_left_on_needs_none(template: Any, given: dict[str, Any]) -> None:
    assert forced(template, **given) == []
