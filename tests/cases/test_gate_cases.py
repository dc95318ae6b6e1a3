# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import more_cases, more_cases_edges, more_cases_sources, more_cases_too
from .gate_format import Outcome, load, play

Player = Callable[[dict[str, Any]], Outcome]


def _cases(config: pytest.Config) -> list[dict[str, Any]]:
    """Those that are asked for; without a wish the examples and the project's own."""
    path = Path(config.getoption("--cases"))
    return [*load(path), *(OWN if path == EXAMPLES else [])]


OWN = [case for part in (more_cases, more_cases_too, more_cases_edges, more_cases_sources) for case in part.CASES]
EXAMPLES = Path(__file__).with_name("gate_cases.json")
CASES: dict[pytest.Config, list[dict[str, Any]]] = {}


def cases_of(config: pytest.Config) -> list[dict[str, Any]]:
    """Read once: the cases of the tests are those that the server was filled with."""
    if config not in CASES:
        CASES[config] = _cases(config)
    return CASES[config]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = cases_of(metafunc.config)
        metafunc.parametrize("case", cases, ids=[str(case.get("id", n)) for n, case in enumerate(cases)])


@pytest.fixture(scope="session")
def player(request: pytest.FixtureRequest) -> Iterator[Player]:
    if not request.config.getoption("--through-prometheus"):
        yield play
        return
    # Only needed here: without the option no server has to be installed.
    from .through_prometheus import RealPrometheus

    server = RealPrometheus(cases_of(request.config))
    try:
        yield server.play
    finally:
        server.close()


def test_case(case: dict[str, Any], player: Player) -> None:
    expect = case["expect"]
    outcome = player(case)
    seen = f"{case.get('title', '')}: {outcome}"
    if "verdict" in expect:
        assert outcome.verdict == expect["verdict"], seen
    if "reasons" in expect:
        assert outcome.reason in expect["reasons"], seen
    if expect.get("slo"):
        assert outcome.slo == expect["slo"], seen
    if expect.get("by_s") is not None:
        assert outcome.at <= expect["by_s"], seen
    # An expectation that nothing looks at would be a test that cannot fail.
    assert expect.keys() & {"verdict", "reasons", "slo", "by_s"}, expect
