# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The file that tells a rollback what runs added. Written before each act: whoever is killed has said what it did."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault


def migration(path: str | None, name: str) -> None:
    """A migration is about to run."""
    _add(path, "migrations", name)


def index(path: str | None, schema: str, name: str) -> None:
    """An index that is not there is about to be built."""
    _add(path, "indexes", {"name": name, "schema": schema})


def _add(path: str | None, kind: str, entry: Any) -> None:
    """In the order in which things are done, for a rollback goes backwards. Without a path nothing is kept."""
    if not path:
        return
    try:
        text = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
        kept = {"migrations": [], "indexes": [], **(json.loads(text) if text else {})}
        if entry not in kept[kind]:
            kept[kind].append(entry)
            _write(Path(path), kept)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise IndexFault(
            f"What is about to be added could not be written down in {path}: {error}",
            reason="evidence",
            hint="Without it nothing could be undone, so nothing was added; make the file one that can be written",
        ) from None


def _write(path: Path, kept: dict[str, Any]) -> None:
    """Whole or not at all, and on the disk before the act."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(kept, indent=4) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).replace(path)
    except OSError:
        Path(fresh).unlink(missing_ok=True)
        raise
