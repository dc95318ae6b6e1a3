# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Does a query use the index? Always in a read-only transaction that is rolled back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Question

LONGEST = 60_000
# Behind spaces, comments and brackets.
_FIRST_WORD = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(?:SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE | re.DOTALL
)


def check(session: Session, question: Question) -> None:
    """Before any DDL: the query is a single one that changes nothing; raises the server's own fault otherwise."""
    if _FIRST_WORD.match(question.query) is None:
        raise IndexFault(
            "The query of explain is no SELECT, and a plan check must change nothing",
            reason="explain_writes",
            sqlstate="25006",
            hint="Give a SELECT; no index was touched",
        )
    plan = _explain(session, question.query, {})
    if any(node.get("Node Type") in ("ModifyTable", "LockRows") for node in _nodes(plan["Plan"])):
        raise IndexFault(
            "The query of explain changes data or locks rows, which a plan check must not do",
            reason="explain_writes",
            sqlstate="25006",
            hint="Give a SELECT; no index was touched",
        )


def prove(session: Session, question: Question, names: set[tuple[str, str]], where: str = "") -> dict[str, Any]:
    """Is one of these indexes (schema, name) used, could it be, and how long does the query take?

    ``where``: a replica's name.

    Raises ``plan_unusable`` when the planner cannot use it at all, ``plan_slow`` above the limit.
    """
    plan = _explain(session, question.query, {}, analyze=question.analyze)
    chosen = _uses(plan, names)
    usable = chosen or _uses(_explain(session, question.query, {"enable_seqscan": "off"}), names)
    ms = round(float(plan["Execution Time"]), 3) if question.analyze else None
    seen = {"uses_index": chosen, "chosen": chosen, "usable": usable, "ms": ms}
    on = f" on replica {where}" if where else ""
    if not usable:
        raise IndexFault(
            f"The query of explain cannot use index {', '.join(sorted(name for _schema, name in names))}{on}, not even "
            "without sequential scans",
            reason="plan_unusable",
            hint="The index was built and is valid; compare its columns and predicate with the query",
            fields={"explain": seen},
        )
    if ms is not None and question.max_ms is not None and ms > question.max_ms:
        raise IndexFault(
            f"The query of explain took {ms:g} ms{on} and may take {question.max_ms:g} ms",
            reason="plan_slow",
            hint="The index was built and is valid; read the plan of the query",
            fields={"explain": seen},
        )
    return seen


def _explain(session: Session, query: str, settings: Mapping[str, str], *, analyze: bool = False) -> dict[str, Any]:
    how = f"FORMAT JSON, VERBOSE{', ANALYZE' if analyze else ''}"
    limits = {"statement_timeout": str(LONGEST), "lock_timeout": "2s"}
    with session.transaction({**limits, **settings}, "BEGIN READ ONLY"):
        rows = session.run(f"EXPLAIN ({how}) {query}", "The plan check")
    plan: dict[str, Any] = rows[0]["QUERY PLAN"][0]
    return plan


def _uses(plan: Mapping[str, Any], names: set[tuple[str, str]]) -> bool:
    return any(index in names for index in _indexes(plan["Plan"], ""))


def _indexes(node: Mapping[str, Any], schema: str) -> Iterator[tuple[str, str]]:
    """Schema and name of each; a bitmap's part has its schema from the scan above it."""
    schema = node.get("Schema", schema)
    if "Index Name" in node:
        yield schema, node["Index Name"]
    for child in node.get("Plans", ()):
        yield from _indexes(child, schema)


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
