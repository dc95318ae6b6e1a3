# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who this lab is: its id, its names, its folders. Two checkouts on one machine never share any of them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

PORT_NAMES = (
    "api",
    "gateway",
    "gateway_api",
    "gateway_stats",
    "prometheus",
    "pg_primary",
    "pg_standby",
    "redis",
    "sentinel",
    "statuspage",
)
"""The ports of a lab on 127.0.0.1; the place in this list is the distance from the block's first port."""

NODE_PORTS = {
    "gateway": 30080,
    "gateway_api": 30081,
    "gateway_stats": 30090,
    "prometheus": 30900,
    "pg_primary": 30432,
    "pg_standby": 30433,
    "redis": 30379,
    "sentinel": 30380,
    "statuspage": 30500,
}
"""NodePort in the cluster behind each port; the API server needs none."""

INNER_PORTS = {**NODE_PORTS, "api": 6443}
"""Where each is reached at the node itself; the API server's as kubeadm has it."""

FIRST_PORT = 20000
BLOCK = 16
BLOCKS = 512


@dataclass(frozen=True)
class Identity:
    """The lab of one checkout."""

    root: Path
    """The checkout, with links resolved."""

    id: str
    """Six hexadecimal digits that follow from the checkout's path."""

    @property
    def name(self) -> str:
        """Name of the kind cluster, the network namespace and whatever else is called after the lab."""
        return f"tars-{self.id}"

    @property
    def preferred_block(self) -> int:
        """First port of the block that this lab takes when it is free."""
        return FIRST_PORT + int(self.id, 16) % BLOCKS * BLOCK


@dataclass(frozen=True)
class Paths:
    """The folders of a lab. `state` is in the checkout, `run` is gone after a reboot, `cache` is the user's."""

    root: Path
    source: Path
    state: Path
    run: Path
    cache: Path
    engine: Path

    @property
    def logs(self) -> Path:
        """One log for each job of `lab up`."""
        return self.state / "logs"

    @property
    def audit(self) -> Path:
        """The API server's audit log, written by the control plane node."""
        return self.state / "logs" / "audit"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def kubeconfigs(self) -> Path:
        """One kubeconfig for each region, named after the region's host."""
        return self.state / "kubeconfigs"


def identify(checkout: Path) -> Identity:
    """Return the identity that belongs to a checkout's folder, wherever a link to it may be."""
    root = checkout.resolve()
    return Identity(root=root, id=hashlib.sha256(str(root).encode()).hexdigest()[:6])


def locate(identity: Identity, environ: dict[str, str] | None = None, uid: int | None = None) -> Paths:
    """Return the folders of a lab; `environ` and `uid` are the process's own when left out. Nothing is created."""
    env = dict(os.environ) if environ is None else environ
    user = os.getuid() if uid is None else uid
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    # The base directory rule says that a relative value is to be ignored.
    base = Path(env.get("XDG_CACHE_HOME", ""))
    cache = (base if base.is_absolute() else home / ".cache") / "tars-rollout-lab"
    return Paths(
        root=identity.root,
        source=identity.root / "tests" / "lab",
        state=identity.root / ".lab",
        run=_run_folder(identity, env, user),
        cache=cache,
        engine=cache / "engines" / identity.id,
    )


def _run_folder(identity: Identity, env: dict[str, str], uid: int) -> Path:
    if uid == 0:
        return Path("/run/tars-lab") / identity.id
    if env.get("XDG_RUNTIME_DIR"):
        return Path(env["XDG_RUNTIME_DIR"]) / "tars-lab" / identity.id
    return Path(tempfile.gettempdir()) / f"tars-lab-{uid}" / identity.id
