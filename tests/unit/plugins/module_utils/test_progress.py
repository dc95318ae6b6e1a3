# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line, Progress


def test_lines_of_threads_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.touch()
    progress = Progress(str(path))
    work = [
        threading.Thread(target=lambda n=n: [progress.line(Line(f"r{n}", "s", "x" * 500)) for _round in range(50)])
        for n in range(8)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    progress.close()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(records) == 400 and all(len(record["subject"]) == 500 for record in records)
    assert not progress.problem


def test_a_line_is_there_at_once_and_scrubbed(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.touch()
    progress = Progress(str(path), Scrubber(["s3cret"]).text)
    progress.line(Line("us-west-2", "stage", seen="token s3cret", result="PASS"))
    assert path.read_text().endswith("\n")
    assert json.loads(path.read_text())["seen"] == "token ********"


def test_without_a_path_nothing_happens(tmp_path: Path) -> None:
    progress = Progress()
    progress.line(Line("r", "s"))
    progress.close()
    assert not progress.problem and os.listdir(tmp_path) == []


def test_a_path_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent", "/dev/full"):
        progress = Progress(str(path))
        for _round in range(3):
            progress.line(Line("r", "s"))
        progress.close()
        assert progress.problem.startswith("Live lines are not shown: ")
    assert os.listdir(tmp_path) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    (tmp_path / "link").symlink_to(target)
    progress = Progress(str(tmp_path / "link"))
    progress.line(Line("r", "s"))
    assert progress.problem and target.read_text() == ""
