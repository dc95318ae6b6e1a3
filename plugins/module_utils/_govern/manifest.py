# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The bytes of a release: what its manifest says of files, chart and images, and the digest of all that. Pure.

Reading and hashing is done by whoever calls; what was read is handed in.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern.images import Image

_LINE = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")
_SUM = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")


class ArtifactError(RolloutError):
    """Bytes that are not those of the release."""


@dataclass(frozen=True)
class Chart:
    """What the chart's own Chart.yaml must say; empty fields are not asked for."""

    file: str
    name: str = ""
    version: str = ""
    app_version: str = ""


def sums(text: str, where: str) -> dict[str, str]:
    """SHA-256 by file name from a file as ``sha256sum`` writes it; ArtifactError for anything else."""
    found: dict[str, str] = {}
    # Only at these ends: a name may have a sign in it that Unicode takes for the end of a line.
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or line.startswith("\\"):
            raise _odd(where, f"line {number} is not what sha256sum writes")
        name = safe(match[2], where)
        if found.setdefault(name, match[1].lower()) != match[1].lower():
            raise _odd(where, f"{name} is there twice with different sums")
    if not found:
        raise _odd(where, "it names no file")
    return found


def given(raw: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 by file name as an option gives it."""
    found = {}
    for name, value in raw.items():
        match = _SUM.fullmatch(str(value))
        if match is None:
            raise _odd("files", f"{name} has {value!r} and no SHA-256")
        found[safe(str(name), "files")] = match[1].lower()
    return found


def safe(name: str, where: str) -> str:
    """The name if it stays in its folder; ArtifactError ``manifest_path`` for one that leaves it or might."""
    if not name.isprintable():
        raise _odd(where, f"{name!r} has signs in it that no terminal shows")
    parts = name.removeprefix("./").split("/")
    if name.startswith("/") or "\\" in name or any(part in ("", ".", "..") for part in parts):
        raise ArtifactError(
            f"The manifest {where} cannot be used: {name!r} leaves the folder of the release", reason="manifest_path",
            hint="Name files by their path inside of the folder; nothing outside of it was read",
        )  # fmt: skip
    return "/".join(parts)


def compare(wanted: Mapping[str, str], seen: Mapping[str, str], folder: str) -> None:
    """ArtifactError that names every file that is missing or has other bytes; ``seen`` has no entry for a missing
    one."""
    missing = sorted(name for name in wanted if name not in seen)
    changed = sorted(name for name in wanted if name in seen and seen[name] != wanted[name])
    if changed:
        told = "; ".join(f"{name} is sha256:{seen[name]} and not sha256:{wanted[name]}" for name in changed)
        raise ArtifactError(
            f"The release in {folder} is not what its manifest says: {told}", reason="file_changed",
            hint="Take the release from where it was built once more; nothing was moved",
            details={"changed": changed, "missing": missing},
        )  # fmt: skip
    if missing:
        raise ArtifactError(
            f"Of the release in {folder} {', '.join(missing)} is missing", reason="file_missing",
            hint="Bring the whole release to the controller; nothing was moved", details={"missing": missing},
        )  # fmt: skip


def whole(part: str, loose: Sequence[str]) -> None:
    """ArtifactError when a part of the release, such as its migrations, has files that the manifest does not name."""
    if loose:
        raise ArtifactError(
            f"In {part} lies what the manifest does not name: {', '.join(loose)}", reason="file_not_in_manifest",
            hint="Take it away, or add it to the manifest and let the release be approved with it",
            details={"files": list(loose)},
        )  # fmt: skip


def chart(wanted: Chart, found: Mapping[str, Any]) -> None:
    """ArtifactError when the chart's own data are not those of the release."""
    for key, value in (("name", wanted.name), ("version", wanted.version), ("appVersion", wanted.app_version)):
        seen = str(found.get(key, ""))
        if value and seen.removeprefix("v") != value.removeprefix("v"):
            raise ArtifactError(
                f"The chart {wanted.file} says {key} {seen or 'nothing'} and the release needs {value}",
                reason="chart_other_version",
                hint="Package the chart of this release, or correct what the release says",
            )  # fmt: skip


def digest(files: Mapping[str, str], images: Sequence[Image]) -> str:
    """One digest of everything that is named by a digest of its own; what an approval is bound to."""
    named = {
        "files": dict(sorted(files.items())),
        "images": sorted([image.name, image.reference, image.digest] for image in images),
    }
    return f"sha256:{hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()}"


def _odd(where: str, seen: str) -> ArtifactError:
    return ArtifactError(
        f"The manifest {where} cannot be used: {seen}", reason="manifest_invalid",
        hint="Write it with sha256sum in the folder of the release",
    )  # fmt: skip
