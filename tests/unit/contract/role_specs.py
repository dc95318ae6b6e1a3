# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares a role's defaults with its argument specs: what a user reads must be what the role does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def differences(role: Path) -> list[str]:
    """Sentences on every variable of a role folder whose default and argument spec do not agree.

    Looks at all files of defaults/main (a file or a folder) and at the entry point main of meta/argument_specs.yml.
    A variable without a default must be required in the specs, and the other way round.
    """
    defaults = _defaults(role)
    specs = _options(role)
    out = [
        f"{role.name}: {name} is in defaults but not in argument_specs"
        for name in sorted(defaults.keys() - specs.keys())
    ]
    for name, spec in sorted(specs.items()):
        if name not in defaults:
            if not spec.get("required", False) and "default" in spec:
                out.append(f"{role.name}: {name} has a default in argument_specs but none in defaults")
        elif spec.get("required", False):
            out.append(f"{role.name}: {name} is required in argument_specs but has a default")
        elif not _templated(defaults[name]) and spec.get("default") != defaults[name]:
            out.append(
                f"{role.name}: {name} is {defaults[name]!r} in defaults, {spec.get('default')!r} in argument_specs"
            )
        if not spec.get("description"):
            out.append(f"{role.name}: {name} has no description")
        if not (name.startswith((f"{role.name}_", "rollout_", "region_"))):
            out.append(f"{role.name}: {name} carries neither the role's prefix nor rollout_ or region_")
    return out


def _defaults(role: Path) -> dict[str, Any]:
    files = [role / "defaults" / "main.yml", *sorted((role / "defaults" / "main").glob("*.yml"))]
    merged: dict[str, Any] = {}
    for file in files:
        if file.is_file():
            merged |= yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return merged


def _options(role: Path) -> dict[str, dict[str, Any]]:
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options: dict[str, dict[str, Any]] = specs["argument_specs"]["main"].get("options", {})
    return options


def _templated(value: Any) -> bool:
    """Whether a default is computed from other variables, so that a spec cannot repeat it as data."""
    return isinstance(value, str) and "{{" in value
