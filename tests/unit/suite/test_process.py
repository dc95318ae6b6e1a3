# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real commands: their end, their limit, and that nothing of them stays."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tars_suite import process


def run(tmp_path: Path, *argv: str, seconds: float = 20) -> int:
    return process.run(argv, env=os.environ, cwd=tmp_path, log=tmp_path / "log", seconds=seconds)


def test_exit_code_and_output(tmp_path: Path) -> None:
    assert run(tmp_path, sys.executable, "-c", "print('seen'); raise SystemExit(7)") == 7
    assert "seen" in (tmp_path / "log").read_text()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "no-such-program") == 127
    assert "could not start no-such-program" in (tmp_path / "log").read_text()


def test_a_command_over_its_time_is_ended_with_its_children(tmp_path: Path) -> None:
    assert run(tmp_path, "sh", "-c", "sleep 600 & echo $!; wait", seconds=2) == process.TIMED_OUT
    child = int((tmp_path / "log").read_text().splitlines()[-1])
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()
