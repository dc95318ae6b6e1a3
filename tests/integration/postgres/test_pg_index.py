# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_index_concurrently in this process, against a real server: what the case files do not hold."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault

Connection = psycopg.Connection[Any]


def indexes(connection: Connection) -> list[tuple[str, bool]]:
    query = "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1"
    return connection.execute(query).fetchall()


LIST = [{"name": "one", "table": "t", "columns": ["a"]}, {"name": "two", "table": "t", "columns": ["b", "a"]}]


def test_a_list_is_built_and_the_second_call_changes_nothing(call: Callable[..., Any], connection: Connection) -> None:
    first, second = (call(indexes=LIST) for _time in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert indexes(connection) == [("one", True), ("two", True)]
    assert [entry["valid"] for entry in second["indexes"]] == [True, True]


def test_one_doomed_index_of_a_list_stops_the_call_before_any_ddl(
    call: Callable[..., Any], connection: Connection
) -> None:
    doomed = [*LIST, {"name": "three", "table": "t", "columns": ["nope"]}]
    for check in (True, False):
        with pytest.raises(IndexFault) as caught:
            call(indexes=doomed, check=check)
        assert (caught.value.reason, caught.value.sqlstate) == ("undefined_column", "42703")
    assert indexes(connection) == []


def test_fifty_indexes_that_are_there_take_less_than_two_seconds(
    call: Callable[..., Any], connection: Connection
) -> None:
    for number in range(50):
        connection.execute(f"CREATE INDEX i{number} ON t (a) WHERE id > {number}".encode())
    wanted = [{"name": f"i{n}", "table": "t", "columns": ["a"], "where": f"id > {n}"} for n in range(50)]
    began = time.monotonic()
    assert call(indexes=wanted)["changed"] is False
    assert time.monotonic() - began < 2


def test_a_password_is_in_no_fault(call: Callable[..., Any]) -> None:
    with pytest.raises(IndexFault) as caught:
        call(login_password="planted-secret", name="ix", table="t", columns=["a"])
    assert "planted-secret" not in str(caught.value.payload(Scrubber()))
    assert caught.value.reason in ("connection_lost", "invalid_password")


def test_a_replacement_leaves_one_valid_index(call: Callable[..., Any], connection: Connection) -> None:
    connection.execute("CREATE INDEX ix ON t (b)")
    result = call(name="ix", table="t", columns=["a"], on_drift="replace")
    assert (result["replaced"], result["drift"]) == (True, ["column"])
    assert indexes(connection) == [("ix", True)]


def test_what_is_added_is_written_down_before_it_is_built(
    call: Callable[..., Any], connection: Connection, tmp_path: Path
) -> None:
    evidence = tmp_path / "added.json"
    connection.execute("CREATE INDEX one ON t (a)")
    doomed = {"name": "three", "table": "t", "columns": ["a"], "unique": True}
    with pytest.raises(IndexFault) as caught:
        call(indexes=[*LIST, doomed], evidence=str(evidence))
    assert caught.value.sqlstate == "23505" and indexes(connection) == [("one", True), ("two", True)]
    kept = json.loads(evidence.read_text())
    assert kept == {"migrations": [], "indexes": [{"name": name, "schema": "public"} for name in ("two", "three")]}


def test_what_cannot_be_written_down_is_not_built(
    call: Callable[..., Any], connection: Connection, tmp_path: Path
) -> None:
    for evidence, text in (("file", "no folder"), ("added.json", "[1]"), ("added.json", "{")):
        (tmp_path / evidence).write_text(text)
        with pytest.raises(IndexFault) as caught:
            call(**LIST[0], evidence=str(tmp_path / evidence / "x" if text == "no folder" else tmp_path / evidence))
        assert caught.value.reason == "evidence"
    assert indexes(connection) == []
