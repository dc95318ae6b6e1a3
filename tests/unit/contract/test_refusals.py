# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What governance says no with ends as refused, and not as something that went wrong; the codes are from the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins" / "module_utils"
CODE = re.compile(r"[a-z]+(_[a-z]+)+")
# Calls that are handed a code as an argument of their own.
GIVEN = {"Problem", "Finding", "_refuse"}
# A registry that cannot be asked has failed; nobody has refused anything. The sign-off comes after the rollout.
OTHERS = {"http_unauthorized"}
FILES = [path for path in sorted((UTILS / "_govern").glob("*.py")) if path.stem != "signoff"]
FILES += [UTILS / f"_{name}.py" for name in ("rollout_permit", "rollout_approval", "release_artifacts", "rollout_plan")]


def codes(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            given = getattr(node.func, "id", getattr(node.func, "attr", "")) in GIVEN
            words = [*(node.args if given else ()), *(word.value for word in node.keywords if word.arg == "reason")]
            found |= {word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)}
    return {word for word in found if CODE.fullmatch(word)}


def known() -> tuple[re.Pattern[str], list[str]]:
    tasks = yaml.safe_load((ROOT / "playbooks" / "tasks" / "rescue.yml").read_text(encoding="utf-8"))
    return re.compile(tasks[0]["vars"]["rescue_governed"]), tasks[0]["vars"]["rescue_refusals"]


def test_every_code_of_governance_is_a_refusal() -> None:
    pattern, listed = known()
    told = {code for path in FILES for code in codes(path)} - OTHERS
    told |= {f"{kind}_{why}" for kind in ("approval", "vote", "override") for why in ("expired", "self", "missing")}
    told |= {"frozen", "closed", "count_invalid", "capacity", "certificate_age", "secret_age", "rights_missing"}
    assert {"window_invalid", "time_zone_unknown", "windows_overlap", "ssh_keygen_missing", "plan_waves"} <= told
    assert [code for code in sorted(told) if code not in listed and not pattern.match(code)] == []


def test_what_went_wrong_otherwise_is_none() -> None:
    pattern, listed = known()
    for code in (
        "task_failed",
        "kube_forbidden",
        "http_unauthorized",
        "fence_lost",
        "sign_off_signed",
        "second_writer",
    ):
        assert code not in listed and not pattern.match(code)
