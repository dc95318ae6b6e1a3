# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a workload counts as ready, and what is said when it does not get there."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from tarslab import kube


def workload(replicas: int = 2, generation: int = 3, **status: int) -> dict[str, Any]:
    full = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": replicas},
        "status": full | status,
    }


def test_all_replicas_ready_is_rolled_out() -> None:
    assert kube.rolled_out(workload())


def test_nothing_wanted_and_nothing_there_is_rolled_out() -> None:
    assert kube.rolled_out(
        {"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}
    )


@pytest.mark.parametrize(
    "found",
    [
        workload(generation=4),
        workload(replicas=3),
        workload(replicas=1),
        workload(updatedReplicas=1),
        workload(readyReplicas=1),
        workload(availableReplicas=1),
        {"metadata": {"generation": 1}, "spec": {"replicas": 1}},
    ],
)
def test_anything_less_is_not(found: dict[str, Any]) -> None:
    assert not kube.rolled_out(found)


def pod(conditions: list[dict[str, str]], states: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": "api-0"}, "status": {"conditions": conditions, "containerStatuses": states or []}}


def test_a_ready_pod_has_no_trouble() -> None:
    assert (
        kube.pod_trouble(pod([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}])) == ""
    )


def test_a_crash_loop_is_named_with_its_restarts() -> None:
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3}
    assert kube.pod_trouble(pod([], [waiting])) == "api-0 CrashLoopBackOff (3 restarts)"


def test_a_pod_without_a_node_says_why() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}
    assert kube.pod_trouble(pod([unscheduled])) == "api-0 Insufficient cpu"


def test_a_pod_that_only_begins_is_not_ready_yet() -> None:
    starting = {"state": {"waiting": {"reason": "PodInitializing"}}, "restartCount": 0}
    assert kube.pod_trouble(
        pod([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}], [starting])
    ) == ("api-0 ContainersNotReady")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"message": "name is \\"taken\\""}', 'name is "taken"'),
        (b'{"message": "no"}', "no"),
        ("not JSON", "not JSON"),
        ("[]", "[]"),
        ("", "Conflict"),
    ],
)
def test_the_servers_own_sentence_is_kept(body: str | bytes, text: str) -> None:
    error = ApiException(status=409, reason="Conflict")
    error.body = body
    assert kube._message(error) == text
