# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of pg_index_concurrently in this process, and a table for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.options import INDEX, SPEC
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.run import run
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock


@pytest.fixture
def connection(database: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**database, autocommit=True) as made:
        made.execute(
            "CREATE TABLE t AS SELECT i AS id, i % 1000 AS a, md5(i::text) AS b FROM generate_series(1, 50000) i"
        )
        yield made


@pytest.fixture
def ports(database: dict[str, Any]) -> Callable[..., Call]:
    """What a call gets: the defaults of the options, and those that are given. ``said`` is filled with live lines."""

    def make(check: bool = False, said: list[str] | None = None, **options: Any) -> Call:
        def defaults(of: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
            return {name: given.get(name, option.get("default")) for name, option in of.items()}

        login = {f"login_{name}": database[name] for name in ("host", "port", "user", "password")}
        params = defaults(SPEC, {**login, "login_db": database["dbname"], **options})
        replica = SPEC["verify_replicas"]["options"]
        params["verify_replicas"] = [defaults(replica, entry) for entry in params["verify_replicas"]]
        if params["free_space"] is not None:
            params["free_space"] = defaults(SPEC["free_space"]["options"], params["free_space"])
        if params["indexes"] is not None:
            params["indexes"] = [defaults(INDEX, entry) for entry in params["indexes"]]
        stop, progress = Stop(), Progress()
        if said is not None:
            progress.line = lambda line: said.append(line.seen)  # type: ignore[method-assign]
        return Call(params, check, lambda text: None, SystemClock(stop), stop, progress, Scrubber())

    return make


@pytest.fixture
def call(ports: Callable[..., Call]) -> Callable[..., Any]:
    """Run the module with these options."""
    return lambda **options: run(ports(**options))
