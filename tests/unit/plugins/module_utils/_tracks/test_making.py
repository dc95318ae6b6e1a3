# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects are written and which are left, who is refused, and what is given back."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._tracks import legs, making, pinning, removing
from ansible_collections.tars.rollout.plugins.module_utils._tracks.making import Ask, Step
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    MINIMUM,
    Service,
    TrackError,
    Unread,
    World,
    name_of,
)
from platform_objects import KEY, autoscaler, deployment, labels, meta, route, world

API = Service("api", tag="2.0.0")
ASK = Ask(KEY, "2.0.0", 100, 7)


def stored(step: Step) -> dict[str, Any]:
    """The object of a step as the API server has it then."""
    body = copy.deepcopy(dict(step.body or {}))
    body["metadata"] |= {"uid": f"uid-{step.name}", "resourceVersion": "9", "generation": 1}
    return body


def made(*services: Service, ask: Ask = ASK, **objects: Any) -> tuple[list[Step], World]:
    """The steps for a world, and the world after them."""
    before = world(**objects)
    steps = making.plan(before, services or (API,), ask)
    after = {key: list(items) for key, items in before.objects.items()}
    for step in steps:
        if step.live is None:
            after.setdefault(step.key, []).append(stored(step))
    for scaler in after["autoscalers"]:
        pins = {pin.name: pin for pin in pinning.pins(before, services or (API,))}
        if name_of(scaler) in pins:
            pin = pins[name_of(scaler)]
            scaler["spec"]["minReplicas"] = pin.during
            scaler["metadata"]["annotations"] = {MINIMUM: f'{{"before": {pin.before}, "during": {pin.during}}}'}
    return steps, World(before.namespace, after)


def told(steps: list[Step]) -> list[tuple[str, str]]:
    return [(str(step), step.action) for step in steps]


def test_everything_is_made_once_pods_last() -> None:
    steps, after = made()
    assert told(steps) == [
        ("HorizontalPodAutoscaler api", "patched"),
        ("PodDisruptionBudget api-canary", "created"),
        ("HorizontalPodAutoscaler api-canary", "created"),
        ("Deployment api-canary", "created"),
    ]
    assert {action for _name, action in told(making.plan(after, [API], ASK))} == {"unchanged"}


def test_one_pod_needs_no_budget() -> None:
    steps, _after = made(deployments=[deployment(replicas=1)], autoscalers=[])
    assert told(steps) == [("Deployment api-canary", "created")]


def test_every_object_carries_the_fence_and_an_older_one_is_refused() -> None:
    steps, after = made()
    for step in steps:
        if step.body:
            assert step.body["metadata"]["annotations"]["ga.rollout/fence"] == "7"
    with pytest.raises(TrackError, match="carries the fence 7 and this run holds 6") as caught:
        making.plan(after, [API], Ask(KEY, "2.0.0", 100, 6))
    assert caught.value.reason == "fence_lost"
    newer = making.plan(after, [API], Ask(KEY, "2.0.0", 100, 8))
    ops = next(step.ops for step in newer if step.key == "deployments")
    assert [op["op"] for op in ops] == ["test", "test", "test", "add"]
    assert ops[1]["value"] == "7" and ops[3] == {
        "op": "add", "path": "/metadata/annotations/ga.rollout~1fence", "value": "8",
    }  # fmt: skip


def test_another_release_replaces_a_canary_without_traffic_only() -> None:
    _steps, after = made()
    other = Service("api", tag="2.0.1")
    steps = making.plan(after, [other], Ask(KEY, "2.0.1", 100, 7))
    writes = [op["path"] for step in steps if step.key == "deployments" for op in step.ops if op["op"] == "add"]
    assert writes == ["/metadata/annotations/ga.rollout~1release", "/spec/template"]
    busy = World(after.namespace, {**after.objects, "virtual_services": [route("api", 1)]})
    with pytest.raises(TrackError) as caught:
        making.plan(busy, [other], Ask(KEY, "2.0.1", 100, 7))
    assert caught.value.reason == "canary_has_traffic" and "route primary" in caught.value.msg
    # The same release goes on under traffic.
    assert {step.action for step in making.plan(busy, [API], ASK)} == {"unchanged"}


def test_a_canary_grows_and_never_shrinks() -> None:
    _steps, small = made(ask=Ask(KEY, "2.0.0", 34, 7))
    canary = next(item for item in small.all("deployments") if name_of(item) == "api-canary")
    assert canary["spec"]["replicas"] == 2
    more = making.plan(small, [API], ASK)
    assert [op["value"] for step in more for op in step.ops if op["path"] == "/spec/replicas"] == [3]
    _steps, whole = made()
    less = making.plan(whole, [API], Ask(KEY, "2.0.0", 1, 7))
    assert [step for step in less if step.key == "deployments" and step.ops] == []


def test_one_that_cannot_be_copied_stops_all() -> None:
    with pytest.raises(TrackError) as caught:
        made(API, Service("gone", tag="2"), Service("queue", kind="singleton"))
    assert caught.value.reason == "deployment_missing"
    assert [item["code"] for item in caught.value.details["findings"]] == ["deployment_missing", "singleton_unhandled"]


def test_somebody_elses_object_of_the_name_is_left_alone() -> None:
    with pytest.raises(TrackError) as caught:
        made(autoscalers=[autoscaler("api"), autoscaler("api-canary")])
    assert caught.value.reason == "canary_taken"


def test_what_changes_with_stable_gets_nothing() -> None:
    steps, _after = made(Service("api", with_stable=True))
    assert steps == []


def canaries(after: World, **objects: Any) -> World:
    return World(after.namespace, {**after.objects, **objects})


def test_the_canary_goes_with_all_that_is_its_own() -> None:
    _steps, after = made()
    going = removing.plan(after, [API], KEY, 7)
    assert [name_of(item) for item in going.deployments] == ["api-canary"]
    assert [(key, name_of(item)) for key, item in going.beside] == [
        ("budgets", "api-canary"), ("autoscalers", "api-canary"),
    ]  # fmt: skip
    nothing = removing.plan(world(), [API], KEY, 7)
    assert not nothing.deployments and not nothing.beside


@pytest.mark.parametrize("weight", [1, 100])
def test_a_canary_with_weight_stays(weight: int) -> None:
    _steps, after = made()
    with pytest.raises(
        TrackError, match=f"route primary of VirtualService .* still gives it weight {weight}"
    ) as caught:
        removing.plan(canaries(after, virtual_services=[route("api", weight)]), [API], KEY, 7)
    assert caught.value.reason == "canary_has_weight"


def test_what_cannot_be_read_proves_nothing() -> None:
    _steps, after = made()
    blind = World(
        after.namespace, after.objects, [Unread("list", "httproutes", "gateway.networking.k8s.io", "namespace x")]
    )
    with pytest.raises(TrackError, match="cannot be known") as caught:
        removing.plan(blind, [API], KEY, 7)
    assert caught.value.reason == "routes_unread" and '"httproutes"' in caught.value.hint


def test_policies_go_with_the_last_canary() -> None:
    policy = {
        "metadata": meta("store"),
        "spec": {"podSelector": {"matchLabels": labels("api")}, "policyTypes": ["Ingress"]},
    }
    two = {"deployments": [deployment(), deployment("web")], "autoscalers": [], "network_policies": [policy]}
    web = Service("web", tag="2.0.0")
    _steps, after = made(API, web, **two)
    assert ("network_policies", "store-canary") not in [
        (k, name_of(o)) for k, o in removing.plan(after, [API], KEY, 7).beside
    ]
    assert ("network_policies", "store-canary") in [
        (key, name_of(item)) for key, item in removing.plan(after, [API, web], KEY, 7).beside
    ]


def test_a_minimum_is_raised_once_and_given_back() -> None:
    _steps, after = made()
    assert [(pin.name, pin.before, pin.during) for pin in pinning.pins(after, [API])] == [("api", 2, 3)]
    ((scaler, before),), lost = pinning.released(after, [API], {})
    assert lost == [] and [op for op in pinning.give_back(scaler, before) if op["op"] != "test"] == [
        {"op": "add", "path": "/spec/minReplicas", "value": 2},
        {"op": "remove", "path": "/metadata/annotations/ga.rollout~1min-replicas"},
    ]


def test_a_minimum_that_somebody_changed_stays() -> None:
    _steps, after = made()
    scaler = next(item for item in after.all("autoscalers") if name_of(item) == "api")
    scaler["spec"]["minReplicas"] = 4  # type: ignore[index]
    found, lost = pinning.released(after, [API], {"api": 2, "gone": 1})
    assert [op["op"] for op in pinning.give_back(*found[0]) if op["op"] != "test"] == ["remove"]
    assert pinning.changed_since(found[0][0]) and len(lost) == 1 and "gone is not there" in lost[0]


def test_who_gives_the_canary_its_requests() -> None:
    stable, canary = labels("api"), labels("api-canary")
    assert legs.weighted(world(), canary, stable) == []
    rule = {
        "metadata": meta("api"),
        "spec": {"rules": [{"backendRefs": [{"name": "api", "weight": 9}, {"name": "api-canary", "weight": 1}]}]},
    }
    found = legs.weighted(world(http_routes=[rule]), canary, stable)
    assert [str(item) for item in found] == ["route 0 of HTTPRoute tars-us-west-2/api"]
    # The standard's weight is 1 where none is given; a match by path is a way for everybody.
    plain = {"name": "p", "matches": [{"path": {"value": "/"}}], "backendRefs": [{"name": "api-canary"}]}
    assert (
        len(legs.weighted(world(grpc_routes=[{"metadata": meta("g"), "spec": {"rules": [plain]}}]), canary, stable))
        == 1
    )
    header = {**plain, "matches": [{"headers": [{"name": "x-canary", "value": "true"}]}]}
    assert (
        legs.weighted(world(http_routes=[{"metadata": meta("h"), "spec": {"rules": [header]}}]), canary, stable) == []
    )
