# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster is made of (engine, programs, trees, images), made side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from . import engine, golang, images, node, private
from .context import Lab
from .engine import Engine
from .errors import LabError
from .jobs import Job, run_all


@dataclass
class Made:
    """What the parallel part of `lab up` brings about."""

    engine: Engine | None = None
    programs: dict[str, Path] = field(default_factory=dict)
    trees: dict[str, Path] = field(default_factory=dict)
    node_image: str = ""
    archive: Path | None = None


def make(lab: Lab, kind: str, mode: str) -> Made:
    """Make whatever the cluster is made of and the cache does not hold; jobs that need each other wait."""
    made = Made()
    jobs = _common(lab, kind, made) + (_building(lab, made) if mode == "build" else _pulling(lab, made))
    run_all(jobs)
    return made


def _common(lab: Lab, kind: str, made: Made) -> list[Job]:
    def start_engine() -> None:
        made.engine = engine.ensure(lab, kind)
        if made.engine.is_private:
            private.forward(lab)

    def helm() -> None:
        lab.programs["helm"] = golang.build(lab, golang.groups(lab.pins)["helm"]) / "helm"

    def crds() -> None:
        lab.crds = golang.crds(lab)

    return [Job("engine", start_engine), Job("crds", crds, ("modules",)), Job("helm", helm, ("modules", "programs"))]


def _building(lab: Lab, made: Made) -> list[Job]:
    """The jobs that build everything.

    The longest compilation starts first, the trees, which wait for the network and for unpacking, run beside it, and
    the other programs follow, so that both cores stay busy to the end.
    """
    groups = golang.groups(lab.pins)

    def modules() -> None:
        for name in ("kubernetes", "istiod", "helm"):
            golang.check(lab, groups[name])

    def programs() -> None:
        folder = golang.build(lab, groups["kubernetes"])
        made.programs["kubernetes"] = folder
        lab.programs |= {"kubectl": folder / "kubectl", "kind": folder / "kind"}

    def istiod() -> None:
        made.programs["istiod"] = golang.build(lab, groups["istiod"]) / "pilot-discovery"

    def node_tree() -> None:
        made.trees["node"] = node.tree(lab)

    def services_tree() -> None:
        made.trees["services"] = images.services_tree(lab)

    def envoy() -> None:
        made.programs["envoy"] = images.envoy(lab)

    def node_image() -> None:
        made.node_image = node.ensure(lab, _engine(made), made.trees["node"], made.programs["kubernetes"])

    def archive() -> None:
        tree = made.trees["services"]
        made.archive, lab.images = images.built(lab, tree, made.programs["envoy"], made.programs["istiod"])
        lab.base_layers = {"app": [tree / "root.tar"]}

    return [
        Job("modules", modules),
        Job("programs", programs, ("modules",)),
        Job("node tree", node_tree),
        Job("services tree", services_tree, ("node tree",)),
        Job("envoy", envoy),
        Job("istiod", istiod, ("programs",)),
        Job("node image", node_image, ("engine", "programs", "node tree")),
        Job("archive", archive, ("services tree", "envoy", "istiod")),
    ]


def _pulling(lab: Lab, made: Made) -> list[Job]:
    groups = golang.groups(lab.pins)

    def modules() -> None:
        for name in ("tools", "helm"):
            golang.check(lab, groups[name])

    def programs() -> None:
        folder = golang.build(lab, groups["tools"])
        lab.programs |= {"kubectl": folder / "kubectl", "kind": folder / "kind"}

    def node_image() -> None:
        made.node_image = lab.pins.pull["node"]
        if not _engine(made).exists("image", made.node_image):
            with lab.console.step("pulling the node image", 60):
                _engine(made).docker("pull", made.node_image, log=lab.paths.logs / "pull.log")

    def archive() -> None:
        made.archive, lab.images, tree = images.pulled(lab, _engine(made))
        lab.base_layers = {"app": [tree]}

    return [
        Job("modules", modules),
        Job("programs", programs, ("modules",)),
        Job("node image", node_image, ("engine",)),
        Job("archive", archive, ("engine",)),
    ]


def _engine(made: Made) -> Engine:
    if made.engine is None:
        raise LabError("The lab's engine was not started; this is a fault of the lab itself.")
    return made.engine
