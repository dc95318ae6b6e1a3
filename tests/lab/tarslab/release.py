# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab release`: an image of T.A.R.S. with a version and, if wanted, faults; two thin layers on a shared base."""

from __future__ import annotations

import argparse
import importlib.util
import json
import py_compile
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tarsapp import config, faults

from . import archive, cache, files
from .archive import Entry, Image
from .errors import LabError

if TYPE_CHECKING:
    from .context import Lab

REPOSITORY = "lab.invalid/tars/app"
STABLE = "1.0.0"
"""The release that every region starts with."""

USER = "10001:10001"
HOME = "opt/tars"
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("version", help="version and tag of the release, for instance 1.1.0")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"switch a fault on; may be repeated. Faults: {', '.join(faults.NAMES)}",
    )
    parser.add_argument(
        "--service",
        action="append",
        default=[],
        choices=config.SERVICES,
        help="only this service has the faults; may be repeated (default: all)",
    )


def run(lab: Lab, arguments: argparse.Namespace) -> int:
    """Make the release, load it into the nodes, and print its name by tag and by digest."""
    content = describe(arguments.version, parse_faults(arguments.fault), arguments.service)
    digest = ensure(lab, content)
    print(f"{REPOSITORY}:{content['version']}\n{REPOSITORY}@{digest}")
    return 0


def parse_faults(assignments: Sequence[str]) -> dict[str, Any]:
    """Return faults given as `name=value`; a value is JSON (0.06, 300, true) or, where it is not, a word (exit)."""
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise LabError(f"A fault is written NAME=VALUE, not {assignment!r}; there are {', '.join(faults.NAMES)}.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def describe(version: str, given: dict[str, Any], services: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of the release file, checked by the program that will read it."""
    if not TAG.fullmatch(version):
        raise LabError(f"A release's version becomes an image's tag, which {version!r} cannot be.")
    if version == STABLE and given:
        raise LabError(
            f"Release {STABLE} is the one that every region begins with, so it has no faults: name another version."
        )
    content: dict[str, Any] = {"version": version, "faults": given}
    if services:
        content["services"] = list(services)
    try:
        config.read_release(json.dumps(content), "the release")
    except config.ConfigError as error:
        raise LabError(f"No release was made: {str(error).removeprefix('the release: ')}.") from None
    return content


def ensure(lab: Lab, content: dict[str, Any]) -> str:
    """Make the release's image unless the cache has it, load it into every node, and return its digest (sha256:...)."""
    base = lab.base_layers.get("app")
    if not base or not all(path.exists() for path in base):
        raise LabError("The base of the services' images is missing: `lab up` makes it.")
    text = json.dumps(content, sort_keys=True)
    program = lab.paths.source / "app" / "tarsapp"
    base_layers = tuple(archive.layer(path) for path in base)
    key = files.digest(text, program, *(layer.digest for layer in base_layers), Path(__file__))

    def make(folder: Path) -> None:
        _write(folder, content, program, base_layers)

    folder = cache.artefact(lab, "images", f"release-{content['version']}-{key}", make)
    lab.load_images(folder / "images.tar")
    return archive.digests(folder / "images.tar")[f"{REPOSITORY}:{content['version']}"]


def _write(folder: Path, content: dict[str, Any], program: Path, base: tuple[archive.Layer, ...]) -> None:
    entries = {f"{HOME}/tarsapp/{path.name}": Entry(path, mode=0o644) for path in sorted(program.glob("*.py"))}
    entries |= {f"{HOME}/tarsapp/__pycache__/{name}": Entry(data, mode=0o644) for name, data in _compiled(program)}
    code = archive.write_layer(folder / "code.tar", entries)
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    release = archive.write_layer(folder / "release.tar", {"etc/tars/release.json": Entry(text.encode(), mode=0o644)})
    image = Image(
        f"{REPOSITORY}:{content['version']}",
        (*base, code, release),
        {
            "Env": [archive.PATH_ENV, f"PYTHONPATH=/{HOME}", "PYTHONUNBUFFERED=1", "MALLOC_ARENA_MAX=1"],
            "Entrypoint": ["python3", "-m", "tarsapp"],
            "User": USER,
            "WorkingDir": "/",
        },
    )
    # The nodes hold the base already, so a release is a few kilobytes.
    archive.write(folder / "images.tar", [image], have={layer.digest for layer in base})
    for part in folder.glob("*.tar*"):
        if part.name != "images.tar":
            part.unlink()


def _compiled(program: Path) -> list[tuple[str, bytes]]:
    """Return byte code as Python keeps it: 45 pods that each compile at their start take seconds of two cores.

    Another Python than ours in the image overlooks it, because its version is in the file's name.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(program.glob("*.py")):
            name = Path(importlib.util.cache_from_source(str(path))).name
            py_compile.compile(
                str(path),
                cfile=f"{folder}/{name}",
                dfile=f"/{HOME}/tarsapp/{path.name}",
                doraise=True,
                # Files in a layer have no times to compare with.
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
            found.append((name, Path(folder, name).read_bytes()))
    return found
