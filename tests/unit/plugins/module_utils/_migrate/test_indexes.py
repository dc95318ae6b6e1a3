# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._migrate import files
from ansible_collections.tars.rollout.plugins.module_utils._migrate.indexes import CannotLift, lift
from ansible_collections.tars.rollout.plugins.module_utils._migrate.tokens import statements

ATOMIC = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("-- only words; here\n/* and; /* deeper; */ here */ ;", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;''b', E'c\\';d', \"e;f\"; SELECT 2;", ["SELECT 'a;''b', E'c\\';d', \"e;f\"", "SELECT 2"]),
        ("DO $x$ BEGIN; $$;$$ END $x$; SELECT 1", ["DO $x$ BEGIN; $$;$$ END $x$", "SELECT 1"]),
        (f"{ATOMIC}; SELECT 1", [ATOMIC, "SELECT 1"]),
        ("SELECT $1; SELECT a$b", ["SELECT $1", "SELECT a$b"]),
        ("SELECT 'no end; of it", ["SELECT 'no end; of it"]),
    ],
)
def test_statements_end_where_postgresql_ends_them(text: str, found: list[str]) -> None:
    assert statements(text) == found


PLAIN: dict[str, Any] = {"name": "i", "state": "present", "table": "t"}


@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("create index i on t (a)", {**PLAIN, "columns": ["a"]}),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON s.T (A)", {**PLAIN, "schema": "s", "columns": ["a"]}),
        ('CREATE INDEX i ON t ("A ""b")', {**PLAIN, "columns": ['A "b']}),
        (
            "CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
            {**PLAIN, "unique": True, "columns": ["a"], "nulls_not_distinct": True},
        ),
        (
            'CREATE INDEX i ON t (a DESC NULLS LAST, b COLLATE "C" text_pattern_ops)',
            {
                **PLAIN,
                "columns": [
                    {"column": "a", "order": "desc", "nulls": "last"},
                    {"column": "b", "collation": "C", "opclass": "text_pattern_ops"},
                ],
            },
        ),
        (
            "CREATE INDEX i ON t (lower(b), (a + 1), s.f(a, 'x,)') DESC)",
            {
                **PLAIN,
                "columns": [{"expr": "lower(b)"}, {"expr": "a + 1"}, {"expr": "s.f(a, 'x,)')", "order": "desc"}],
            },
        ),
        (
            "CREATE INDEX i ON t USING gin (b) INCLUDE (c, d) WITH (fastupdate = off, x='y''z') TABLESPACE fast\n"
            "WHERE a > 5 AND b IN ('x', 'y')",
            {
                **PLAIN,
                "method": "gin",
                "columns": ["b"],
                "include": ["c", "d"],
                "storage_params": {"fastupdate": "off", "x": "y'z"},
                "tablespace": "fast",
                "where": "a > 5 AND b IN ('x', 'y')",
            },
        ),
    ],
)
def test_an_index_statement_becomes_options(statement: str, entry: dict[str, Any]) -> None:
    assert lift(statement) == [entry]


def test_a_drop_names_each_index() -> None:
    gone = [{"name": "a", "state": "absent"}, {"name": "b", "state": "absent", "schema": "s"}]
    assert lift("DROP INDEX CONCURRENTLY IF EXISTS a, s.b") == gone


@pytest.mark.parametrize(
    "statement", ["SELECT 1", "CREATE TABLE i (a int)", "ALTER INDEX i RENAME TO j", "DROP TABLE t"]
)
def test_other_statements_stay(statement: str) -> None:
    assert lift(statement) is None


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ON t (a)",
        "CREATE INDEX i ON ONLY t (a)",
        "CREATE INDEX i ON t (a",
        "CREATE INDEX i ON t (a text_ops(x=1))",
        "CREATE INDEX i ON t (a) NOBODY KNOWS",
        "DROP INDEX i CASCADE",
    ],
)
def test_what_cannot_be_said_in_options_is_refused(statement: str) -> None:
    with pytest.raises(CannotLift):
        lift(statement)


def test_the_last_statement_of_an_index_counts(tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text("CREATE INDEX i ON t (a); CREATE INDEX j ON t (a);", encoding="utf-8")
    (tmp_path / "2.sql").write_text("DROP INDEX i; CREATE INDEX i ON t (b); DROP INDEX j;", encoding="utf-8")
    net = files.net(files.read(str(tmp_path)))
    assert [(one["name"], one["state"]) for one in net] == [("i", "present"), ("j", "absent")]
    assert net[0]["columns"] == ["b"]
