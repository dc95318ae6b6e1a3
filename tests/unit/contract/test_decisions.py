# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a person has decided a stage, in a record that also says who has allowed the rollout to begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

SHIFT = Path(__file__).resolve().parents[3] / "roles" / "shift" / "tasks"
PERMIT = {"act": "permit", "artifacts": "", "cohort": "", "stage": None, "held": "", "approvals": []}
DECIDED = {"decision": "promote", "cohort": "backend", "stage": 1, "held": "canary", "who": "dave"}


@pytest.mark.parametrize(
    ("name", "approvals", "approved"),
    [
        ("stage", [], False),
        ("stage", [PERMIT], False),
        ("stage", [PERMIT, {**DECIDED, "decision": "rollback"}], False),
        ("stage", [PERMIT, {**DECIDED, "stage": 0}], False),
        ("stage", [PERMIT, DECIDED], True),
        ("soak", [PERMIT, DECIDED], False),
        ("soak", [PERMIT, {**DECIDED, "held": "soaking"}], True),
    ],
)
def test_what_a_person_decided(template: Any, name: str, approvals: list[dict[str, Any]], approved: bool) -> None:
    tasks = yaml.safe_load((SHIFT / f"{name}.yml").read_text(encoding="utf-8"))
    (text,) = (task["vars"]["judge_approved"] for task in tasks if "judge_approved" in (task.get("vars") or {}))
    step = {"cohort": "backend", "stage": 1}
    assert template(text, {"rollout_record": {"approvals": approvals}, "shift_step": step}) is approved
