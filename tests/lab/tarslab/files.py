# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_atomic(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, sees the old text or the new one and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an absent or damaged one reads as empty: all of ours can be made again."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any], mode: int = 0o644) -> None:
    """Write an object as a JSON file, atomically."""
    write_atomic(path, json.dumps(value, indent=2, sort_keys=True) + "\n", mode)


def digest(*parts: str | bytes | Path) -> str:
    """Return twelve hexadecimal digits over texts and over files (a folder counts with all names and contents)."""
    whole = hashlib.sha256()
    for part in parts:
        for piece in _pieces(part):
            whole.update(len(piece).to_bytes(8, "big") + piece)
    return whole.hexdigest()[:12]


def _pieces(part: str | bytes | Path) -> list[bytes]:
    if isinstance(part, str):
        return [part.encode()]
    if isinstance(part, bytes):
        return [part]
    if part.is_dir():
        found = sorted(p for p in part.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        return [x for p in found for x in (str(p.relative_to(part)).encode(), p.read_bytes())]
    return [part.read_bytes()]
