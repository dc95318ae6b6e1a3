# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a canary is ready, and what is said of one that is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._tracks import readiness
from ansible_collections.tars.rollout.plugins.module_utils._tracks.readiness import progress
from platform_objects import deployment, pod


def look(status: dict[str, Any] | None = None, *pods: dict[str, Any], wanted: int = 3) -> readiness.Progress:
    live = deployment("api-canary")
    live["status"] |= status or {}
    return progress(live, pods, wanted)


def waiting(reason: str, message: str = "", restarts: int = 0, code: int = 1) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "api",
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": message}},
    }
    if restarts:
        container["lastState"] = {"terminated": {"exitCode": code, "reason": "OOMKilled" if code == 137 else "Error"}}
    return pod("api-canary-x", containerStatuses=[container])


def test_ready_means_seen_new_and_available() -> None:
    assert look().ready and look().seen == "3/3 ready"
    assert not look(wanted=4).ready
    for field in ("replicas", "updatedReplicas", "availableReplicas"):
        assert not look({field: 2}).ready
        assert not look({field: 4}).ready
    assert not look({"observedGeneration": 1}).ready
    assert not progress(None, [], 1).ready


@pytest.mark.parametrize(
    ("reason", "code", "final"),
    [
        ("InvalidImageName", "image_invalid", True),
        ("ErrImageNeverPull", "image_not_pulled", True),
        ("ErrImagePull", "image_not_pulled", False),
        ("ImagePullBackOff", "image_not_pulled", False),
        ("CreateContainerConfigError", "container_not_made", False),
    ],
)
def test_a_pod_that_cannot_start_is_named(reason: str, code: str, final: bool) -> None:
    seen = look({"availableReplicas": 2}, waiting(reason, 'manifest for "app:9"\n not found'))
    assert seen.fault and (seen.fault.reason, seen.fault.final) == (code, final)
    assert seen.seen == f'2/3 ready; api-canary-x: api {reason}, manifest for "app:9" not found'


def test_a_program_that_ends_again_and_again_is_final() -> None:
    once, twice = (look({"availableReplicas": 0}, waiting("CrashLoopBackOff", restarts=times)) for times in (1, 2))
    assert once.fault and not once.fault.final
    assert twice.fault and twice.fault.final and "api ended 2 times, last with code 1" in twice.seen
    killed = look({"availableReplicas": 0}, waiting("CrashLoopBackOff", restarts=3, code=137))
    assert "code 137 (OOMKilled)" in killed.seen


def test_the_gravest_fault_is_told_first() -> None:
    seen = look({"availableReplicas": 0}, waiting("ErrImagePull"), waiting("InvalidImageName"))
    assert seen.fault and seen.fault.reason == "image_invalid"


def test_a_pod_without_a_node_says_why_and_waits() -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: cpu"}
    seen = look({"availableReplicas": 2}, pod("api-canary-x", conditions=[scheduled]))
    assert seen.fault is None and seen.seen == "2/3 ready; api-canary-x: Unschedulable, 0/3 nodes: cpu"


def test_pods_that_are_refused_are_told() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
    seen = look({"availableReplicas": 0, "conditions": [condition]})
    assert seen.fault and seen.fault.reason == "pods_refused" and "exceeded quota" in seen.seen


def test_a_slow_start_is_no_fault() -> None:
    ready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    seen = look(
        {"availableReplicas": 2}, pod("api-canary-x", conditions=[ready], containerStatuses=[{"restartCount": 1}])
    )
    assert seen.fault is None and seen.seen == "2/3 ready; api-canary-x: ContainersNotReady, restarted 1 times"


def test_pods_that_are_about_to_go_are_no_matter() -> None:
    gone = pod("old")
    gone["metadata"]["deletionTimestamp"] = "now"
    mine = readiness.pods_of([gone, pod("new")], gone["metadata"]["labels"])
    assert [item["metadata"]["name"] for item in mine] == ["new"]
