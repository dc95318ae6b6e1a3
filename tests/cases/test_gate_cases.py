# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .gate_format import Outcome, load, play

Player = Callable[[dict[str, Any]], Outcome]


def _cases(config: pytest.Config) -> list[Any]:
    return load(Path(config.getoption("--cases")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = _cases(metafunc.config)
        metafunc.parametrize("case", cases, ids=[case["id"] for case in cases])


@pytest.fixture(scope="session")
def player(request: pytest.FixtureRequest) -> Iterator[Player]:
    if not request.config.getoption("--through-prometheus"):
        yield play
        return
    # Only needed here: without the option no server has to be installed.
    from .through_prometheus import RealPrometheus

    server = RealPrometheus(_cases(request.config))
    yield server.play
    server.close()


def test_case(case: dict[str, Any], player: Player) -> None:
    expect = case["expect"]
    outcome = player(case)
    seen = f"{case['title']}: {outcome}"
    assert outcome.verdict == expect["verdict"], seen
    assert outcome.reason in expect["reasons"], seen
    if "slo" in expect:
        assert outcome.slo == expect["slo"], seen
    if "by_s" in expect:
        assert outcome.at <= expect["by_s"], seen
