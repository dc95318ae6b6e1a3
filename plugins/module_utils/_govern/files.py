# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Files of a release in their folder on the controller: read and hashed, and never anything outside of it."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary
from ansible_collections.tars.rollout.plugins.module_utils._govern.manifest import ArtifactError, safe
from ansible_collections.tars.rollout.plugins.module_utils._govern.plain import open_file

try:
    import yaml
except ImportError:
    HAS_YAML = False
else:
    HAS_YAML = True

SMALL = 64 * 1024 * 1024
"""Bytes of a file that is read as a whole: signatures, bills of materials, manifests."""


def hashes(folder: str, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each file that is there."""
    found = {}
    for name in names:
        path = inside(folder, name)
        try:
            with open_file(path) as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(str(path), str(error.strerror)) from None
    return found


def read(folder: str, name: str, where: str) -> bytes:
    """A small file as a whole."""
    path = inside(folder, safe(name, where))
    try:
        with open_file(path) as file:
            content = file.read(SMALL + 1)
    except OSError as error:
        raise _unreadable(str(path), str(error.strerror)) from None
    if len(content) > SMALL:
        raise _unreadable(str(path), f"it has more than {SMALL} bytes")
    return content


def chart_data(folder: str, name: str) -> dict[str, Any]:
    """What Chart.yaml in a packaged chart says."""
    if not HAS_YAML:
        raise MissingLibrary("PyYAML")
    path = inside(folder, name)
    try:
        with tarfile.open(path) as archive:
            # The chart's own is one level down; subcharts have theirs further below.
            own = [
                member
                for member in archive
                if member.isfile() and member.name.count("/") == 1 and member.name.endswith("/Chart.yaml")
            ]
            if len(own) > 1:
                raise _unreadable(str(path), f"it has {len(own)} files Chart.yaml, and Helm might take another one")
            if own and own[0].size <= SMALL and (file := archive.extractfile(own[0])) is not None:
                data = yaml.safe_load(file.read())
                return data if isinstance(data, dict) else {}
    except (OSError, tarfile.TarError, yaml.YAMLError, EOFError) as error:
        raise _unreadable(str(path), f"it is no packaged chart ({type(error).__name__})") from None
    raise _unreadable(str(path), "it is no packaged chart: there is no Chart.yaml in it")


def unnamed(folder: str, below: str, names: Iterable[str]) -> list[str]:
    """The files in a part of the folder that are not among the names; none when ``below`` lies elsewhere."""
    root, part = os.path.realpath(folder), os.path.realpath(os.path.expanduser(below))
    if os.path.commonpath((root, part)) != root:
        return []
    if os.path.isfile(part):
        there = [part]
    else:
        # A link to a folder is a file here: what is behind it is not looked at, and must not be used either.
        there = [
            os.path.join(place, name)
            for place, folders, files in os.walk(part)
            for name in (*files, *(folder for folder in folders if os.path.islink(os.path.join(place, folder))))
        ]
    return sorted({os.path.relpath(path, root) for path in there} - set(names))


def same(folder: str, name: str, path: str) -> bool:
    """Whether a path is that file of the folder."""
    return os.path.realpath(os.path.expanduser(path)) == str(inside(folder, name))


def inside(folder: str, name: str) -> Path:
    """The path of a file of the folder; ArtifactError when a link leads out of it."""
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath((root, path)) != root:
        raise ArtifactError(
            f"The file {name} of the release leads out of {folder} by a link", reason="manifest_path",
            hint="Put the file itself into the folder; nothing outside of it was read",
        )  # fmt: skip
    return Path(path)


def _unreadable(path: str, seen: str) -> ArtifactError:
    return ArtifactError(
        f"The file {path} of the release cannot be used: {seen}", reason="file_unreadable",
        hint="Bring the whole release to the controller; nothing was moved",
    )  # fmt: skip
