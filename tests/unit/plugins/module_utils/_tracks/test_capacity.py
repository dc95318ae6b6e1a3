# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities, what a pod asks for, and whether pods find room."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._tracks import capacity, copying
from ansible_collections.tars.rollout.plugins.module_utils._tracks.capacity import Need
from platform_objects import node, pod, world


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", "1/10"), ("2", "2"), ("1.5", "3/2"), ("64Mi", "67108864"), ("1e3", "1000"), ("1E", "1000000000000000000"),
     ("12k", "12000"), (3, "3"), ("250u", "1/4000"), ("0", "0")],
)  # fmt: skip
def test_quantities(text: Any, value: str) -> None:
    assert capacity.quantity(text) == Fraction(value)


@pytest.mark.parametrize("text", ["", "Mi", "1 Mi", "many", "1KiB"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        capacity.quantity(text)


def test_a_pod_asks_for_the_larger_of_before_and_during() -> None:
    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "initContainers": [container("1"), container("200m", restartPolicy="Always")],
        "containers": [container("300m"), {"resources": {"limits": {"cpu": "100m"}}}],
        "overhead": {"cpu": "50m"},
    }
    # Before: 1 beside the 0.2 that stay; during: 0.3 + 0.1 (a limit alone is asked for) + 0.2.
    assert capacity.asked(spec)["cpu"] == Fraction("1.25")
    spec["initContainers"].pop(0)
    assert capacity.asked(spec)["cpu"] == Fraction("0.65")


def need(cpu: str, pods: int, name: str = "api") -> Need:
    return Need(name, {"cpu": capacity.quantity(cpu)}, {}, pods)


def test_room_is_on_one_node_and_not_in_the_sum() -> None:
    two = world(nodes=[node("n1", cpu="500m"), node("n2", cpu="500m")], pods=[])
    assert capacity.shortages(two, [need("500m", 2)]) == []
    found = capacity.shortages(two, [need("600m", 1)])
    assert [item.code for item in found] == ["capacity_nodes"]
    assert found[0].seen == "1 of 1 pods of the canary of api find no room on the nodes; each asks for 0.6 of cpu"


def test_pods_that_ended_take_no_room() -> None:
    def left(phase: str) -> list[Any]:
        full = world(nodes=[node("n1", cpu="1")], pods=[pod("a", "n1", "900m", phase=phase)])
        return capacity.shortages(full, [need("500m", 1)])

    assert left("Succeeded") == [] and len(left("Running")) == 1


def test_without_nodes_nothing_is_claimed() -> None:
    assert capacity.shortages(world(), [need("500", 9)]) == []


def test_quotas_count_all_canaries_together_and_scopes_are_not_guessed() -> None:
    status = {"hard": {"requests.cpu": "1", "pods": "10"}, "used": {"requests.cpu": "0", "pods": "9"}}
    quota = {"metadata": {"name": "q"}, "spec": {}, "status": status}
    found = capacity.shortages(world(quotas=[quota]), [need("300m", 2), need("300m", 2, "web")])
    assert [item.seen.partition(",")[0] for item in found] == [
        "the ResourceQuota q allows 1 of requests.cpu", "the ResourceQuota q allows 10 of pods",
    ]  # fmt: skip
    assert capacity.shortages(world(quotas=[{**quota, "spec": {"scopes": ["BestEffort"]}}]), [need("3", 2)]) == []


@pytest.mark.parametrize(
    ("replicas", "weight", "pods"),
    [(3, 1, 1), (3, 34, 2), (3, 100, 3), (10, 10, 1), (10, 11, 2), (1, 1, 1), (0, 50, 1)],
)
def test_pods_for_a_weight(replicas: int, weight: int, pods: int) -> None:
    assert copying.copies(replicas, weight) == pods
