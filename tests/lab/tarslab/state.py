# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab remembers between commands (`.lab/state.json`), and how a `Lab` is put together from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import files, identity, pins
from .console import Console
from .context import MORE_REGIONS, REGIONS, SERVICES, Lab
from .errors import LabError


def open_lab(checkout: Path) -> Lab:
    """Return the lab of a checkout as it was left; nothing is started and nothing is made but its folder."""
    who = identity.identify(checkout)
    paths = identity.locate(who)
    paths.state.mkdir(exist_ok=True)
    lab = Lab(who, paths, Console(paths.state / "timings.json"), pins.load(paths.source / "pins.toml"))
    known = load(lab)
    lab.ports = {str(k): int(v) for k, v in known.get("ports", {}).items()}
    lab.regions, lab.services = list(known.get("regions", [])), list(known.get("services", []))
    lab.nodes = int(known.get("nodes", 1))
    lab.images = dict(known.get("images", {}))
    for name in ("programs", "crds"):
        setattr(lab, name, {k: Path(v) for k, v in known.get(name, {}).items()})
    lab.base_layers = {k: [Path(p) for p in v] for k, v in known.get("base_layers", {}).items()}
    lab.secrets = {str(k): str(v) for k, v in files.read_json(paths.state / "secrets.json").items()}
    return lab


def load(lab: Lab) -> dict[str, Any]:
    """Return what is remembered; empty for a lab that never was up."""
    return files.read_json(lab.paths.state / "state.json")


def remember(lab: Lab, **more: Any) -> None:
    """Write down what the lab is now, and whatever else is given."""
    known = load(lab) | {
        "ports": lab.ports,
        "regions": lab.regions,
        "services": lab.services,
        "nodes": lab.nodes,
        "images": lab.images,
        "programs": {k: str(v) for k, v in lab.programs.items()},
        "crds": {k: str(v) for k, v in lab.crds.items()},
        "base_layers": {k: [str(p) for p in v] for k, v in lab.base_layers.items()},
    }
    files.write_json(lab.paths.state / "state.json", known | more)


def forget(lab: Lab) -> None:
    """Forget the lab: it is down. The next one takes the same ports again if they are free."""
    for name in ("state.json", "env.json", "cluster.json"):
        (lab.paths.state / name).unlink(missing_ok=True)


def widen(lab: Lab, regions: Sequence[str] | None, services: Sequence[str] | None, nodes: int | None) -> None:
    """Take what a `lab up` asks for into the lab: regions and services are added, never taken away."""
    lab.regions = _union(lab.regions, regions, REGIONS, (*REGIONS, *MORE_REGIONS), "region")
    lab.services = _union(lab.services, services, SERVICES, SERVICES, "service")
    if nodes is not None:
        lab.nodes = nodes


def listed(text: str) -> list[str]:
    """Split a list that the user wrote with commas or blanks."""
    return [word for word in re.split(r"[,\s]+", text) if word]


def _union(
    present: Sequence[str], asked: Sequence[str] | None, default: Sequence[str], known: Sequence[str], what: str
) -> list[str]:
    unknown = [name for name in asked or () if name not in known]
    if unknown:
        raise LabError(f"There is no {what} {', '.join(unknown)} in the lab; there are {', '.join(known)}.")
    wanted = set(present) | set(asked if asked is not None else () if present else default)
    return [name for name in known if name in wanted]
