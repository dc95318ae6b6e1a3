# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Key, literal, quote, wanted
from hypothesis import given
from hypothesis import strategies as st


def options(**changes: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        **dict.fromkeys(("schema", "include", "where", "storage_params", "tablespace")),
        **dict.fromkeys(("unique", "nulls_not_distinct", "sweep_leftovers"), False),
        "explain": None,
        **{"name": "ix", "table": "t", "columns": ["a"], "method": "btree", "state": "present"},
        **{"on_invalid": "rebuild", "on_drift": "fail"},
    }
    return {**defaults, **changes}


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1))
def test_a_quoted_name_ends_only_at_its_last_character(name: str) -> None:
    quoted = quote(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "") == name.replace('"', "")


@pytest.mark.parametrize(("text", "sql"), [("90", "'90'"), ("it's", "'it''s'"), ("a\\b", " E'a\\\\b'")])
def test_a_text_constant(text: str, sql: str) -> None:
    assert literal(text) == sql


def test_the_statement_has_every_part_in_the_order_of_the_grammar() -> None:
    index = wanted(
        options(
            columns=["a", {"expr": "lower(b)", "order": "desc", "nulls": "last", "collation": "pg_catalog.C"}],
            include=["c"],
            unique=True,
            nulls_not_distinct=True,
            where="c > 1",
            storage_params={"fillfactor": 70, "deduplicate_items": False},
            tablespace="fast",
        )
    )
    assert index.create('"ix"', '"app"."t"') == (
        'CREATE UNIQUE INDEX CONCURRENTLY "ix" ON "app"."t" USING "btree" '
        '("a", (lower(b)) COLLATE "pg_catalog"."C" DESC NULLS LAST) INCLUDE ("c") NULLS NOT DISTINCT '
        'WITH ("deduplicate_items" = \'false\', "fillfactor" = \'70\') TABLESPACE "fast" WHERE (c > 1)'
    )


def test_the_probe_names_neither_index_nor_tablespace() -> None:
    index = wanted(options(tablespace="fast"))
    assert index.create("", "pg_temp.t", how="") == 'CREATE INDEX ON pg_temp.t USING "btree" ("a")'


@pytest.mark.parametrize(
    "column", ["", 7, {}, {"column": "a", "expr": "b"}, {"column": "a", "order": "up"}, {"x": "a"}]
)
def test_a_column_that_cannot_be_read_is_refused(column: Any) -> None:
    with pytest.raises(IndexFault, match="cannot be read") as caught:
        wanted(options(columns=[column]))
    assert caught.value.reason == "input"


def test_bytes_of_a_name_count_and_not_characters() -> None:
    assert wanted(options(name="x" * 63)).name == "x" * 63
    with pytest.raises(IndexFault) as caught:
        wanted(options(name="\u00e4" * 32))
    assert caught.value.reason == "name_too_long"


@pytest.mark.parametrize(
    "changes", [{"columns": None}, {"columns": []}, {"table": None}, {"name": ""}, {"where": "\0"}]
)
def test_what_can_never_be_right_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(IndexFault) as caught:
        wanted(options(**changes))
    assert caught.value.reason == "input"


def test_absent_needs_only_a_name() -> None:
    assert wanted(options(state="absent", table=None, columns=None)).keys == ()


def test_a_string_is_always_the_name_of_a_column() -> None:
    assert wanted(options(columns=["a DESC"])).keys == (Key(column="a DESC"),)
