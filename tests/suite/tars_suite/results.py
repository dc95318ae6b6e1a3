# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting: what a check's exit code and JUnit file say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# ansible-test leaves the reason out of its files; on the terminal it says "No tests applicable".
REASONS = {"sanity": "no file of the collection is of the kind that this test looks at"}


@dataclass(frozen=True)
class Result:
    """How many tests passed and failed, and which were skipped with what reason."""

    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def __add__(self, other: Result) -> Result:
        return Result(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def of_check(name: str, code: int, junit: Iterable[Path]) -> Result:
    """The result of one check.

    Without a JUnit file the check itself counts as one. With one, its tests count; a command that failed although
    no test in the file did (a crash, nothing collected) adds one failure of its own: red is never lost.
    """
    files = sorted(junit)
    if not files:
        return Result(passed=1) if code == 0 else Result(failed=(f"{name} (exit code {code})",))
    total = Result()
    for file in files:
        for case in ET.parse(file).getroot().iter("testcase"):
            total += _of_case(case)
    if code != 0 and not total.failed:
        total += Result(failed=(f"{name} (exit code {code}, no test failed)",))
    if code == 0 and not total.passed and not total.failed:
        total += Result(failed=(f"{name} (no test was executed)",))
    return total


def _of_case(case: ET.Element) -> Result:
    name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
    if case.find("failure") is not None or case.find("error") is not None:
        return Result(failed=(name,))
    skipped = case.find("skipped")
    if skipped is not None:
        reason = skipped.get("message") or REASONS.get(case.get("classname", ""), "no reason given")
        return Result(skipped=(f"{name}: {reason}",))
    return Result(passed=1)


def closing_line(result: Result) -> str:
    """The last line of a run, in the form that other programs read."""
    line = f"{result.passed} passed, {len(result.failed)} failed"
    return line + (f", {len(result.skipped)} skipped" if result.skipped else "")
