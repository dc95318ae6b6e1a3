# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian: trees of installed packages as tar files, single packages unpacked, missing programs installed."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, proc
from .errors import LabError

if TYPE_CHECKING:
    from .context import Lab

OS_RELEASE = Path("/etc/os-release")
APT = Path("/etc/apt")

TOOLS = {"mmdebstrap": "mmdebstrap", "ip": "iproute2", "iptables": "iptables", "nsenter": "util-linux"}
"""Program to the package that it comes in: what a lab that builds needs on the machine itself."""

UNWANTED = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")
"""Files that no container reads."""


def host_suite(os_release: Path = OS_RELEASE) -> str:
    """Return the code name of the machine's Debian release; raises LabError on anything but Debian 12 or newer."""
    try:
        text = os_release.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    fields: dict[str, str] = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    name = fields.get("PRETTY_NAME", platform.system())
    version = fields.get("VERSION_ID", "0")
    if fields.get("ID") != "debian" or not version.isdigit() or int(version) < 12:
        raise LabError(
            "Without a Docker that reaches an image registry the lab is built from Debian's packages, which needs "
            f"Debian 12 or newer; this is {name}. Give Docker access to an image registry, or use a Debian machine."
        )
    return fields["VERSION_CODENAME"]


def sources(suite: str, apt: Path = APT, host: str | None = None) -> str:
    """Return apt sources for a Debian release, derived from the machine's own, so that its mirror is used.

    Raises LabError when the machine has no source of its own release to derive them from.
    """
    code = host or host_suite()
    blocks = [_retarget(b, code, suite) for p in _source_files(apt) for b in _stanzas(p)]
    found = [b for b in blocks if b]
    if not found:
        raise LabError(f"{apt} has no source of Debian {code}, from which those of {suite} could be derived: add one.")
    return "\n\n".join(found) + "\n"


def ensure_tools(lab: Lab) -> None:
    """Install those programs of TOOLS that are missing, and say which."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool, path=path) is None})
    if not missing:
        return
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    log = lab.paths.logs / "apt.log"
    with lab.console.step(f"installing Debian's {', '.join(missing)} on this machine (apt-get install)", 15):
        # Lists that are missing or old name packages which are no longer served.
        proc.run(["apt-get", "update", "-q"], env=env, log=log)
        proc.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], env=env, log=log)


def unpack(lab: Lab, suite: str, packages: Sequence[str], target: Path) -> None:
    """Download packages of a release and unpack them into a folder; nothing is installed, no dependency followed."""
    scratch = cache.fresh(lab, f"apt-{suite}")
    log = lab.paths.logs / "apt.log"
    try:
        env = {"APT_CONFIG": str(_private_apt(scratch, sources(suite)))}
        proc.run(["apt-get", "update", "-q"], env=env, log=log)
        proc.run(["apt-get", "download", "-q", *packages], env=env, cwd=scratch / "debs", log=log)
        for deb in sorted((scratch / "debs").glob("*.deb")):
            proc.run(["dpkg", "-x", deb, target])
    finally:
        cache.discard(scratch)


def build(
    lab: Lab,
    name: str,
    folder: Path,
    *,
    hooks: Callable[[Path], Sequence[str]] = lambda _: (),
    unwanted: Sequence[str] = (),
) -> None:
    """Make `root.tar` in a folder: the tree of pins.toml's [trees.NAME]. `hooks` adds options to mmdebstrap's."""
    tree = lab.pins.trees[name]
    listing = folder / "debian.sources"
    listing.write_text(sources(tree.suite), encoding="utf-8")
    scratch = folder / "scratch"
    scratch.mkdir()
    argv = [
        "mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(tree.packages)}",
        *(f"--dpkgopt=path-exclude={p}" for p in (*UNWANTED, *unwanted)), *hooks(folder),
        tree.suite, str(folder / "root.tar"), str(listing),
    ]  # fmt: skip
    # The tree is unpacked under TMPDIR: on the cache's disk, where the preflight looked, and gone with the folder.
    env = {"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": "0"}
    try:
        proc.run(argv, env=env, log=lab.paths.logs / f"tree-{name}.log")
    finally:
        cache.discard(scratch)


def _private_apt(scratch: Path, listing: str) -> Path:
    for place in ("parts", "lists/partial", "cache/archives/partial", "debs"):
        (scratch / place).mkdir(parents=True)
    (scratch / "parts" / "debian.sources").write_text(listing, encoding="utf-8")
    config = scratch / "apt.conf"
    # Root may fetch for itself: apt's own user cannot write into a private folder and would only warn about it.
    config.write_text(
        'Dir::Etc::sourcelist "/dev/null";\n'
        f'Dir::Etc::sourceparts "{scratch}/parts";\n'
        'Dir::Etc::preferencesparts "/dev/null";\n'
        f'Dir::State "{scratch}";\nDir::State::status "/dev/null";\nDir::Cache "{scratch}/cache";\n'
        'APT::Sandbox::User "root";\n',
        encoding="utf-8",
    )
    return config


def _source_files(apt: Path) -> list[Path]:
    folder = apt / "sources.list.d"
    files = [*sorted(folder.glob("*.sources")), *sorted(folder.glob("*.list")), apt / "sources.list"]
    return [p for p in files if p.is_file()]


def _stanzas(path: Path) -> list[dict[str, str]]:
    """Return the sources in a file as deb822 fields, whichever of the two formats it has."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".sources":
        return [s for line in text.splitlines() if (s := _one_line(line))]
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [
        dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)$", stanza, re.MULTILINE))
        for stanza in re.split(r"\n\s*\n", bare)
        if stanza.strip()
    ]


def _one_line(line: str) -> dict[str, str] | None:
    match = re.match(r"^deb\s+(?:\[([^]]*)]\s+)?(\S+)\s+(\S+)\s+(.+?)\s*(?:#.*)?$", line.strip())
    if not match:
        return None
    options = dict(o.split("=", 1) for o in (match[1] or "").split() if "=" in o)
    fields = {"Types": "deb", "URIs": match[2], "Suites": match[3], "Components": match[4]}
    return {**fields, "Signed-By": options["signed-by"]} if "signed-by" in options else fields


def _retarget(fields: dict[str, str], host: str, suite: str) -> str | None:
    """Return a stanza for another release; None for a source that is not Debian's own."""
    ours = {host: suite, f"{host}-security": f"{suite}-security", f"{host}/updates": f"{suite}-security"}
    suites = [ours[s] for s in fields.get("Suites", "").split() if s in ours]
    if "deb" not in fields.get("Types", "").split() or not suites or fields.get("Enabled", "yes") == "no":
        return None
    kept = {**fields, "Types": "deb", "Suites": " ".join(suites), "Components": "main"}
    return "\n".join(f"{key}: {value}" for key, value in kept.items())
