# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts in the user's cache: made once under a key that follows from their inputs, whole or not there at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import files, locks

if TYPE_CHECKING:
    from .context import Lab

STAMP = ".complete"


def whole(folder: Path) -> bool:
    """Return whether an artefact is there with every file at the size that it was finished with."""
    sizes = files.read_json(folder / STAMP).get("sizes")
    if not isinstance(sizes, dict):
        return False
    try:
        return all((folder / name).lstat().st_size == size for name, size in sizes.items())
    except OSError:
        return False


def artefact(lab: Lab, kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `kind/name` of the cache; where it is missing or damaged `make` fills a new one first.

    `make` gets an empty folder beside the final place. It becomes the artefact by one rename, so an interrupted run
    leaves nothing that a later one could take for whole. Another checkout that makes the same one is waited for.
    """
    final = lab.paths.cache / kind / name
    lab.used.add(final)
    if whole(final):
        return final
    lock = lab.paths.cache / "locks" / f"{kind}-{name}.lock"
    with locks.shared_place(lock, f"lab up ({name})", lambda who: lab.console.say(f"    waiting for {name}: {who}")):
        if whole(final):
            return final
        if final.exists():
            lab.console.say(f"    {name} in the cache is damaged or half built: it is made again")
        scratch = fresh(lab, name)
        try:
            make(scratch)
            stamp(scratch)
            if final.exists():
                discard(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            scratch.replace(final)
        finally:
            discard(scratch)
    return final


def stamp(folder: Path) -> None:
    """Write down which files an artefact has, and their sizes."""
    found = [p for p in sorted(folder.rglob("*")) if p.is_symlink() or p.is_file()]
    files.write_json(folder / STAMP, {"sizes": {str(p.relative_to(folder)): p.lstat().st_size for p in found}})


def fresh(lab: Lab, name: str) -> Path:
    """Return a new empty folder on the cache's own file system; those that dead processes left are removed."""
    base = lab.paths.cache / "tmp"
    base.mkdir(parents=True, exist_ok=True)
    sweep(lab.paths.cache)
    folder = base / f"{name}.{os.getpid()}"
    discard(folder)
    folder.mkdir()
    return folder


def sweep(cache: Path) -> None:
    """Remove the scratch folders of processes that are dead."""
    for old in (cache / "tmp").glob("*"):
        pid = old.name.rpartition(".")[2]
        if not (pid.isdigit() and Path(f"/proc/{pid}").exists()) and Path("/proc/self").exists():
            discard(old)


def discard(path: Path) -> None:
    """Remove a file or a folder that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def keep(lab: Lab) -> None:
    """Write down which artefacts this lab was made of."""
    names = sorted(str(p.relative_to(lab.paths.cache)) for p in lab.used)
    files.write_json(_note(lab), {"root": str(lab.paths.root), "uses": names})


def announce(lab: Lab) -> None:
    """Make this lab known to the cache before its first artefact, so that nobody purges while it works."""
    if not _note(lab).exists():
        keep(lab)


def others_at_work(lab: Lab) -> bool:
    """Return whether a command of another checkout that shares this cache is running."""
    notes = [files.read_json(p) for p in (lab.paths.cache / "uses").glob("*.json")]
    roots = {Path(str(n.get("root"))) for n in notes} - {lab.paths.root}
    return any(locks.is_held(root / ".lab" / "lock") for root in roots)


def _note(lab: Lab) -> Path:
    return lab.paths.cache / "uses" / f"{lab.identity.id}.json"


def garbage(cache: Path) -> list[Path]:
    """Return the artefacts that no lab was made of, except labs whose checkout is gone."""
    notes = [files.read_json(p) for p in (cache / "uses").glob("*.json")]
    used = {cache / name for n in notes if Path(str(n.get("root"))).exists() for name in n.get("uses", [])}
    found = [p for kind in ("programs", "trees", "images") for p in sorted((cache / kind).glob("*"))]
    return [p for p in found if p not in used]
