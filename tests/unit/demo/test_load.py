# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators are turned up and down region by region, and what each counted is kept."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from tars_demo.child import Ended
from tars_demo.load import Load

# Speaks as `lab load --json` does: it notes that it works, and sums up when it is told to end.
GENERATOR = """#!{python}
import json, pathlib, signal, sys
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--out") + 1])
if {silent}:
    signal.pause()
def end(*_):
    summary = {{"requests": 7, "failed": 1, "failures": {{"http_503": 1}}, "ws": {{"cuts": 2}}, "too_slow": ""}}
    print(json.dumps(summary), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
out.write_text("")
while True:
    signal.pause()
"""


def load(folder: Path, silent: bool = False, regions: tuple[str, ...] = ("staging", "us_west_2")) -> Load:
    program = folder / "lab"
    program.write_text(GENERATOR.format(python=sys.executable, silent=silent))
    program.chmod(0o700)
    return Load(program, folder / "good", regions)


def wait_for(folder: Path, count: int) -> None:
    end = time.monotonic() + 20
    while len(list((folder / "good").glob("*.jsonl"))) < count:
        assert time.monotonic() < end, "the generators did not start"
        time.sleep(0.02)


def test_what_every_generator_counted_is_kept(tmp_path: Path) -> None:
    with load(tmp_path).running() as running:
        wait_for(tmp_path, 2)
        running.at_work("us_west_2")
        wait_for(tmp_path, 4)
        # Once more is no change.
        running.at_work("us_west_2")
    totals = running.totals
    assert (totals.requests, totals.failed, totals.failures, totals.cuts) == (28, 4, {"http_503": 4}, 8)
    names = sorted(path.stem for path in (tmp_path / "good").glob("*.jsonl"))
    assert names == ["staging-1-next", "staging-3-served", "us_west_2-2-next", "us_west_2-4-at_work"]


def test_one_that_is_ended_before_it_has_begun_has_nothing_to_tell(tmp_path: Path) -> None:
    with load(tmp_path, silent=True).running() as running:
        pass
    assert running.totals.requests == 0


def test_one_that_began_and_tells_nothing_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "staging-1-next.jsonl").touch()
    with pytest.raises(Ended, match="no summary"), load(tmp_path, silent=True).running():
        pass


def test_after_the_last_turn_all_are_ready_for_the_next_part_which_counts_anew(tmp_path: Path) -> None:
    with load(tmp_path, regions=("a", "b", "c")).running() as running:
        wait_for(tmp_path, 3)
        for turn, count in ((running.at_work, 6), (running.after, 7)):
            turn("b")
            wait_for(tmp_path, count)
        for turn, count in ((running.at_work, 9), (running.after, 11)):
            turn("c")
            wait_for(tmp_path, count)
        good = running.part(tmp_path / "bad")
        while len(list((tmp_path / "bad").glob("*.jsonl"))) < 3:
            time.sleep(0.02)
    names = [path.stem for path in (tmp_path / "good").glob("*.jsonl")]
    # b has its turn, then c is made ready; c has its turn, then those before it are.
    assert sorted(name for name in names if int(name.split("-")[1]) > 3) == [
        "a-10-next", "a-4-served", "b-11-next", "b-5-at_work", "b-8-served", "c-6-served", "c-7-next", "c-9-at_work",
    ]  # fmt: skip
    assert good.requests == 11 * 7 and running.totals.requests == 3 * 7
    names = [path.stem for path in (tmp_path / "bad").glob("*.jsonl")]
    assert sorted(name.partition("-")[0] + name[-5:] for name in names) == ["a-next", "b-next", "c-next"]
