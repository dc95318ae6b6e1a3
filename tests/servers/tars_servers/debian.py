# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs from Debian's packages, unpacked into the cache and not installed.

They bring every library along, the C library too, so that a newer release's server runs on an older machine. The
programs are told where those are (interpreter and run path in the file itself): LD_LIBRARY_PATH would reach the
machine's own shell as well, which a server calls, and break it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tarslab import cache, debtree, files
from tarslab.errors import LabError

from .errors import ProgramMissing, ServerError
from .places import reachable
from .process import run

FETCH_S = 300.0
# Raise it when a tree made by older code must not be used any more.
MADE = "1"
SHARED_CACHE = Path("/var/cache")
# Of what a server depends on we unpack the libraries. LLVM is 30 MB for a JIT compiler that no test wants.
LIBRARY = re.compile(r"^(lib(?!js-|llvm|z3-|perl|pam-modules).*(?<!-perl)(?<!-common)|zlib1g)$")
JIT = "usr/lib/postgresql/*/lib/llvmjit*"


@dataclass(frozen=True)
class Recipe:
    """Packages of a Debian release and the programs in them (patterns of paths) that tests run.

    ``reads``: folders of the packages that the programs name by their absolute paths. Unpacked, they look for them
    from their working folder, which must be the tree.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    reads: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name in the cache: changes with the recipe, how it is made and the kind of machine."""
        inputs = (MADE, *self.packages, *self.programs, *self.reads, os.uname().machine)
        return f"{self.name}-{self.suite}-{files.digest(*inputs)}"


def cache_root() -> Path:
    """Return the folder of all trees: in the user's cache, but for root where PostgreSQL's account can read it."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = base if base.is_absolute() else Path.home() / ".cache"
    if os.geteuid() == 0 and not reachable(base):
        base = SHARED_CACHE
    return base / "tars-rollout-lab" / "servers"


def tree(recipe: Recipe, advice: str) -> Path:
    """Return the folder with a recipe's programs, made when missing. ``advice``: what to do where it cannot be made."""
    root = cache_root()
    final = root / recipe.key
    if cache.whole(final):
        return final
    if not all(shutil.which(program) for program in ("apt-get", "apt-cache", "dpkg")):
        raise ProgramMissing(f"{recipe.name} is not installed and this machine has no apt to fetch it with: {advice}.")
    try:
        listing = debtree.sources(recipe.suite)
        own = debtree.sources(debtree.host_suite())
    except LabError as error:
        raise ProgramMissing(
            f"{recipe.name} is not installed and Debian's packages do not fit here: {advice}."
        ) from error
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root / f"{recipe.key}.lock"):
        if cache.whole(final):
            return final
        # We have the lock: what is there of this name was left by a run that was killed.
        for old in root.glob(f".tmp-{recipe.key}-*"):
            cache.discard(old)
        scratch = Path(tempfile.mkdtemp(prefix=f".tmp-{recipe.key}-", dir=root))
        try:
            _make(recipe, scratch, final, listing, own)
            cache.discard(final)
            (scratch / "tree").rename(final)
        except ServerError as error:
            raise ProgramMissing(
                f"{recipe.name} could not be fetched from Debian {recipe.suite} ({error}); {advice}."
            ) from error
        finally:
            cache.discard(scratch)
    return final


def _make(recipe: Recipe, scratch: Path, final: Path, listing: str, own: str) -> None:
    made = scratch / "tree"
    made.mkdir(mode=0o755)
    patchelf = _Apt(scratch / "tools", own).unpack(["patchelf"], scratch / "tools" / "tree") / "usr/bin/patchelf"
    apt = _Apt(scratch / "apt", listing)
    apt.unpack([*recipe.packages, *apt.libraries(recipe.packages)], made)
    for needless in (*made.glob(JIT), *(made / "usr/share").glob("doc"), *(made / "usr/share").glob("man")):
        cache.discard(needless)
    for folder in (made, *(p for p in made.rglob("*") if p.is_dir() and not p.is_symlink())):
        folder.chmod(0o755)
    programs = [p for pattern in recipe.programs for p in sorted(made.glob(pattern)) if _is_elf(p)]
    if not programs:
        raise ServerError(f"none of {', '.join(recipe.programs)} is in the packages {', '.join(recipe.packages)}")
    loader, places = _loader(made, patchelf, programs[0])
    for program in programs:
        if recipe.reads:
            _from_working_folder(program, recipe.reads)
        at = [str(final / p.relative_to(made)) for p in (loader, *places)]
        edit: list[str | Path] = [
            patchelf,
            "--set-interpreter",
            at[0],
            "--force-rpath",
            "--set-rpath",
            ":".join(at[1:]),
            program,
        ]
        run(f"patchelf on {program.name}", edit, seconds=60, cwd=scratch)
    # The final place does not exist yet, so the loader is called by hand: all libraries must be there.
    test: list[str | Path] = [loader, "--library-path", ":".join(map(str, places)), programs[0], "--version"]
    run(f"the unpacked {programs[0].name}", test, seconds=60, cwd=scratch)
    cache.stamp(made)


def _from_working_folder(program: Path, reads: Sequence[str]) -> None:
    """Let it look for those folders from where it runs. The path keeps its length, on which the program relies."""
    held = program.read_bytes()
    for folder in reads:
        held = held.replace(folder.encode(), f"{folder.lstrip('/')}/".encode())
    program.write_bytes(held)


def _loader(made: Path, patchelf: Path, program: Path) -> tuple[Path, list[Path]]:
    """Return the tree's own dynamic loader and the folders of its libraries."""
    name = Path(run("patchelf", [patchelf, "--print-interpreter", program], seconds=60, cwd=made).strip()).name
    found = [p for p in sorted(made.rglob(name)) if p.is_file() and not p.is_symlink()]
    if not found:
        raise ServerError(f"the packages do not hold the loader {name}")
    multiarch = found[0].parent.name
    return found[0], [p for p in (made / "usr/lib" / multiarch, made / "lib" / multiarch) if p.is_dir()]


def _is_elf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


class _Apt:
    """apt with lists and settings of its own in a folder: needs no root, and no installed package counts."""

    def __init__(self, folder: Path, listing: str) -> None:
        self._folder = folder
        for place in ("parts", "lists/partial", "cache/archives/partial", "debs"):
            (folder / place).mkdir(parents=True)
        (folder / "parts" / "debian.sources").write_text(listing, encoding="utf-8")
        (folder / "status").touch()
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": folder / "parts",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State": folder,
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        config = folder / "apt.conf"
        config.write_text("".join(f'{k} "{v}";\n' for k, v in settings.items()), encoding="utf-8")
        self._env = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C.UTF-8"}
        self._run("apt-get", "update", "-q")

    def libraries(self, packages: Sequence[str]) -> list[str]:
        """Return the packages of libraries that these would pull in on an empty machine."""
        plan = self._run("apt-get", "install", "--simulate", "-q", "--no-install-recommends", *packages)
        names = re.findall(r"^Inst (\S+) ", plan, re.MULTILINE)
        return [name for name in names if LIBRARY.match(name) and name not in packages]

    def unpack(self, packages: Sequence[str], target: Path) -> Path:
        """Download packages and unpack them into a folder, which is returned."""
        debs = self._folder / "debs"
        self._run("apt-get", "download", "-q", *packages, cwd=debs)
        for deb in sorted(debs.glob("*.deb")):
            self._run("dpkg", "-x", str(deb), str(target))
        return target

    def _run(self, *argv: str, cwd: Path | None = None) -> str:
        return run(f"`{' '.join(argv[:2])}`", argv, seconds=FETCH_S, cwd=cwd or self._folder, env=self._env)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time make a tree; the kernel gives the lock back when its holder dies."""
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
