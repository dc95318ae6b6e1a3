# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's share of the processors, in both versions of control groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tarslab import weight

CAP_SYS_NICE = 23


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [("cpu/docker/cpu.shares", "1024", "8192"), ("docker/cpu.weight", "100", "800")],
)
def test_the_engines_group_gets_its_weight(tmp_path: Path, file: str, before: str, after: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(before)
    assert weight.favour_cluster(tmp_path)
    assert (tmp_path / file).read_text() == after


def test_another_arrangement_of_groups_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "system.slice").mkdir()
    (tmp_path / "system.slice" / "cpu.weight").write_text("100")
    assert not weight.favour_cluster(tmp_path)
    assert (tmp_path / "system.slice" / "cpu.weight").read_text() == "100"


def test_what_stands_outside_goes_first_and_so_does_what_it_starts() -> None:
    code = (
        "import os, subprocess, sys; from tarslab import weight; weight.favour()\n"
        "subprocess.run([sys.executable, '-c', 'import os; print(os.sched_getscheduler(0), os.getpriority(0, 0))'])"
    )
    path = {"PYTHONPATH": str(Path(weight.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    if not int(held.split()[1], 16) >> CAP_SYS_NICE & 1:
        assert done.stdout.strip() == f"{os.SCHED_OTHER} {nice}"
        return
    # Round robin may be forbidden all the same, by a control group that has no real time of its own.
    assert done.stdout.strip() in (f"{os.SCHED_RR} {nice}", f"{os.SCHED_OTHER} {weight.NICE}")
