# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab up`: from whatever is there to a lab that answers, in steps that are skipped when their result exists."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from . import (
    cache,
    cluster,
    daemons,
    debtree,
    engine,
    environment,
    golang,
    images,
    kernel,
    making,
    platform,
    ports,
    preflight,
    regions,
    state,
)
from .context import Lab
from .errors import LabError


def up(lab: Lab, wanted_regions: Sequence[str] | None, services: Sequence[str] | None, nodes: int | None) -> None:
    """Bring the lab up; everything that is there already is left as it is."""
    known = state.load(lab)
    state.widen(lab, wanted_regions, services, nodes)
    cluster.refuse_other_size(lab)
    kind = engine.choose(lab, engine.remembered(lab, known.get("engine")))
    mode = images.mode(lab, kind, known.get("image_mode"))
    _check(lab, kind, mode)
    _take_ports(lab, kind, bool(known.get("ports")))
    state.remember(lab, engine=kind, image_mode=mode)
    if known.get("up") and cluster_is_up(lab):
        lab.console.say(f"  the lab {lab.identity.name} is up already; making sure that nothing is missing")
    cache.announce(lab)
    with lab.console.watching():
        made = making.make(lab, kind, mode)
        if made.engine is None or made.archive is None:
            raise LabError(
                "The lab's engine or images are missing after they were made; this is a fault of the lab itself."
            )
        lab.engine = made.engine
        state.remember(lab)
        kernel.save(lab)
        cluster.ensure(lab, made.engine, made.node_image, mode)
        with lab.console.step("loading images into the nodes", 25):
            lab.load_images(made.archive)
        cluster.wait_for_dns(lab)
        platform.up(lab)
        regions.up(lab)
    cache.keep(lab)
    environment.write(lab)
    state.remember(lab, up=True)
    lab.console.say(
        f'  the lab {lab.identity.name} is up; `eval "$(tests/lab/lab env)"` brings its addresses into a shell'
    )


def attach(lab: Lab) -> Lab:
    """Return a lab that is up, with its engine; raises LabError when it is not."""
    known = state.load(lab)
    if not known.get("up"):
        raise LabError("The lab is not up: run `lab up` (or `make lab-up`) first.")
    lab.engine = engine.attached(lab) if known["engine"] == "private" else engine.own()
    if lab.engine is None or not cluster.answers(lab):
        raise LabError("The lab was up, but its cluster does not answer now: `lab up` brings it back.")
    return lab


def _check(lab: Lab, kind: str, mode: str) -> None:
    if mode == "build" and not Path("/proc/self").exists():
        raise LabError("No image registry answers, and images can be built on Linux only: check the network of Docker.")
    if mode == "build":
        debtree.host_suite()
        _refuse_without_root(lab)
    if not cluster_is_up(lab):
        preflight.check(lab.paths.cache, builds=_builds(lab, mode))
    if mode == "build" or kind == "private":
        debtree.ensure_tools(lab)


def cluster_is_up(lab: Lab) -> bool:
    """Return whether this lab's cluster answers already, so that nothing large is to come."""
    return "kubectl" in lab.programs and lab.programs["kubectl"].exists() and cluster.answers(lab)


def _refuse_without_root(lab: Lab) -> None:
    if os.geteuid() != 0 and _builds(lab, "build"):
        raise LabError(
            "No image registry answers, so the images have to be built from Debian's packages, which needs root: "
            "run the command as root, or give Docker access to an image registry."
        )


def _builds(lab: Lab, mode: str) -> bool:
    wanted = ("kubernetes", "istiod", "helm") if mode == "build" else ("tools", "helm")
    groups = golang.groups(lab.pins)
    return not all(cache.whole(lab.paths.cache / "programs" / golang.key(lab, groups[g])) for g in wanted)


def _take_ports(lab: Lab, kind: str, remembered: bool) -> None:
    """Choose the lab's ports the first time; later make sure that they are still ours to take."""
    if not remembered:
        # One that still runs serves ports of a lab that nobody remembers.
        daemons.stop(lab.paths.run / "forward.json")
        lab.ports = ports.choose(lab.identity)
        first = lab.ports["api"]
        if first != lab.identity.preferred_block:
            lab.console.say(
                f"  ports {lab.identity.preferred_block}.. are partly taken, so this lab uses {first}..{first + 9}"
            )
        return
    if kind == "private" and daemons.alive(lab.paths.run / "forward.json") is not None:
        return
    if kind == "own" and (found := engine.own()) and cluster.nodes(lab, found, running=True):
        return
    ports.check(lab.ports)
