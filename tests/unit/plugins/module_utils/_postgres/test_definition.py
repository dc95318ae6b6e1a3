# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._postgres.catalog import Index, KeySeen
from ansible_collections.tars.rollout.plugins.module_utils._postgres.definition import differences
from ansible_collections.tars.rollout.plugins.module_utils._postgres.leftovers import is_of, with_suffix
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import NAME_BYTES, Wanted
from hypothesis import given
from hypothesis import strategies as st

A = KeySeen("a", True, "pg_catalog.int4_ops", "", 0)
B = KeySeen("b", True, "pg_catalog.text_ops", "pg_catalog.default", 0)
LOWER = KeySeen("lower(b)", False, "pg_catalog.text_ops", "pg_catalog.default", 0)
INDEX = Index(
    **{"oid": 1, "schema": "app", "name": "ix", "table": "app.t", "table_oid": 2, "kind": "i", "valid": True},
    **{
        "ready": True,
        "live": True,
        "check_xmin": False,
        "unique": False,
        "nulls_not_distinct": False,
        "identity": False,
    },
    **{"method": "btree", "predicate": "", "tablespace": "", "definition": "", "constraint": ""},
    **{"parent": "", "storage": {}, "keys": (A, B), "include": ()},
)


@pytest.mark.parametrize(
    ("changes", "drift"),
    [
        ({}, []),
        ({"keys": (A,)}, ["column"]),
        ({"keys": (B, A)}, ["column_order"]),
        ({"keys": (A, LOWER)}, ["expression"]),
        ({"keys": (replace(A, options=3), B)}, ["sort_order"]),
        ({"keys": (replace(A, options=2), B)}, ["nulls_order"]),
        ({"keys": (replace(A, options=1), B)}, ["sort_order", "nulls_order"]),
        ({"keys": (A, replace(B, opclass="pg_catalog.text_pattern_ops"))}, ["opclass"]),
        ({"keys": (A, replace(B, collation="pg_catalog.C"))}, ["collation"]),
        ({"method": "hash", "keys": (replace(A, opclass="x"), B)}, ["method"]),
        ({"unique": True, "predicate": "(a > 1)"}, ["unique", "predicate"]),
        ({"include": ("c",)}, ["include"]),
        ({"nulls_not_distinct": True}, ["nulls_not_distinct"]),
        ({"storage": {"fillfactor": "70"}}, []),
    ],
)
def test_each_difference_has_its_name(changes: dict[str, Any], drift: list[str]) -> None:
    assert differences(replace(INDEX, **changes), INDEX, Wanted("ix")) == drift


@pytest.mark.parametrize(("seen", "asked", "drift"), [("on", "true", []), ("70", "70", []), ("70", "90", ["storage"])])
def test_storage_counts_where_it_is_named(seen: str, asked: str, drift: list[str]) -> None:
    found = replace(INDEX, storage={"x": seen})
    assert differences(found, INDEX, Wanted("ix", storage={"x": asked})) == drift


def test_the_tablespace_counts_where_it_is_named() -> None:
    assert differences(INDEX, INDEX, Wanted("ix", tablespace="pg_default")) == []
    assert differences(INDEX, INDEX, Wanted("ix", tablespace="fast")) == ["tablespace"]


@given(st.text(alphabet="a\u00e4\u20ac", min_size=1, max_size=63), st.integers(1, 10**6))
def test_a_name_with_a_suffix_fits_and_is_known_again(name: str, number: int) -> None:
    made = with_suffix(name, "_ccnew", number)
    assert len(made.encode()) <= NAME_BYTES
    assert is_of(replace(INDEX, name=made), name, ("_ccnew",))


@pytest.mark.parametrize("name", ["ix", "ix2_ccnew", "ix_ccnew_", "ix_ccnewx", "keep_ccnew"])
def test_other_names_are_not_leftovers(name: str) -> None:
    assert not is_of(replace(INDEX, name=name), "ix", ("_ccnew",))
