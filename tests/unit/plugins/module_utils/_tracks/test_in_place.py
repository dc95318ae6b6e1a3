# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable's image in the canary's pods: which pods, in which order, and when it stops."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _canary_in_place
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import TRACK_MARK
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from platform_objects import SPACE, deployment, labels

OLD, NEW = "registry.example:5000/tars/app:1.0.0", "registry.example:5000/tars/app:2.0.0"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def pod(name: str, service: str, image: str = NEW) -> dict[str, Any]:
    containers = [{"name": service.removesuffix("-canary"), "image": image}, {"name": "sidecar", "image": "proxy:3.1"}]
    statuses = [{"name": item["name"], "restartCount": 0} for item in containers]
    status = {**copy.deepcopy(READY), "containerStatuses": statuses}
    return {"metadata": {"name": name, "labels": labels(service)}, "spec": {"containers": containers}, "status": status}


class Cluster:
    """A container begins anew at the second look after its image was changed; ``stuck`` pods never do."""

    def __init__(self, *services: str, pods: int = 2) -> None:
        self.deployments = []
        self.pods: dict[str, dict[str, Any]] = {}
        for name in services:
            canary = deployment(f"{name}-canary", pods)
            canary["metadata"]["labels"] |= TRACK_MARK
            self.deployments += [deployment(name), canary]
            for number in range(pods):
                self.pods[f"{name}-canary-{number}"] = pod(f"{name}-canary-{number}", f"{name}-canary")
            self.pods[f"{name}-0"] = pod(f"{name}-0", name, OLD)
        self.calls: list[tuple[str, str]] = []
        self.stuck: set[str] = set()
        self.before: Callable[[str], None] = lambda name: None

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        return copy.deepcopy(self.deployments if kind.plural == "deployments" else list(self.pods.values()))

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        self.calls.append(("get", name))
        if name not in self.pods:
            raise KubeError("gone", reason="kube_not_found", details={"status": 404})
        found = copy.deepcopy(self.pods[name])
        if name not in self.stuck:
            self.pods[name]["status"] |= copy.deepcopy(READY)
            self.pods[name]["status"]["containerStatuses"][0]["restartCount"] = 1
        return found

    def json_patch(
        self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Any]:
        self.before(name)
        self.calls.append(("patch", name))
        found = self.pods.get(name)
        if found is None:
            raise KubeError("gone", reason="kube_not_found", details={"status": 404})
        for op in ops:
            _spec, _containers, at, key = op["path"].split("/")[1:]
            container = found["spec"]["containers"][int(at)]
            if op["op"] == "test" and container[key] != op["value"]:
                raise KubeError("no", reason="kube_patch_test_failed", details={"status": 422})
            if op["op"] == "replace" and not dry_run:
                container[key] = op["value"]
                found["status"]["conditions"] = []
        return found


@pytest.fixture
def restore(clock: Any, tmp_path: Path) -> Any:
    def run(cluster: Cluster, *services: str, check_mode: bool = False) -> Mapping[str, Any]:
        params = {
            "namespace": SPACE, "services": list(services), "wait_timeout": 60.0, "release": "2.0.0",
            "region": "us-west-2", "ledger": str(tmp_path / "ledger"),
        }  # fmt: skip
        call = Call(params, check_mode, run.warned.append, clock, Stop(), Progress(), Scrubber())
        return _canary_in_place.run(call, cluster)

    run.ledger = str(tmp_path / "ledger")  # type: ignore[attr-defined]
    run.warned = []  # type: ignore[attr-defined]
    return run


def images(cluster: Cluster) -> dict[str, str]:
    return {name: item["spec"]["containers"][0]["image"] for name, item in cluster.pods.items()}


def test_one_pod_after_the_other_and_nothing_of_stable(restore: Any) -> None:
    cluster = Cluster("api")
    result = restore(cluster, "api")
    assert result["changed"] and result["services"][0]["pods"] == ["api-canary-0", "api-canary-1"]
    assert set(images(cluster).values()) == {OLD}
    first, second = cluster.calls.index(("patch", "api-canary-0")), cluster.calls.index(("patch", "api-canary-1"))
    # The second only when the first has been seen in its new life.
    assert cluster.calls[first:second].count(("get", "api-canary-0")) == 2
    assert ("patch", "api-0") not in cluster.calls
    assert [item["image"] for item in cluster.pods["api-canary-0"]["spec"]["containers"]] == [OLD, "proxy:3.1"]
    assert [(event.kind, event.subject, event.text) for event in ledger.read(restore.ledger)] == [
        ("in_place", "api-canary-0", OLD), ("in_place", "api-canary-1", OLD),
    ]  # fmt: skip
    assert restore(cluster, "api")["changed"] is False


def test_a_ledger_that_cannot_be_written_is_told_once_and_stops_nothing(restore: Any) -> None:
    Path(restore.ledger).mkdir()
    cluster = Cluster("api", "insight")
    assert restore(cluster, "api", "insight")["changed"] and set(images(cluster).values()) == {OLD}
    assert len(restore.warned) == 1 and "cannot be written" in restore.warned[0]


def test_one_that_does_not_come_back_spares_the_next(restore: Any) -> None:
    cluster = Cluster("api", "insight")
    cluster.stuck = {"api-canary-0"}
    with pytest.raises(RolloutError, match="api-canary-0 got stable's image and is not ready after 60 s") as caught:
        restore(cluster, "api", "insight")
    assert caught.value.reason == "in_place_not_ready"
    now = images(cluster)
    assert (now["api-canary-1"], now["insight-canary-0"], now["insight-canary-1"]) == (NEW, OLD, OLD)


def test_a_pod_that_goes_meanwhile_is_none(restore: Any) -> None:
    cluster = Cluster("api")
    cluster.before = lambda name: cluster.pods.pop("api-canary-0", None) and None
    assert restore(cluster, "api")["changed"]
    assert images(cluster)["api-canary-1"] == OLD


def test_somebody_else_was_faster(restore: Any) -> None:
    cluster = Cluster("api", pods=1)

    def meddle(name: str) -> None:
        cluster.pods[name]["spec"]["containers"][0]["image"] = OLD

    cluster.before = meddle
    restore(cluster, "api")
    assert cluster.calls.count(("patch", "api-canary-0")) == 1 and images(cluster)["api-canary-0"] == OLD


def test_check_mode_writes_nothing(restore: Any) -> None:
    cluster = Cluster("api")
    result = restore(cluster, "api", check_mode=True)
    assert result["changed"] and result["services"][0]["restored"] == "not yet"
    assert images(cluster)["api-canary-0"] == NEW


def test_without_a_canary_there_is_nothing_to_restore(restore: Any) -> None:
    cluster = Cluster("api")
    cluster.deployments = cluster.deployments[:1]
    assert restore(cluster, "api")["changed"] is False
    with pytest.raises(RolloutError, match="There is no Deployment gone") as caught:
        restore(cluster, "api", "gone")
    assert caught.value.reason == "deployment_missing"
