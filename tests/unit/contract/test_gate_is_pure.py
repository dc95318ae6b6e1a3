# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement is pure: standard library only, no clock, no I/O, no chance. Read off the code, not by running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

UTILS = Path(__file__).resolve().parents[3] / "plugins" / "module_utils"
COLLECTION = "ansible_collections.tars.rollout.plugins.module_utils."
# Of the standard library only what computes: nothing here knows the time, a file, a socket or a die.
COMPUTES = {"__future__", "bisect", "collections.abc", "dataclasses", "functools", "itertools", "math", "re", "typing"}
# The family of faults, which a gate file that cannot be used is one of; it turns texts into texts.
FAULTS = "_errors"
TEXTS = {"base64", "html", "json", "traceback", "urllib.parse"}
OUTSIDE = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}


def impure(source: str, own: str, allowed: set[str]) -> Iterator[str]:
    """What a module has that a pure one has not. ``own``: the package that it may import from."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in OUTSIDE:
            yield f"calls {getattr(node.func, 'id', '')}"
        for name in names:
            below = name.removeprefix(COLLECTION) if name.startswith(COLLECTION) else ""
            if name not in allowed and below.partition(".")[0] not in {own, FAULTS}:
                yield f"imports {name}"


FILES = sorted((UTILS / "_gate").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_module_of_the_judgement_imports_what_computes_and_nothing_else(path: Path) -> None:
    assert list(impure(path.read_text(encoding="utf-8"), "_gate", COMPUTES)) == []


def test_the_faults_that_it_raises_are_pure_as_well() -> None:
    assert len(FILES) > 10
    assert list(impure((UTILS / f"{FAULTS}.py").read_text(encoding="utf-8"), FAULTS, COMPUTES | TEXTS)) == []


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import time", "imports time"),
        ("from datetime import datetime", "imports datetime"),
        ("def f():\n    import random", "imports random"),
        ("import numpy as np", "imports numpy"),
        ("from ..  import _http", "imports .."),
        (f"from {COLLECTION}_http import Client", f"imports {COLLECTION}_http"),
        (f"from {COLLECTION}_gateway import x", f"imports {COLLECTION}_gateway"),
        ("import os.path", "imports os.path"),
        ("open('x')", "calls open"),
    ],
)
def test_what_is_not_pure_is_found(source: str, seen: str) -> None:
    assert list(impure(source, "_gate", COMPUTES)) == [seen]
