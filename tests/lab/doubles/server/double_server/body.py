# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies: JSON or form, by the Content-Type that the client gave; a body of the other kind is refused."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any
from urllib.parse import parse_qsl

from .call import Call, Refused, invalid

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_NAME = re.compile(r"^(\w+)((?:\[[^\[\]]*\])+)$")


def read(call: Call, wrapper: str) -> tuple[dict[str, Any], bool]:
    """Return what is inside `wrapper` (`incident`) and whether it came as a form, where every value is text.

    Which 4xx the vendor answers to a Content-Type that does not fit the body is not documented: 422 here.
    """
    kind = call.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind == JSON:
        call.parsed = _read_json(call.raw)
    elif kind == FORM:
        call.parsed = _read_form(call.raw)
    else:
        raise _mismatch(f"the Content-Type is {kind!r}, neither {JSON} nor {FORM}")
    if not isinstance(call.parsed, dict) or not isinstance(call.parsed.get(wrapper), dict):
        raise invalid({wrapper: ["is missing or not an object"]})
    if len(call.parsed) > 1:
        others = sorted(set(call.parsed) - {wrapper})
        raise invalid({name: [f"is not known beside {wrapper}"] for name in others})
    return call.parsed[wrapper], kind == FORM


def peek(call: Call) -> None:
    """Note a JSON body for the journal where the call itself is not looked at."""
    with contextlib.suppress(ValueError):
        call.parsed = json.loads(call.raw.decode("utf-8")) if call.raw else None


def _read_json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise _mismatch(f"the body is not JSON: {error}") from error


def _read_form(raw: bytes) -> dict[str, Any]:
    """`a[b][c]=x` and `a[b][]=x`, as the vendor's documents use them."""
    tree: dict[str, Any] = {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding="utf-8")
    except ValueError as error:
        raise _mismatch(f"the body is not a form: {error}") from error
    for name, value in pairs:
        match = _NAME.match(name)
        if match is None:
            raise _mismatch(f"{name[:40]!r} is no form key such as incident[name]")
        _put(tree, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value)
    return tree


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    *branches, leaf = path
    is_list = leaf == ""
    if is_list:
        leaf = branches.pop()
    node: Any = tree
    for part in branches:
        node = node.setdefault(part, {}) if part else None
        if not isinstance(node, dict):
            raise _mismatch(f"form key {path[0]}[...] is used in two ways")
    if is_list and isinstance(node.setdefault(leaf, []), list):
        node[leaf].append(value)
    elif not is_list and leaf not in node:
        node[leaf] = value
    else:
        raise _mismatch(f"form key {leaf!r} is used twice")


def _mismatch(text: str) -> Refused:
    return invalid({"body": [text]})
