# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab for those stages that need it: up before, and down after if it was down before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class LabUse:
    """Brings the lab up once, remembers whether it was us, and takes it down again only then.

    run: executes `lab` with the given words within a time limit in seconds and gives its exit code.
    """

    run: Callable[[tuple[str, ...], float], int]
    env_file: Path
    options: tuple[str, ...]
    minutes: float
    ours: bool = field(default=False, init=False)

    def up(self) -> int:
        """Make the lab usable; 0 when it is."""
        if self.run(("status", "--quiet"), 60) != 0:
            self.ours = True
        return self.run(("up", *self.options), self.minutes * 60)

    def down(self) -> int:
        """Take the lab down if it was this object that brought it up."""
        if not self.ours:
            return 0
        self.ours = False
        return self.run(("down",), 180)

    def env(self) -> dict[str, str]:
        """The lab's variables for the commands of a stage."""
        return {key: str(value) for key, value in json.loads(self.env_file.read_text(encoding="utf-8")).items()}
