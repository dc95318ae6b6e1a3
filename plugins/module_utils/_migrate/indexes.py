# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Index statements of SQL files, as options of pg_index_concurrently: no migration runner repairs an INVALID index."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._migrate.tokens import Token, tokens


class CannotLift(RolloutError):
    """An index statement that cannot be said in options."""

    def __init__(self, statement: str, why: str) -> None:
        super().__init__(
            f"An index statement cannot be taken out of its file, because {why}: {' '.join(statement.split())[:200]}",
            reason="cannot_lift",
            hint="Write it in another way, or give the index in migrate_indexes and take it out of the file",
        )


def lift(statement: str) -> list[dict[str, Any]] | None:
    """Entries for ``indexes`` when it is CREATE INDEX or DROP INDEX, None for any other statement."""
    reader = _Reader(statement)
    if reader.take("create"):
        unique = reader.take("unique")
        return [reader.create(unique)] if reader.take("index") else None
    if reader.take("drop") and reader.take("index"):
        return reader.drop()
    return None


class _Reader:
    def __init__(self, statement: str) -> None:
        self.statement, self.tokens, self.at = statement, list(tokens(statement)), 0

    @property
    def now(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *words: str) -> bool:
        """Step over these words when they come next."""
        ahead = [token.word or token.text for token in self.tokens[self.at : self.at + len(words)]]
        if ahead != list(words):
            return False
        self.at += len(words)
        return True

    def fail(self, why: str) -> CannotLift:
        return CannotLift(self.statement, why)

    def name(self) -> str:
        token = self.now
        if token is None or not token.identifier:
            raise self.fail("a name is missing")
        self.at += 1
        return token.identifier

    def qualified(self) -> list[str]:
        parts = [self.name()]
        while self.take("."):
            parts.append(self.name())
        return parts

    def inside(self) -> str:
        """The text between the parenthesis that comes next and its end."""
        if self.now is None or self.now.text != "(":
            raise self.fail("a parenthesis is missing")
        depth, begin = 0, self.now.end
        for at in range(self.at, len(self.tokens)):
            depth += {"(": 1, ")": -1}.get(self.tokens[at].text, 0)
            if depth == 0:
                self.at = at + 1
                return self.statement[begin : self.tokens[at].start].strip()
        raise self.fail("a parenthesis has no end")

    def create(self, unique: bool) -> dict[str, Any]:
        self.take("concurrently")
        self.take("if", "not", "exists")
        if self.now is not None and self.now.word == "on":
            raise self.fail("the index has no name")
        entry: dict[str, Any] = {"name": self.name(), "state": "present"}
        if not self.take("on") or self.take("only"):
            raise self.fail("it says ONLY or no table")
        table = self.qualified()
        entry.update(table=table[-1], **({"schema": table[-2]} if len(table) > 1 else {}))
        entry.update({"unique": True} if unique else {})
        if self.take("using"):
            entry["method"] = self.name()
        entry["columns"] = [_key(part, self) for part in _split(self.inside())]
        if self.take("include"):
            entry["include"] = [_Reader(part).name() for part in _split(self.inside())]
        if self.take("nulls", "not", "distinct"):
            entry["nulls_not_distinct"] = True
        self.take("nulls", "distinct")
        if self.take("with"):
            entry["storage_params"] = dict(_setting(part, self) for part in _split(self.inside()))
        if self.take("tablespace"):
            entry["tablespace"] = self.name()
        if self.take("where"):
            entry["where"] = self.statement[self.tokens[self.at].start :].strip() if self.now else ""
            self.at = len(self.tokens)
        if self.now is not None:
            raise self.fail(f"what begins with {self.now.text} is not known here")
        return entry

    def drop(self) -> list[dict[str, Any]]:
        self.take("concurrently")
        self.take("if", "exists")
        found = []
        while True:
            parts = self.qualified()
            schema = {"schema": parts[-2]} if len(parts) > 1 else {}
            found.append({"name": parts[-1], "state": "absent", **schema})
            if not self.take(","):
                break
        self.take("restrict")
        if self.now is not None:
            raise self.fail(f"{self.now.text} is not known here")
        return found


def _split(text: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for token in tokens(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            parts.append(text[begin : token.start].strip())
            begin = token.end
    return [*parts, text[begin:].strip()]


def _key(text: str, outer: _Reader) -> str | dict[str, Any]:
    reader = _Reader(text)
    entry: dict[str, Any] = {}
    if reader.now is None:
        raise outer.fail("a column is empty")
    if reader.now.text == "(":
        entry["expr"] = reader.inside()
    else:
        begin = reader.now.start
        parts = reader.qualified()
        if reader.now is not None and reader.now.text == "(":
            reader.inside()
            entry["expr"] = text[begin : reader.tokens[reader.at - 1].end]
        else:
            entry["column"] = parts[-1]
    if reader.take("collate"):
        entry["collation"] = ".".join(reader.qualified())
    if reader.now is not None and reader.now.word not in ("asc", "desc", "nulls"):
        entry["opclass"] = ".".join(reader.qualified())
    for word in ("asc", "desc"):
        entry.update({"order": word} if reader.take(word) else {})
    for word in ("first", "last"):
        entry.update({"nulls": word} if reader.take("nulls", word) else {})
    if reader.now is not None:
        raise outer.fail(f"{reader.now.text} at a column is not known here")
    return str(entry["column"]) if set(entry) == {"column"} else entry


def _setting(text: str, outer: _Reader) -> tuple[str, str]:
    reader = _Reader(text)
    name = ".".join(reader.qualified())
    if not reader.take("=") or reader.now is None:
        raise outer.fail(f"the storage parameter {name} has no value")
    value = text[reader.now.start :].strip()
    return name, value[1:-1].replace("''", "'") if value.startswith("'") else value
