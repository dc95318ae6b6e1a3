# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The migrations of a folder: NAME.sql with NAME.rollback.sql beside it, in the order of their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._migrate.indexes import lift
from ansible_collections.tars.rollout.plugins.module_utils._migrate.tokens import statements, tokens

_PLAIN = re.compile(r"^\s*--\s*transactional\s*:\s*false\s*$", re.IGNORECASE | re.MULTILINE)
_DEPENDS = re.compile(r"^\s*--\s*depends\s*:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One file. ``apply`` and ``back`` are statements without index statements; ``indexes`` those, as options.

    ``back`` is None without a rollback file. ``transactional``: whether its statements stand in one transaction.
    """

    id: str
    path: Path
    apply: tuple[str, ...]
    back: tuple[str, ...] | None
    indexes: tuple[dict[str, Any], ...]
    transactional: bool


def read(folder: str) -> list[Migration]:
    """All of them; raises RolloutError for what cannot be read or said here."""
    path = Path(folder)
    if not path.is_dir():
        raise RolloutError(
            f"There is no folder {folder} with migrations", reason="no_migrations", hint="Correct the path"
        )
    if odd := sorted(one.name for one in path.glob("*.py")):
        raise RolloutError(
            f"{folder} holds {odd[0]}: only SQL files can be read before they run",
            reason="not_sql",
            hint="Write it as SQL, or choose migrate_runner=command",
        )
    files = sorted(one for one in path.glob("*.sql") if not one.name.endswith(".rollback.sql"))
    return [_one(file) for file in files]


def _one(file: Path) -> Migration:
    text = _text(file)
    if _DEPENDS.search(text):
        raise RolloutError(
            f"{file.name} names what it depends on; here the order is that of the names",
            reason="not_supported",
            hint="Name the files in their order and take the line out",
        )
    rest, indexes = _parted(text)
    beside = file.with_name(f"{file.stem}.rollback.sql")
    back = tuple(_parted(_text(beside))[0]) if beside.is_file() else None
    return Migration(file.stem, file, tuple(rest), back, tuple(indexes), not _PLAIN.search(text))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RolloutError(f"{file} cannot be read: {error}", reason="no_migrations", hint="Correct the file") from None


def _parted(text: str) -> tuple[list[str], list[dict[str, Any]]]:
    rest, indexes = [], []
    for statement in statements(text):
        found = lift(statement)
        if found is None:
            rest.append(statement)
        else:
            indexes += found
    return rest, indexes


def net(
    migrations: Sequence[Migration], others: Sequence[Migration] = (), applied: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The indexes of ``migrations`` as they are in the end, in the order of their last statement.

    ``others``, the files of the other phase, count as far as they are applied, in the order of ``applied``: an index
    that a contract step dropped is not wanted any more, until a later file makes it again.
    """
    at = {name: number for number, name in enumerate(applied)}
    order = [(at.get(one.id, len(at)), one, True) for one in migrations]
    order += [(at[one.id], one, False) for one in others if one.id in at]
    last: dict[tuple[str, str], tuple[dict[str, Any], bool]] = {}
    for _number, one, own in sorted(order, key=lambda item: item[0]):
        for entry in one.indexes:
            key = (entry.get("schema", ""), entry["name"])
            last.pop(key, None)
            last[key] = (entry, own)
    return [entry for entry, own in last.values() if own]


def check_constraints(todo: Sequence[Migration]) -> None:
    """Refuse a constraint on an index that is not there yet: indexes are made after all SQL."""
    lifted = {entry["name"] for one in todo for entry in one.indexes if entry["state"] == "present"}
    for one in todo:
        for statement in one.apply:
            seen = list(tokens(statement))
            for at in range(len(seen) - 2):
                words = (seen[at].word, seen[at + 1].word)
                if words == ("using", "index") and seen[at + 2].identifier in lifted:
                    raise RolloutError(
                        f"{one.path.name} makes a constraint of index {seen[at + 2].identifier}, which is taken out of "
                        "the files and built after all SQL",
                        reason="cannot_lift",
                        hint="Put the ALTER TABLE into a file of the next release, when the index is there",
                    )


def pending(migrations: Sequence[Migration], applied: Iterable[str]) -> list[Migration]:
    """Those that are not applied yet, in order."""
    done = set(applied)
    return [one for one in migrations if one.id not in done]


def to_undo(migrations: Sequence[Migration], applied: Iterable[str], only: Sequence[str] | None) -> list[Migration]:
    """Those that are applied, the last first; raises when one of them has no way back."""
    done = set(applied)
    chosen = [one for one in reversed(migrations) if one.id in done and (only is None or one.id in only)]
    if lost := [one.id for one in chosen if one.back is None and one.apply]:
        raise RolloutError(
            f"Migration {lost[0]} has no file {lost[0]}.rollback.sql, so it cannot be undone",
            reason="no_way_back",
            hint="Write it, or leave the schema: what only expands does not disturb the release before",
        )
    return chosen
