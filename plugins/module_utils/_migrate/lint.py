# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What squawk says of SQL files, without what cannot happen here: time-outs are set and indexes are lifted out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError

SECONDS = 60
COVERED = (
    *("prefer-robust-stmts", "require-lock-timeout", "require-statement-timeout", "require-timeout-settings"),
    *("require-concurrent-index-creation", "require-concurrent-index-deletion"),
    "ban-concurrent-index-creation-in-transaction",
)
# What a contract step is for.
CONTRACT = (
    *("ban-drop-column", "ban-drop-table", "ban-drop-not-null", "ban-drop-view", "ban-drop-function"),
    *("ban-drop-constraint", "ban-drop-type", "ban-drop-domain", "ban-drop-default", "ban-drop-schema"),
    *("ban-drop-sequence", "ban-set-schema", "renaming-column", "renaming-table", "renaming-object"),
)
# Advice on style, which is shown and refuses nothing.
STYLE = "prefer-"


def program(named: str) -> str:
    """Path of squawk: the one that is named, the one beside the interpreter, one in PATH; raises ``squawk_missing``."""
    beside = Path(sys.executable).with_name("squawk")
    found = named or (str(beside) if beside.is_file() else shutil.which("squawk"))
    if not found or not Path(found).is_file():
        raise RolloutError(
            f"squawk, which reads migrations for what would lock or break, is not at {named or 'hand'}",
            reason="squawk_missing",
            hint="Install it (pip install squawk-cli), name it in squawk, or set lint to false",
        )
    return found


def findings(squawk: str, files: Sequence[Path], version: int, exclude: Sequence[str]) -> list[dict[str, Any]]:
    """Each with file, line, rule, text and whether it ``refuses``. ``version`` as the server says it, 150018."""
    if not files:
        return []
    rules = [f"--exclude={rule}" for rule in exclude]
    argv = [squawk, "--reporter", "json", "--pg-version", f"{version // 10000}.0", *rules, *map(str, files)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
        rows = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise RolloutError(
            f"squawk did not judge the migrations: {type(error).__name__}",
            reason="squawk_failed",
            hint=f"Try it by hand: {squawk} {files[0]}",
        ) from None
    return [
        {
            "file": Path(row["file"]).name,
            "line": int(row["line"]) + 1,
            "rule": row["rule_name"],
            "text": row["message"],
            "refuses": not row["rule_name"].startswith(STYLE),
        }
        for row in rows
    ]


def check(found: Sequence[dict[str, Any]]) -> None:
    """Raise ``lint`` with all findings when one of them refuses."""
    if bad := [one for one in found if one["refuses"]]:
        first = bad[0]
        raise RolloutError(
            f"{first['file']}:{first['line']} {first['rule']}: {first['text']} ({len(bad)} finding(s) in all)",
            reason="lint",
            hint="Change the migration, or name the rule in lint_exclude when it is meant so",
            details={"lint": list(found)},
        )
