# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The acceptance cases of pg_index_concurrently, against real servers: one case, one test.

``--cases PATH``: a file of the format, or a folder with such files; without it those beside this file. Primary, standby
and PgBouncer are started here, or given by ``--dsn``, ``--standby-dsn`` and ``--pgbouncer-dsn``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .pg_play import Play
from .pg_servers import Servers

HERE = Path(__file__).parent


def _files(config: pytest.Config) -> list[Path]:
    given = Path(config.getoption("--cases"))
    # The default of the option is the gate's own file.
    if given == HERE / "gate_cases.json":
        return sorted(HERE.glob("pg_*cases.json"))
    return sorted(given.glob("*.json")) if given.is_dir() else [given]


def _cases(config: pytest.Config) -> list[tuple[dict[str, Any], dict[str, list[str]]]]:
    found = []
    for path in _files(config):
        document = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and all("call" in case for case in document.get("cases", [{}])):
            found += [(case, document.get("fixtures", {})) for case in document["cases"]]
    if not found:
        raise pytest.UsageError(f"no cases of the format in {config.getoption('--cases')}")
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pg_case" in metafunc.fixturenames:
        cases = _cases(metafunc.config)
        metafunc.parametrize("pg_case", cases, ids=[case["id"] for case, _fixtures in cases])


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    option = request.config.getoption
    given = {"primary": option("--dsn"), "standby": option("--standby-dsn"), "pgbouncer": option("--pgbouncer-dsn")}
    made = Servers(given, option("--postgres"))
    try:
        yield made
    finally:
        made.close()


def test_case(pg_case: tuple[dict[str, Any], dict[str, list[str]]], servers: Servers) -> None:
    case, fixtures = pg_case
    problems = Play(case, fixtures, servers).play()
    assert not problems, f"{case.get('title', case['id'])}:\n" + "\n".join(problems)
