# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true before the long work: memory, disk, processor. Everything here takes milliseconds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import golang
from .errors import LabError

GIB = 1 << 30

MEMORY = 6 * GIB
"""What a lab with all services and the largest step of its build need at once."""

BUILD_NEEDS = {"the lab's cache": 9 * GIB, "Go's build cache": 6 * GIB, "Go's modules": 2 * GIB}
"""Disk for a build from nothing, by folder; those on one file system are added up."""

CACHED_NEEDS = {"the lab's cache": 6 * GIB}
"""Disk for a lab whose artefacts are all there: the engine's own copy of the images and what the databases write."""


def check(cache: Path, builds: bool) -> None:
    """Raise LabError when memory or disk will not do; `builds` says whether anything has to be compiled."""
    if not Path("/proc/meminfo").exists():
        return
    check_memory(available_memory())
    golang.arch()
    folders = {"the lab's cache": cache, "Go's build cache": go_cache(), "Go's modules": go_modules()}
    check_disk(folders, BUILD_NEEDS if builds else CACHED_NEEDS)


def check_memory(available: int, needed: int = MEMORY) -> None:
    """Raise LabError when fewer than `needed` bytes are available."""
    if available < needed:
        raise LabError(
            f"The lab needs about {needed / GIB:.0f} GiB of free memory and {available / GIB:.1f} GiB are available: "
            "end other programs, or use a larger machine."
        )


def check_disk(folders: dict[str, Path], needs: dict[str, int]) -> None:
    """Raise LabError when a file system has less room than the folders on it will need together."""
    places: dict[int, list[str]] = {}
    for name in needs:
        places.setdefault(_existing(folders[name]).stat().st_dev, []).append(name)
    for names in places.values():
        wanted = sum(needs[name] for name in names)
        where = _existing(folders[names[0]])
        free = shutil.disk_usage(where).free
        if free < wanted:
            raise LabError(
                f"The lab needs about {wanted / GIB:.0f} GiB of disk under {folders[names[0]]} ({', '.join(names)}) "
                f"and {free / GIB:.1f} GiB are free there: make room, or point XDG_CACHE_HOME to a larger disk."
            )


def available_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes that new processes may use: what is left of the machine's, or of our control group's."""
    fields = dict(line.split(":", 1) for line in (proc / "meminfo").read_text(encoding="ascii").splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    return min([free, *_group_rooms(proc, cgroups)])


def go_cache() -> Path:
    """Return the folder of Go's build cache, as `go env GOCACHE` would say."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("GOCACHE") or base / "go-build")


def go_modules() -> Path:
    """Return the folder of Go's modules, as `go env GOMODCACHE` would say."""
    gopath = (os.environ.get("GOPATH") or "").split(os.pathsep)[0]
    return Path(os.environ.get("GOMODCACHE") or Path(gopath or Path.home() / "go") / "pkg" / "mod")


def _group_rooms(proc: Path, cgroups: Path) -> list[int]:
    """Return what is left under the memory limit of every control group above us, in both versions of cgroups."""
    rooms = []
    for line in (proc / "self" / "cgroup").read_text(encoding="ascii").splitlines():
        _number, controllers, group = line.split(":", 2)
        if controllers == "":
            base, limit, usage = cgroups, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit, usage = cgroups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        inner = base / group.lstrip("/")
        for folder in (inner, *inner.parents):
            room = _room(folder / limit, folder / usage)
            if room is not None:
                rooms.append(room)
            if folder == base:
                break
    return rooms


def _room(limit: Path, usage: Path) -> int | None:
    try:
        return max(int(limit.read_text(encoding="ascii")) - int(usage.read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        # No such file at the top, and `max` where there is no limit.
        return None


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())
