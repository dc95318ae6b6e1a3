# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic goes back to stable only when all of it is the release and at work."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Unread, World
from ansible_collections.tars.rollout.plugins.module_utils._tracks.stable import lacks
from platform_objects import deployment, labels, pod

LABEL = "app.kubernetes.io/name"


def own(name: str, image: str, value: str = "api", **metadata: Any) -> dict[str, Any]:
    found = pod(name)
    found["metadata"] |= {"namespace": "ns", "labels": labels(value), **metadata}
    found["spec"]["containers"][0]["image"] = image
    return found


def world(*pods: dict[str, Any], unread: tuple[Unread, ...] = (), **status: Any) -> World:
    live = deployment("api")
    live["status"] |= status
    return World("ns", {"deployments": [live], "pods": list(pods)}, list(unread))


def test_whole_and_new_lacks_nothing() -> None:
    there = world(own("a", "r:5000/tars/app:2.0.0"), own("b", "r:5000/tars/app:2.0.0@sha256:1f"))
    assert lacks(there, ["api"], LABEL, "2.0.0") == []


def test_a_pod_of_another_image_is_named_but_not_one_that_goes_or_is_no_pod_of_stable() -> None:
    there = world(
        own("old", "r:5000/tars/app:1.0.0"),
        own("going", "tars/app:1.0.0", deletionTimestamp="2026-01-31T12:00:00Z"),
        own("canary", "tars/app:1.0.0", "api-canary"),
        own("elsewhere", "tars/app:1.0.0", namespace="other"),
        # The tag of another release ends like ours.
        own("close", "tars/app:12.0.0"),
    )
    assert lacks(there, ["api"], LABEL, "2.0.0") == [
        "pod old runs r:5000/tars/app:1.0.0",
        "pod close runs tars/app:12.0.0",
    ]


def test_one_that_is_not_ready_or_not_there_is_named() -> None:
    there = world(availableReplicas=2)
    assert lacks(there, ["api", "insight"], LABEL, "2.0.0") == [
        "api: 2/3 ready",
        "insight: its Deployment is not there",
    ]


def test_pods_that_nobody_may_read_are_not_taken_for_new() -> None:
    everywhere = Unread("list", "pods", "", "the whole cluster")
    assert lacks(world(unread=(everywhere,)), ["api"], LABEL, "2.0.0") == []
    here = Unread("list", "pods", "", "namespace ns")
    assert lacks(world(unread=(here,)), ["api"], LABEL, "2.0.0") == ["the pods of namespace ns may not be read"]


def test_without_a_tag_only_whether_it_is_whole() -> None:
    hidden = Unread("list", "pods", "", "ns")
    assert lacks(world(own("old", "r:5000/tars/app:1.0.0"), unread=(hidden,)), ["api"], LABEL, "") == []
    assert lacks(world(availableReplicas=2), ["api"], LABEL, "") == ["api: 2/3 ready"]
