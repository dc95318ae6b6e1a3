# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regions: each a namespace with its own account, kubeconfig, database and Helm release of T.A.R.S."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from . import access, chart, content, files, platform, release
from . import kube as kubernetes
from .context import MORE_REGIONS, REGIONS
from .errors import LabError
from .kube import Document, Kube, Workload

if TYPE_CHECKING:
    from .context import Lab

READY_SECONDS = 300.0
NOTE = "tars-lab"
"""The ConfigMap in a region that says what the lab last installed there."""

SELECTOR = "app.kubernetes.io/instance=tars"


def region_name(region: str) -> str:
    """Return a region's name in Kubernetes names and messages (us-west-2 for the inventory host us_west_2)."""
    return region.replace("_", "-")


def namespace(region: str) -> str:
    """Return a region's namespace."""
    return f"tars-{region_name(region)}"


def redis_db(region: str) -> int:
    """Return the number of a region's database in Redis."""
    return (*REGIONS, *MORE_REGIONS).index(region)


def up(lab: Lab) -> None:
    """Bring all regions of the lab up, or what is missing or changed of them.

    A region whose chart and values are as the lab last installed them is left alone, whatever release a rollout has
    brought there since.
    """
    kube = kubernetes.client(lab.kubeconfig)
    with lab.console.step("making the regions' accounts and databases", 30):
        kube.apply(access.documents([namespace(region) for region in lab.regions]))
        kube.apply([_database(lab, region) for region in lab.regions])
        for region in lab.regions:
            access.ensure_kubeconfig(kube, lab.kubeconfig, namespace(region), lab.paths.kubeconfigs / f"{region}.yaml")
    with lab.console.step(f"loading T.A.R.S. {release.STABLE} into the nodes", 3):
        release.ensure(lab, release.describe(release.STABLE, {}))
    changed = [region for region in lab.regions if not _installed(lab, kube, region)]
    if changed:
        names = ", ".join(region_name(region) for region in changed)
        with lab.console.step(f"installing T.A.R.S. in {names}", 10), ThreadPoolExecutor(len(changed)) as pool:
            list(pool.map(lambda region: _install(lab, kube, region), changed))
    with lab.console.step("waiting for the services' pods", 40):
        kube.wait_ready(workloads(lab), READY_SECONDS)


def workloads(lab: Lab) -> list[Workload]:
    """Return the Deployments that the chart makes. What a rollout has put beside them is none of the lab's business."""
    return [Workload("Deployment", namespace(region), name) for region in lab.regions for name in lab.services]


def status(lab: Lab) -> list[tuple[str, str, str]]:
    """Return a line for each region: name, `up` or `down`, and its pods, versions and Helm revision.

    Canaries are counted among the pods, but a region with a broken canary is up.
    """
    kube = kubernetes.client(lab.kubeconfig)
    return [_status(lab, kube, region) for region in lab.regions]


def _status(lab: Lab, kube: Kube, region: str) -> tuple[str, str, str]:
    place = namespace(region)
    try:
        found = kube.list("apps/v1", "Deployment", place, SELECTOR)
        revision = chart.revision(kube, place)
    except LabError as error:
        return region, "down", str(error)
    wanted = sum(one["spec"].get("replicas", 1) for one in found)
    ready = sum(one.get("status", {}).get("readyReplicas") or 0 for one in found)
    images = sorted({one["spec"]["template"]["spec"]["containers"][0]["image"] for one in found})
    versions = ", ".join(image.rpartition("/")[2] for image in images)
    detail = f"{len(found)} services, {ready} of {wanted} pods ready, {versions or 'nothing'}, Helm revision {revision}"
    whole = {str(one["metadata"]["name"]) for one in found if kubernetes.rolled_out(one)}
    return region, "up" if whole >= set(lab.services) else "down", detail


def _database(lab: Lab, region: str) -> Document:
    """Make the region's database with its tables and return the Secret through which the services reach it."""
    database = platform.ensure_database(lab, region)
    content.ensure_schema(lab, database.user, database.password, region_name(region))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tars-database", "namespace": namespace(region)},
        "stringData": {"dsn": database.dsn},
    }


def _install(lab: Lab, kube: Kube, region: str) -> None:
    wanted = _values(lab, region)
    chart.install(lab, kube, namespace(region), wanted)
    # Written last: an interrupted installation is done again.
    kube.apply([_note(lab, region, _digest(lab, wanted))])


def _installed(lab: Lab, kube: Kube, region: str) -> bool:
    place = namespace(region)
    note = kube.get("v1", "ConfigMap", NOTE, place)
    known = (note or {}).get("data", {}).get("digest")
    return known == _digest(lab, _values(lab, region)) and chart.revision(kube, place) > 0


def _values(lab: Lab, region: str) -> dict[str, Any]:
    return chart.values(lab, region_name(region), redis_db(region), release.STABLE)


def _digest(lab: Lab, values: dict[str, Any]) -> str:
    return files.digest(lab.paths.source / "chart" / "tars", json.dumps(values, sort_keys=True))


def _note(lab: Lab, region: str, digest: str) -> Document:
    metadata = {"name": NOTE, "namespace": namespace(region)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"digest": digest}}
