# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What a file of the expand phase must not say: whatever takes away what the release before may still need."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._migrate.files import Migration
from ansible_collections.tars.rollout.plugins.module_utils._migrate.tokens import tokens

_FIRST = ("drop", "truncate", "delete", "revoke")
_CHANGES = ("drop", "rename", "detach")
# Words after which a name comes, so that a column that is called drop is none of the above.
_BEFORE_A_NAME = ("add", "as", "by", "column", "exists", "on", "only", "table", "to", ".")


def takes_away(statement: str) -> str:
    """The word that does, such as ``drop`` or ``rename``; empty for a statement that only adds."""
    seen, depth, before = [], 0, ""
    for token in tokens(statement):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        seen.append((token.word, depth, before))
        before = token.word or token.text
    first = seen[0][0] if seen else ""
    if first in _FIRST:
        return first
    if first == "with":
        # The part that writes may stand anywhere.
        return next((word for word, _depth, before in seen if word == "delete" and before in ("(", ")")), "")
    if first != "alter":
        return ""
    for word, depth, before in seen[1:]:
        if depth == 0 and word in _CHANGES and before not in _BEFORE_A_NAME:
            return word
        if depth == 0 and (before, word) == ("set", "schema"):
            return "set-schema"
    return ""


def check(todo: Sequence[Migration], exclude: Sequence[str]) -> None:
    """Raise ``not_expand`` for the first statement that takes something away, squawk or not."""
    for one in todo:
        if dropped := [entry["name"] for entry in one.indexes if entry["state"] == "absent"]:
            raise _refused(f"{one.path.name} drops index {dropped[0]}", "Drop it in the contract phase")
        for statement in one.apply:
            word = takes_away(statement)
            rule = f"expand-{word}"
            if word and rule not in exclude:
                text = " ".join(statement.split())[:200]
                hint = f"Move it to the contract phase, or name {rule} in lint_exclude when it is meant so"
                raise _refused(f"{one.path.name} takes something away ({rule}): {text}", hint)


def _refused(what: str, hint: str) -> RolloutError:
    return RolloutError(
        f"In the expand phase {what}, which the release before may need", reason="not_expand", hint=hint
    )
