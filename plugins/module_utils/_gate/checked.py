# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Reading a structure that a person wrote: what is there, or a sentence about what is wrong and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate import units

LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class GateFileError(RolloutError):
    """A gate file that says something impossible. ``where`` names the place in it."""

    def __init__(self, where: str, seen: str, hint: str = "") -> None:
        super().__init__(
            f"The gate file cannot be used: {where}: {seen}", reason="bad_gate_file", hint=hint, details={"at": where}
        )
        self.where = where
        self.seen = seen


def matchers(where: str, raw: Any) -> dict[str, str]:
    """Labels with fully anchored regular expressions."""
    found: dict[str, str] = {}
    for label, value in mapping(where, raw).items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            # Such as false, which YAML makes of an unquoted word: no series has a label that says False.
            raise GateFileError(f"{where}.{label}", f"{value!r} is no text", 'Quote it, such as "false" or "5..|429"')
        text = str(value)
        if not LABEL.fullmatch(str(label)):
            raise GateFileError(where, f"{label!r} is no name of a label")
        try:
            re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise GateFileError(f"{where}.{label}", f"{text!r} is no regular expression ({error})") from None
        found[str(label)] = text
    return found


def mapping(where: str, raw: Any) -> Mapping[Any, Any]:
    """The mapping that is given; an empty one for nothing at all."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise GateFileError(where, f"{raw!r} is no mapping of keys to values")
    return raw


def only(data: Mapping[Any, Any], known: set[str], where: str) -> None:
    """Refuse keys that nobody reads: a typing mistake would be a limit that is not kept."""
    unknown = [str(key) for key in data if key not in known]
    if unknown:
        raise GateFileError(where, f"the key {unknown[0]!r} is not known", f"Known: {', '.join(sorted(known))}")


def typed(where: str, read: Callable[[Any], float], value: Any) -> float:
    """A typed value, read by one of ``units``."""
    try:
        return read(value)
    except units.UnitError as error:
        raise GateFileError(where, str(error)) from None
