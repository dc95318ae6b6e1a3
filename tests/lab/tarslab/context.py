# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the lab gets handed: one `Lab`, filled step by step by `lab up`."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import files

if TYPE_CHECKING:
    from .console import Console
    from .engine import Engine
    from .identity import Identity, Paths
    from .pins import Pins

REGIONS = ("staging", "us_west_2", "us_east_1")
"""Regions that a lab has unless told otherwise (inventory host names)."""

MORE_REGIONS = ("eu_west_1", "ap_southeast_1")
"""Regions on demand."""

SERVICES = ("api", "evaluation", "insight", "orchestration", "dashboard", "dqn", "a2c", "ppo", "ddpg", "worker")
"""The services of T.A.R.S., in the order of the chart."""


@dataclass
class Lab:
    """One lab: what it is called, where its things are, how to reach it.

    `images` maps envoy, pilot, prometheus, postgres, redis and app (the base of every release) to references that the
    nodes know; `programs` maps kubectl, helm and kind to files; `crds` maps istio to a file, gateway_api to a folder.
    """

    identity: Identity
    paths: Paths
    console: Console
    pins: Pins
    ports: dict[str, int] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    programs: dict[str, Path] = field(default_factory=dict)
    crds: dict[str, Path] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    regions: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    nodes: int = 1
    engine: Engine | None = None
    base_layers: dict[str, list[Path]] = field(default_factory=dict)
    """Image key to the layer files it is made of, for images built on top of it."""

    used: set[Path] = field(default_factory=set)
    """The artefacts of the cache that this command has asked for."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; it exists once the cluster does."""
        return self.paths.kubeconfig

    def secret(self, name: str) -> str:
        """Return the password called `name`; the first call makes and keeps it (`.lab/secrets.json`, mode 0600)."""
        if name not in self.secrets:
            self.secrets[name] = secrets.token_urlsafe(18)
            files.write_atomic(self.paths.state / "secrets.json", json.dumps(self.secrets, indent=2), mode=0o600)
        return self.secrets[name]

    def load_images(self, tar: Path) -> None:
        """Import an image archive on every node; each image is known by its tag and as `repository@sha256:digest`.

        Raises LabError with the node's own words when it refuses the archive.
        """
        from . import cluster

        cluster.load_images(self, tar)
