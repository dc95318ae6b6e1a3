# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the platform up, or what is missing or changed of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import kube as kubernetes
from ..errors import LabError
from ..kube import Document, Kube
from . import crds, databases, gateway, manifests, redis

if TYPE_CHECKING:
    from ..context import Lab

READY_SECONDS = 180.0
CONNECT_SECONDS = 30.0
STREAM_SECONDS = 20.0

IMAGES = {
    "IMAGE_ENVOY": "envoy",
    "IMAGE_PILOT": "pilot",
    "IMAGE_PROMETHEUS": "prometheus",
    "IMAGE_POSTGRES": "postgres",
    "IMAGE_REDIS": "redis",
    "IMAGE_APP_BASE": "app",
}
"""Placeholder in the manifests to key of `Lab.images`."""

# Databases first: they are the longest on their way. istiod before the gateway, which would only wait for it.
FILES = ("namespaces", "postgres", "redis", "istiod", "prometheus", "statuspage", "gateway")

DOUBLES = ("server", "statuspage", "slack", "pagerduty", "github")
"""The packages of the doubles' program: the server, and one for each API."""


def up(lab: Lab, gateways: int = 1) -> None:
    """Bring the platform to what the manifests say and return when it works. Running it again changes nothing.

    `gateways` is the number of Envoy pods. Raises LabError that names what did not come up.
    """
    kube = kubernetes.client(lab.kubeconfig)
    documents = objects(lab, gateways)
    with lab.console.step("platform: objects, kinds of Istio and the Gateway API", usual=10):
        kube.apply(documents)
        crds.install(kube, lab.crds["istio"], lab.crds["gateway_api"])
        kube.apply(manifests.read(_folder(lab) / "gateways.yaml", {}))
    with lab.console.step("platform: mesh, Prometheus, PostgreSQL, Redis, doubles ready", usual=25):
        kube.wait_ready(manifests.workloads(documents), READY_SECONDS)
        gateway.wait_connected(lab, CONNECT_SECONDS)
        _follow(lab, kube)
        master = redis.master(kube) or redis.FIRST
        kube.apply(manifests.read(_folder(lab) / "redis-outside.yaml", {"REDIS_MASTER": master}))


def objects(lab: Lab, gateways: int) -> list[Document]:
    """Return every object of the platform but those that can only be made once others work."""
    values = {placeholder: lab.images[key] for placeholder, key in IMAGES.items()}
    values["GATEWAYS"] = str(gateways)
    folder = _folder(lab)
    documents = [document for name in FILES for document in manifests.read(folder / f"{name}.yaml", values)]
    return manifests.stamp([*documents, *_configuration(lab, folder / "files")])


def _configuration(lab: Lab, folder: Path) -> list[Document]:
    passwords = {name: lab.secret(name) for name in ("postgres", "replicator")}
    return [
        manifests.config_map("istio-system", "envoy", [folder / "envoy.yaml"]),
        manifests.config_map("monitoring", "prometheus", [folder / "prometheus.yml", folder / "discovery.py"]),
        manifests.config_map("data", "postgres", [folder / "postgres.sh", folder / "postgresql.conf"]),
        manifests.config_map("data", "redis", [folder / "redis.sh"]),
        *_doubles(lab.paths.source / "doubles"),
        manifests.secret("data", "postgres", passwords),
        manifests.secret("doubles", "statuspage", {"token": lab.secret("statuspage")}),
    ]


def _doubles(folder: Path) -> list[Document]:
    """One ConfigMap for each package of the doubles' program."""
    found = []
    for name in DOUBLES:
        package = folder / name / f"{name}_double" if name != "server" else folder / name / "double_server"
        program = sorted([*package.glob("*.py"), *package.glob("*.yaml")])
        if not program:
            raise LabError(f"A part of the doubles' program is missing: {package}.")
        found.append(manifests.config_map("doubles", f"doubles-{name}", program))
    return found


def _follow(lab: Lab, kube: Kube) -> None:
    """See that the standby streams. One whose primary was made anew keeps the old one's copy until it starts again."""
    if databases.wait_streaming(lab, STREAM_SECONDS):
        return
    standby = kubernetes.Workload("StatefulSet", "data", "postgres-standby")
    kube.delete("v1", "Pod", f"{standby.name}-0", standby.namespace)
    kube.wait_ready([standby], READY_SECONDS)
    if not databases.wait_streaming(lab, STREAM_SECONDS):
        raise LabError("The standby does not follow the primary: see `kubectl -n data logs postgres-standby-0`.")


def _folder(lab: Lab) -> Path:
    return lab.paths.source / "manifests"
