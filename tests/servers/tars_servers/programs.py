# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs to run: the ones that are named, else the ones that are installed, else Debian's, unpacked.

``TARS_POSTGRES_BIN``: one or more folders (separated as in PATH) with PostgreSQL's programs; the first that has the
wanted major version counts. ``TARS_PROMETHEUS``: one or more Prometheus programs, likewise.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .debian import Recipe, tree
from .errors import ProgramMissing, ServerError
from .process import run

POSTGRES_BIN = "TARS_POSTGRES_BIN"
PROMETHEUS = "TARS_PROMETHEUS"
INSTALLED = Path("/usr/lib/postgresql")
NEEDED = ("postgres", "initdb", "pg_basebackup")

POSTGRES_SUITES = {15: "bookworm", 17: "trixie", 18: "forky"}
"""Major version to the Debian release that has it; Debian never released 14 and 16, so those must be brought along."""
PROMETHEUS_PACKAGES = {2: ("bookworm", "prometheus"), 3: ("forky", "prometheus", "promtool")}
"""Major version to the Debian release that has it, and its packages there."""
OLDEST_POSTGRES = 14


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL's programs. ``version`` as the server says it, such as 15.18."""

    bin: Path
    version: str

    @property
    def major(self) -> int:
        """The first number of the version."""
        return _major(self.version)


@dataclass(frozen=True)
class Prometheus:
    """Prometheus' programs; ``promtool`` is None where only the server is there."""

    server: Path
    promtool: Path | None
    version: str

    @property
    def major(self) -> int:
        """The first number of the version."""
        return _major(self.version)


def postgres(major: int | None = None) -> Postgres:
    """Return the programs of a major version, of the newest installed one without it; raises ServerError.

    Looked for in this order: TARS_POSTGRES_BIN, Debian's folders of installed versions, PATH, Debian's packages.
    """
    return _postgres(major, os.environ.get(POSTGRES_BIN, ""), os.environ.get("PATH", ""))


def prometheus(major: int | None = None) -> Prometheus:
    """Return Prometheus of a major version, any without it; raises ServerError. The order is that of ``postgres``."""
    return _prometheus(major, os.environ.get(PROMETHEUS, ""), os.environ.get("PATH", ""))


@cache
def alertmanager() -> Path:
    """Return the program Alertmanager: the one in PATH, else Debian's, unpacked; raises ServerError.

    To be run in the folder that holds its ``usr/bin``, from which the unpacked one reads its templates.
    """
    name = "prometheus-alertmanager"
    if found := shutil.which(name) or shutil.which("alertmanager"):
        return Path(found)
    program = f"usr/bin/{name}"
    recipe = Recipe("alertmanager", "bookworm", (name,), (program,), ("/usr/share/prometheus/alertmanager",))
    return tree(recipe, f"install {name}") / program


@cache
def _postgres(major: int | None, named: str, path: str) -> Postgres:
    for folder in _split(named):
        missing = [name for name in NEEDED if not os.access(folder / name, os.X_OK)]
        if missing:
            raise ServerError(
                f"{POSTGRES_BIN} names {folder}, which has no program {missing[0]}: give PostgreSQL's bin folder."
            )
    for folder in (*_split(named), *_installed(), *_in_path(path)):
        if all(os.access(folder / name, os.X_OK) for name in NEEDED):
            found = Postgres(folder, _version(folder / "postgres"))
            if found.major == (major or found.major) and found.major >= OLDEST_POSTGRES:
                return found
    wanted = major or min(POSTGRES_SUITES)
    advice = f"install PostgreSQL {wanted} (the server's package), or set {POSTGRES_BIN} to the folder of its programs"
    if wanted not in POSTGRES_SUITES:
        raise ProgramMissing(
            f"PostgreSQL {wanted} is neither installed nor in a release of Debian known here: {advice}."
        )
    suite, package = POSTGRES_SUITES[wanted], f"postgresql-{wanted}"
    programs = f"usr/lib/postgresql/{wanted}/bin"
    recipe = Recipe(package, suite, (package, f"postgresql-client-{wanted}"), (f"{programs}/postgres", f"{programs}/*"))
    folder = tree(recipe, advice) / programs
    return Postgres(folder, _version(folder / "postgres"))


@cache
def _prometheus(major: int | None, named: str, path: str) -> Prometheus:
    for program in _split(named):
        if not os.access(program, os.X_OK) or program.is_dir():
            raise ServerError(f"{PROMETHEUS} names {program}, which is no program: give the path of Prometheus itself.")
    in_path = shutil.which("prometheus", path=path)
    for program in (*_split(named), *([Path(in_path)] if in_path else [])):
        found = _described(program)
        if found.major == (major or found.major):
            return found
    wanted = major or min(PROMETHEUS_PACKAGES)
    advice = f"install Prometheus {wanted}, or set {PROMETHEUS} to the path of the program"
    if wanted not in PROMETHEUS_PACKAGES:
        raise ProgramMissing(
            f"Prometheus {wanted} is neither installed nor in a release of Debian known here: {advice}."
        )
    programs = ("usr/bin/prometheus", "usr/bin/promtool")
    suite, *packages = PROMETHEUS_PACKAGES[wanted]
    recipe = Recipe("prometheus", suite, tuple(packages), programs)
    return _described(tree(recipe, advice) / programs[0])


def _described(server: Path) -> Prometheus:
    beside = server.resolve().with_name("promtool")
    tool = str(beside) if os.access(beside, os.X_OK) else shutil.which("promtool")
    return Prometheus(server, Path(tool) if tool else None, _version(server))


def _split(named: str) -> list[Path]:
    return [Path(part).expanduser() for part in named.split(os.pathsep) if part]


def _installed() -> list[Path]:
    """Return the folders of Debian's installed versions, the newest first."""
    numbers = [p.name for p in INSTALLED.glob("*") if p.name.isdigit()]
    return [INSTALLED / name / "bin" for name in sorted(numbers, key=int, reverse=True)]


def _in_path(path: str) -> list[Path]:
    found = shutil.which("postgres", path=path) or shutil.which("initdb", path=path)
    # A link from a common folder into PostgreSQL's own: the other programs lie beside its target.
    return [Path(found).resolve().parent] if found else []


def _version(program: Path) -> str:
    said = run(f"`{program} --version`", [program, "--version"], seconds=30, cwd=Path("/"))
    match = re.search(r"\b(\d+(?:\.\d+)+|\d+(?=(?:beta|rc|devel)))", said)
    if not match:
        raise ServerError(f"`{program} --version` said nothing that looks like a version: {said.strip()[:200]!r}.")
    return match[1]


def _major(version: str) -> int:
    return int(version.partition(".")[0])
