# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that the gate promises: they hold on simulated stages, and a bench that misses one says so and fails."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_gate
import bench_gate_cost
import bench_gate_live
import pytest
from gate_sim import runs

SEEDS = 300


@pytest.fixture(scope="module")
def simulated() -> dict[str, Any]:
    """The anchor and the healthy stage. The stressed ones take the thousands of runs of the bench."""
    rows = bench_gate.ROWS[:2]
    found = [bench_gate.row(name, healthy, runs(stage, SEEDS, seed=1)) for name, stage, healthy in rows]
    return bench_gate.summary(found)


def missed(promises: list[tuple[str, bool]]) -> list[str]:
    return [text for text, kept in promises if not kept]


def test_the_anchor_is_rolled_back_in_time_and_healthy_stages_are_not(simulated: dict[str, Any]) -> None:
    assert [row["runs"] for row in simulated["rows"]] == [SEEDS, SEEDS]
    assert missed(bench_gate.promises(simulated)) == []


GATE = {"anchor": {"median_s": 45.0, "p95_s": 90.0, "false_rollback": 0.0},
        "rows": [{"name": "healthy", "healthy": True, "rollback": 0.0}]}  # fmt: skip
LIVE = [{"scrape_s": 5, "rollback": 1.0, "median_s": 40.0, "requests_per_poll": 1.0}]
COST = {"judgement": {"cpu_s": 0.4}, "poll": {"requests_per_poll": 1.0, "samples_per_poll": 3000}}


def _with(found: Any, value: Any, *way: str | int) -> Any:
    found = copy.deepcopy(found)
    place = found
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    return found


@pytest.mark.parametrize(
    ("bench", "good", "way", "bad"),
    [
        (bench_gate, GATE, ("anchor", "median_s"), 75.0),
        (bench_gate, GATE, ("anchor", "median_s"), None),
        (bench_gate, GATE, ("anchor", "p95_s"), 105.0),
        (bench_gate, GATE, ("anchor", "false_rollback"), 0.006),
        (bench_gate, GATE, ("rows", 0, "rollback"), 0.011),
        (bench_gate_live, LIVE, (0, "rollback"), 0.9),
        (bench_gate_live, LIVE, (0, "median_s"), 61.0),
        (bench_gate_live, LIVE, (0, "median_s"), None),
        (bench_gate_live, LIVE, (0, "requests_per_poll"), 2.1),
        (bench_gate_cost, COST, ("judgement", "cpu_s"), 1.0),
        (bench_gate_cost, COST, ("poll", "requests_per_poll"), 3.0),
        (bench_gate_cost, COST, ("poll", "samples_per_poll"), 5001),
    ],
)
def test_a_promise_that_is_missed_is_reported(bench: Any, good: Any, way: tuple[str | int, ...], bad: Any) -> None:
    assert missed(bench.promises(good)) == []
    assert len(missed(bench.promises(_with(good, bad, *way)))) == 1


@pytest.mark.parametrize(("bound", "code"), [(60.0, 0), (30.0, 1)])
def test_the_bench_says_in_one_line_and_by_its_exit_code_that_a_promise_is_missed(
    bound: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real: Callable[..., Any] = bench_gate.at_most

    def at_most(figure: float | None, promised: float) -> bool:
        return real(figure, bound if promised == 60 else promised)

    monkeypatch.setattr(bench_gate, "at_most", at_most)
    monkeypatch.setattr(bench_gate, "ROWS", bench_gate.ROWS[:2])
    out = tmp_path / "gate.json"
    monkeypatch.setattr(sys, "argv", ["bench_gate.py", "--runs", "40", "--out", str(out)])
    assert bench_gate.main() == code
    said = capsys.readouterr().err.splitlines()
    assert said == (["MISSED: the anchor's median <= 60 s"] if code else ["as promised"])
    assert out.exists()
