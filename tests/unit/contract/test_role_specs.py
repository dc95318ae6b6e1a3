# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role of the collection, and the comparison itself on roles with a slip."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROLES = sorted((HERE.parents[2] / "roles").glob("*/meta"))
_spec = importlib.util.spec_from_file_location("role_specs", HERE / "role_specs.py")
assert _spec is not None and _spec.loader is not None
role_specs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(role_specs)


def test_all_roles_agree_with_their_specs() -> None:
    assert [line for meta in ROLES for line in role_specs.differences(meta.parent)] == []


def role(folder: Path, defaults: dict[str, object], options: dict[str, object]) -> Path:
    (folder / "shift" / "defaults").mkdir(parents=True)
    (folder / "shift" / "meta").mkdir()
    (folder / "shift" / "defaults" / "main.yml").write_text(yaml.safe_dump(defaults), encoding="utf-8")
    specs = {"argument_specs": {"main": {"options": options}}}
    (folder / "shift" / "meta" / "argument_specs.yml").write_text(yaml.safe_dump(specs), encoding="utf-8")
    return folder / "shift"


SPEC = {"type": "int", "description": "Seconds.", "default": 30}


@pytest.mark.parametrize(
    ("defaults", "options", "words"),
    [
        ({"shift_wait": 31}, {"shift_wait": SPEC}, "is 31 in defaults, 30 in"),
        ({"shift_wait": 30, "shift_more": 1}, {"shift_wait": SPEC}, "shift_more is in defaults but not"),
        ({}, {"shift_wait": SPEC}, "none in defaults"),
        ({"shift_wait": 30}, {"shift_wait": SPEC | {"required": True}}, "required in argument_specs but has"),
        ({"shift_wait": 30}, {"shift_wait": {"type": "int", "default": 30}}, "no description"),
        ({"wait": 30}, {"wait": SPEC}, "prefix"),
    ],
)
def test_slips_are_named(tmp_path: Path, defaults: dict[str, object], options: dict[str, object], words: str) -> None:
    (line,) = role_specs.differences(role(tmp_path, defaults, options))
    assert words in line


def test_agreement_is_silent(tmp_path: Path) -> None:
    options: dict[str, object] = {
        "shift_wait": SPEC,
        "rollout_release": {"type": "str", "required": True, "description": "x"},
    }
    assert role_specs.differences(role(tmp_path, {"shift_wait": 30}, options)) == []
