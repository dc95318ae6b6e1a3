# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stages.yml says, as data. Reading it is the only I/O here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LIMIT_MINUTES = 75
HARD_FACTOR = 2
"""A stage is ended when it has used up this many times its budget: a busy machine is slow, a hung one never ends."""

TIERS = ("ci", "long")


@dataclass(frozen=True)
class Check:
    """One command of a stage."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """Checks that run after each other within one budget."""

    name: str
    minutes: float
    checks: tuple[Check, ...]
    tier: str = "ci"
    core: str = "2.19"
    lab: bool = False


@dataclass(frozen=True)
class Suite:
    """All stages, and what bringing up the lab may cost and takes as options."""

    stages: tuple[Stage, ...]
    lab_minutes: float
    lab_options: tuple[str, ...] = field(default=())

    def tier(self, *tiers: str) -> tuple[Stage, ...]:
        """The stages of the tiers, in the order of the file."""
        return tuple(stage for stage in self.stages if stage.tier in tiers)

    def minutes(self, *tiers: str) -> float:
        """The sum of the budgets of the tiers, with the lab where one of their stages needs it."""
        stages = self.tier(*tiers)
        lab = self.lab_minutes if any(stage.lab for stage in stages) else 0.0
        return sum(stage.minutes for stage in stages) + lab


def load(path: Path) -> Suite:
    """Read a stages file. Raises ValueError with a sentence for a key or value that it does not know."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    stages = tuple(_stage(path, entry) for entry in data["stages"])
    names = [stage.name for stage in stages]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{path}: stage names must differ, found twice: {', '.join(doubled)}")
    lab = data["lab_up"]
    return Suite(stages, float(lab["minutes"]), tuple(shlex.split(lab.get("options", ""))))


def _stage(path: Path, entry: dict[str, Any]) -> Stage:
    unknown = set(entry) - {"name", "minutes", "checks", "tier", "core", "lab"}
    if unknown:
        raise ValueError(f"{path}: stage {entry.get('name')!r} has unknown keys: {', '.join(sorted(unknown))}")
    checks = tuple(Check(name, tuple(shlex.split(command))) for name, command in entry["checks"].items())
    rest = {key: entry[key] for key in ("tier", "core", "lab") if key in entry}
    stage = Stage(entry["name"], float(entry["minutes"]), checks, **rest)
    if stage.tier not in TIERS:
        raise ValueError(f"{path}: stage {stage.name!r} has tier {stage.tier!r}; known: {', '.join(TIERS)}")
    return stage
