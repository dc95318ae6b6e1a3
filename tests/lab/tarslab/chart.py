# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""T.A.R.S. in a region: its Helm release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import proc
from .kube import Kube
from .release import REPOSITORY

if TYPE_CHECKING:
    from .context import Lab

RELEASE = "tars"
SECONDS = 180

# Helm keeps its releases in Secrets by default. In ConfigMaps they leave the rollout's account no right on Secrets.
DRIVER = "configmap"


def values(lab: Lab, region_name: str, redis_db: int, version: str) -> dict[str, Any]:
    """Return the chart's values for a region; services that the lab does not have are left out."""
    from .context import SERVICES

    return {
        "region": region_name,
        "image": {"repository": REPOSITORY, "tag": version},
        "redis": {"db": redis_db, "prefix": f"tars:{region_name}"},
        "services": {name: {"enabled": name in lab.services} for name in SERVICES},
    }


def install(lab: Lab, kube: Kube, namespace: str, wanted: dict[str, Any]) -> None:
    """Install or upgrade the release; it does not wait for pods. Raises LabError with Helm's words when it fails."""
    _free(kube, namespace)
    argv: list[str | Path] = [
        lab.programs["helm"], "upgrade", "--install", RELEASE, lab.paths.source / "chart" / "tars",
        "--namespace", namespace, "--kubeconfig", lab.kubeconfig, "--history-max", "10", "--values", "-",
    ]  # fmt: skip
    proc.run(argv, env=environment(lab), text=json.dumps(wanted), timeout=SECONDS)


def revision(kube: Kube, namespace: str) -> int:
    """Return the number of the newest revision that Helm has, 0 for none."""
    found = kube.list("v1", "ConfigMap", namespace, f"owner=helm,name={RELEASE}")
    return max((int(item["metadata"]["labels"]["version"]) for item in found), default=0)


def environment(lab: Lab) -> dict[str, str]:
    """Return Helm's environment: its files lie in the lab's folder, never in the user's."""
    home = lab.paths.state / "helm"
    folders = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    return {"HELM_DRIVER": DRIVER, **folders}


def _free(kube: Kube, namespace: str) -> None:
    """Take away what an interrupted Helm left: a pending revision, which would make it refuse every further one."""
    selector = f"owner=helm,name={RELEASE},status in (pending-install,pending-upgrade,pending-rollback)"
    for item in kube.list("v1", "ConfigMap", namespace, selector):
        kube.delete("v1", "ConfigMap", item["metadata"]["name"], namespace)
