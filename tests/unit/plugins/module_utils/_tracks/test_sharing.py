# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The share of workers by pods, and the module's run against an API server whose pods follow at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _canary_replicas
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._tracks import copying, findings, making, removing, sharing
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service, TrackError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.marks import FENCE
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from hypothesis import given
from hypothesis import strategies as st
from platform_objects import KEY, SPACE, autoscaler, deployment, world

WORKER = Service("worker", kind="worker", tag="2.0.0")


class Cluster:
    """Deployments by name. ``late``: names whose pods do not become ready."""

    def __init__(self, stable: int = 4, canary: int | None = 0) -> None:
        self.objects = {"worker": deployment("worker", stable)}
        if canary is not None:
            there = world(deployments=[deployment("worker", stable)])
            made = making.plan(there, [WORKER], making.Ask(KEY, "2", 100, 3))
            body = copy.deepcopy(dict(next(step for step in made if step.key == "deployments").body or {}))
            body["metadata"] |= {"uid": "uid-canary", "generation": 1}
            body["spec"]["replicas"] = canary
            self.objects["worker-canary"] = body
        self.late: set[str] = set()
        self.before: Callable[[str], None] = lambda name: None
        self.seen: list[tuple[int, int]] = []
        self.patches: list[str] = []
        self._follow()

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        return copy.deepcopy(self.objects[name])

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        return [copy.deepcopy(item) for item in self.objects.values()] if kind.plural == "deployments" else []

    def json_patch(
        self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Any]:
        self.before(name)
        found = copy.deepcopy(self.objects[name])
        for op in ops:
            *way, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
            place: Any = found
            for part in way:
                place = place[part]
            if op["op"] == "test" and place.get(last) != op["value"]:
                raise KubeError("no", reason="kube_patch_test_failed", details={"status": 422})
            if op["op"] == "add":
                place[last] = op["value"]
            if op["op"] == "remove":
                del place[last]
        if not dry_run:
            found["metadata"]["generation"] += found["spec"] != self.objects[name]["spec"]
            self.objects[name] = found
            self.patches.append(name)
            self._follow()
        return found

    def _follow(self) -> None:
        """As the controller would, at once."""
        for name, item in self.objects.items():
            pods = item["spec"]["replicas"]
            ready = 0 if name in self.late else pods
            counts = {"replicas": pods, "updatedReplicas": pods, "readyReplicas": ready, "availableReplicas": ready}
            item["status"] = {"observedGeneration": item["metadata"]["generation"], **counts}
        self.seen.append(self.pods)

    @property
    def pods(self) -> tuple[int, int]:
        canary = self.objects.get("worker-canary", {"spec": {"replicas": 0}})
        return self.objects["worker"]["spec"]["replicas"], canary["spec"]["replicas"]

    def notes(self, name: str) -> Mapping[str, str]:
        found: Mapping[str, str] = self.objects[name]["metadata"].get("annotations") or {}
        return found


@pytest.fixture
def share(clock: Any, tmp_path: Path) -> Any:
    warnings: list[str] = []

    def run(cluster: Cluster, check_mode: bool = False, **options: Any) -> Mapping[str, Any]:
        params = {
            "namespace": SPACE, "services": ["worker"], "weight": None, "cut": False, "whole": False, "fence": 7,
            "track_label": KEY, "wait_timeout": 60.0, "interval": 1.0, "fault_patience": 10.0, "release": "2.0.0",
            "region": "us-west-2", "ledger": str(tmp_path / "ledger"), **options,
        }  # fmt: skip
        call = Call(params, check_mode, warnings.append, clock, Stop(), Progress(), Scrubber())
        return _canary_replicas.run(call, cluster)

    run.warnings = warnings  # type: ignore[attr-defined]
    run.ledger = str(tmp_path / "ledger")  # type: ignore[attr-defined]
    return run


@given(whole=st.integers(1, 60), weight=st.integers(0, 100))
def test_never_fewer_pods_than_before_and_close_to_the_weight(whole: int, weight: int) -> None:
    found = sharing.counts(whole, weight)
    assert found.stable + found.canary >= whole and found.stable <= whole
    assert (found.canary == 0) == (weight == 0) and (found.stable == 0) == (weight == 100)
    if weight:
        assert found.canary == copying.copies(whole, weight)
    share = found.share
    assert share is not None
    # What one pod more or less makes is the most that is missing, but for the pod that each track keeps.
    if found.canary > 1 and found.stable > 1:
        assert abs(share - weight) <= 100 / (found.stable + found.canary)


@pytest.mark.parametrize(
    ("whole", "weight", "pods"),
    [(4, 25, (3, 1)), (4, 50, (2, 2)), (4, 100, (0, 4)), (4, 10, (4, 1)), (1, 50, (1, 1)), (2, 60, (1, 2)),
     (10, 1, (10, 1)), (10, 99, (1, 10)), (3, 0, (3, 0))],
)  # fmt: skip
def test_pods_of_a_weight(whole: int, weight: int, pods: tuple[int, int]) -> None:
    found = sharing.counts(whole, weight)
    assert (found.stable, found.canary) == pods


def test_through_the_stages_and_back(share: Any) -> None:
    cluster = Cluster()
    for weight, pods in ((25, (3, 1)), (50, (2, 2)), (100, (0, 4))):
        result = share(cluster, weight=weight)
        assert cluster.pods == pods and result["changed"] and result["services"][0]["share"] == weight
        assert cluster.notes("worker")[sharing.WHOLE] == "4" and cluster.notes("worker")[FENCE] == "7"
    assert share(cluster, weight="100")["changed"] is False
    assert share(cluster, whole=True)["changed"] is True and cluster.pods == (4, 4)
    share(cluster, weight=0)
    assert cluster.pods == (4, 0) and sharing.WHOLE not in cluster.notes("worker")
    # What grows is there before anything shrinks: at no moment were there fewer pods than without a release.
    assert min(sum(pods) for pods in cluster.seen) == 4
    texts = [(event.kind, event.subject, event.text) for event in ledger.read(share.ledger)]
    assert texts[:2] == [("workers", "worker-canary", "0 -> 1 pods"), ("workers", "worker", "4 -> 3 pods")]


def test_a_canary_that_is_not_ready_takes_nothing_from_stable(share: Any) -> None:
    cluster = Cluster()
    cluster.late = {"worker-canary"}
    with pytest.raises(TrackError, match="The canary worker-canary is not ready") as caught:
        share(cluster, weight=50)
    assert caught.value.reason == "canary_not_ready" and cluster.pods == (4, 2)


def test_a_cut_waits_for_nobody(share: Any) -> None:
    cluster = Cluster()
    share(cluster, weight=50)
    cluster.late = {"worker"}
    cluster.patches.clear()
    result = share(cluster, cut=True, fence=None)
    assert cluster.pods == (4, 0) and sorted(cluster.patches) == ["worker", "worker-canary"]
    assert "have no work any more; The Deployment worker is not ready" in share.warnings[-1]
    assert result["services"][0]["fence"] == 8 and cluster.notes("worker-canary")[FENCE] == "8"
    with pytest.raises(TrackError) as caught:
        share(cluster, weight=50)
    assert caught.value.reason == "fence_lost" and cluster.pods == (4, 0)


def test_a_cut_without_a_canary_gives_stable_its_pods_back(share: Any) -> None:
    cluster = Cluster(0, None)
    cluster.objects["worker"]["metadata"]["annotations"][sharing.WHOLE] = "3"
    share(cluster, cut=True, fence=None)
    assert cluster.pods == (3, 0) and sharing.WHOLE not in cluster.notes("worker")


def test_somebody_scales_meanwhile(share: Any) -> None:
    cluster = Cluster()
    times = []

    def meddle(name: str) -> None:
        if name == "worker" and not times:
            times.append(name)
            cluster.objects["worker"]["spec"]["replicas"] = 6
            cluster.objects["worker"]["metadata"]["generation"] += 1

    cluster.before = meddle
    share(cluster, weight=50)
    assert times and cluster.pods == (2, 2)


def test_check_mode_writes_nothing(share: Any) -> None:
    cluster = Cluster()
    result = share(cluster, check_mode=True, weight=50)
    assert result["changed"] and result["services"][0]["after"] == "not yet" and cluster.patches == []
    assert {"before": "replicas: 4\n", "after": "replicas: 2\n"}.items() <= result["diff"][1].items()


def test_a_weight_that_pods_cannot_express_is_told(share: Any) -> None:
    share(Cluster(), weight=10)
    assert share.warnings == ["The canary of worker cannot have 10 %: 1 of 5 pods are 20 %"]


@pytest.mark.parametrize(
    ("cluster", "options", "reason"),
    [
        (Cluster(canary=None), {"weight": 50}, "canary_missing"),
        (Cluster(0), {"weight": 50}, "stable_scaled_to_zero"),
        (Cluster(), {"weight": 50, "services": ["gone"]}, "deployment_missing"),
        (Cluster(), {"weight": 50, "services": []}, "no_services"),
        (Cluster(), {"weight": 50, "services": ["worker", "worker"]}, "service_twice"),
        (Cluster(), {"weight": True}, "weight_invalid"),
        (Cluster(), {"weight": 101}, "weight_invalid"),
        (Cluster(), {}, "weight_missing"),
        (Cluster(), {"weight": 0, "cut": True}, "weight_missing"),
    ],
)
def test_refused(share: Any, cluster: Cluster, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(RolloutError) as caught:
        share(cluster, **options)
    assert caught.value.reason == reason and cluster.patches == []


def test_the_canary_of_a_worker_begins_without_pods() -> None:
    there = world(deployments=[deployment("worker")])
    steps = making.plan(there, [WORKER], making.Ask(KEY, "2.0.0", 100, 7))
    assert [(str(step), (step.body or {})["spec"]["replicas"]) for step in steps] == [("Deployment worker-canary", 0)]


def test_an_autoscaler_would_set_the_share(share: Any) -> None:
    there = world(deployments=[deployment("worker")], autoscalers=[autoscaler("worker")])
    wish = findings.Wish(KEY, 100, False, True)
    assert "worker_autoscaled" in [item.code for item in findings.findings(there, [WORKER], wish)]


def test_a_worker_that_a_killed_run_left_with_fewer_pods_is_no_finding() -> None:
    left = deployment("worker", 0)
    wish = findings.Wish(KEY, 100, False, True)
    found = findings.findings(world(deployments=[left]), [WORKER], wish)
    assert "stable_scaled_to_zero" in [item.code for item in found]
    left["metadata"]["annotations"][sharing.WHOLE] = "3"
    assert findings.findings(world(deployments=[left]), [WORKER], wish) == []


def test_a_canary_that_works_does_not_go() -> None:
    cluster = Cluster(canary=1)

    def going() -> removing.Going:
        return removing.plan(world(deployments=list(cluster.objects.values())), [WORKER], KEY, None)

    with pytest.raises(TrackError, match="1 pods of it still take work") as caught:
        going()
    assert caught.value.reason == "canary_has_weight"
    cluster.objects["worker-canary"]["spec"]["replicas"] = 0
    assert len(going().deployments) == 1
