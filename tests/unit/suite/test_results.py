# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Red is never lost: whatever a check did, its failure reaches the closing line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tars_suite import results

JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>{more}
</testsuite></testsuites>"""


def junit(folder: Path, more: str = "") -> list[Path]:
    file = folder / "results.xml"
    file.write_text(JUNIT.format(more=more), encoding="utf-8")
    return [file]


@pytest.mark.parametrize(("code", "line"), [(0, "1 passed, 0 failed"), (3, "0 passed, 1 failed")])
def test_a_check_without_junit_counts_as_one(code: int, line: str) -> None:
    assert results.closing_line(results.of_check("ruff", code, [])) == line


def test_tests_of_a_junit_file_are_counted(tmp_path: Path) -> None:
    more = '<testcase name="bad"><failure/></testcase><testcase name="off"><skipped message="no lab"/></testcase>'
    result = results.of_check("pytest", 1, junit(tmp_path, more))
    assert results.closing_line(result) == "1 passed, 1 failed, 1 skipped"
    assert result.failed == ("bad",)
    assert result.skipped == ("off: no lab",)


def test_a_crash_after_passed_tests_is_a_failure(tmp_path: Path) -> None:
    result = results.of_check("pytest", 2, junit(tmp_path))
    assert result.failed == ("pytest (exit code 2, no test failed)",)


def test_a_file_with_skipped_tests_only_is_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "results.xml"
    file.write_text('<testsuite><testcase name="off"><skipped/></testcase></testsuite>', encoding="utf-8")
    assert results.of_check("pytest", 0, [file]).failed == ("pytest (no test was executed)",)
