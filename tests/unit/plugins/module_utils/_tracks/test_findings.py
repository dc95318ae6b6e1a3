# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of what is refused, by its code: a world that has it, and one that has not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._tracks import findings
from ansible_collections.tars.rollout.plugins.module_utils._tracks.findings import Wish
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service
from platform_objects import (
    INSTANCE,
    KEY,
    autoscaler,
    budget,
    deployment,
    labels,
    meta,
    node,
    pod,
    route,
    service,
    world,
)

WISH = Wish(KEY, 100, False, True)
API = Service("api", tag="2.0.0")


def codes(service_: Service = API, wish: Wish = WISH, **objects: Any) -> list[str]:
    return [item.code for item in findings.findings(world(**objects), [service_], wish)]


def notices(**objects: Any) -> list[str]:
    return [item.code for item in findings.warnings(world(**objects), [API], WISH)]


def changed(**fields: Any) -> dict[str, Any]:
    made = deployment()
    for path, value in fields.items():
        *way, last = path.split("__")
        place = made
        for part in way:
            place = place[part]
        place[last] = value
    return made


def test_a_usual_service_has_no_finding() -> None:
    assert codes() == []


CLAIM = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
TRACKING = {"argocd.argoproj.io/tracking-id": "tars:apps/Deployment:tars/api"}
OWNER = [{"kind": "Rollout", "name": "api", "controller": True}]
ALL = {"matchLabels": INSTANCE}
MONITOR = {"metadata": meta("api"), "spec": {"selector": {"matchLabels": {"scrape": "api"}}}}


def monitored(name: str, **more: str) -> dict[str, Any]:
    made = service(name)
    made["metadata"]["labels"] |= more
    return made


CASES: dict[str, dict[str, Any]] = {
    "deployment_missing": {"deployments": []},
    "stable_unready": {"deployments": [changed(status__availableReplicas=2)]},
    "stable_scaled_to_zero": {"deployments": [deployment(replicas=0)]},
    "track_unselected": {"deployments": [changed(spec__selector={"matchLabels": {"app": "api"}})]},
    "track_expression": {
        "deployments": [
            changed(
                spec__selector={
                    "matchLabels": labels("api"),
                    "matchExpressions": [{"key": KEY, "operator": "In", "values": ["api"]}],
                }
            )
        ]
    },
    "volume_claim": {"deployments": [deployment(volumes=CLAIM)]},
    "stateful_set": {"deployments": [], "statefulsets": [{"metadata": meta("api"), "spec": {}}]},
    "canary_taken": {"deployments": [deployment(), deployment("api-canary")]},
    "service_mixed": {"services": [service("api", INSTANCE), service("api-canary", labels("api-canary"))]},
    "budget_mixed": {"budgets": [budget("all", ALL)]},
    "owned_by_argo_cd": {"deployments": [changed(metadata__annotations=TRACKING)]},
    "owned_by_flagger": {"flagger_canaries": [{"metadata": meta("x"), "spec": {"targetRef": {"name": "api"}}}]},
    "owned_by_argo_rollouts": {"argo_rollouts": [{"metadata": meta("x"), "spec": {"workloadRef": {"name": "api"}}}]},
    "owned": {"deployments": [changed(metadata__ownerReferences=OWNER)]},
    "autoscaler_owned": {"autoscalers": [autoscaler("api", ownerReferences=[{"kind": "ScaledObject", "name": "api"}])]},
    "monitor_misses": {
        "service_monitors": [MONITOR],
        "services": [monitored("api", scrape="api"), service("api-canary", labels("api-canary"))],
    },
    "capacity_quota": {
        "quotas": [
            {
                "metadata": meta("small"),
                "spec": {},
                "status": {"hard": {"requests.cpu": "800m"}, "used": {"requests.cpu": "450m"}},
            }
        ]
    },
    "capacity_nodes": {"nodes": [node("n1", cpu="500m")], "pods": [pod("other", "n1", "100m")]},
}


@pytest.mark.parametrize("code", CASES)
def test_a_finding_by_its_code(code: str) -> None:
    found = findings.findings(world(**CASES[code]), [API], WISH)
    assert code in [item.code for item in found], found
    for item in found:
        # One sentence that names the thing, and what to do.
        assert ("api" in item.seen or item.service == "") and item.hint and not item.seen.endswith(".")


@pytest.mark.parametrize(
    ("service_", "code"),
    [
        (Service("api"), "image_missing"),
        (Service("api", tag="latest"), "tag_mutable"),
        (Service("api", tag="main"), "tag_mutable"),
        (Service("api", image="registry.example:5000/tars/app"), "tag_mutable"),
        (Service("api", tag="a b"), "tag_invalid"),
        (Service("api", digest="sha256:12"), "digest_invalid"),
        (Service("api", image="x:1", tag="2"), "image_and_tag"),
        (Service("api", container="web", tag="2.0.0"), "container_unknown"),
        (Service("queue", kind="worker"), "deployment_missing"),
        (Service("leader", kind="singleton"), "singleton_unhandled"),
    ],
)
def test_a_service_that_is_named_wrongly(service_: Service, code: str) -> None:
    assert code in codes(service_)


def test_what_changes_with_stable_needs_no_label() -> None:
    assert codes(Service("api", with_stable=True), deployments=[deployment(volumes=CLAIM)]) == []


def test_a_mutable_tag_may_be_allowed() -> None:
    assert codes(Service("api", tag="latest"), Wish(KEY, 100, True, True)) == []


def test_one_percent_of_the_traffic_needs_one_pod() -> None:
    room = {"nodes": [node("n1", cpu="300m")], "pods": []}
    assert codes(wish=Wish(KEY, 1, False, True), **room) == []
    assert codes(wish=Wish(KEY, 67, False, True), **room) == ["capacity_nodes"]


def test_pods_that_are_there_already_need_no_room() -> None:
    canary = deployment("api-canary")
    canary["metadata"]["labels"] = {"ga.rollout/track": "canary"}
    room = {"nodes": [node("n1", cpu="100m")], "pods": []}
    assert codes(deployments=[deployment(), canary], **room) == []


def test_a_node_that_takes_no_pods_is_no_room() -> None:
    taint = [{"key": "x", "effect": "NoSchedule"}]
    assert codes(nodes=[node("n1", cpu="300m"), node("n2", taints=taint), node("n3", unschedulable=True)]) == [
        "capacity_nodes"
    ]


def split_by_subsets(*more: dict[str, Any]) -> dict[str, Any]:
    host = "api"
    arms = [
        {"destination": {"host": host, "subset": name}, "weight": weight}
        for name, weight in (("stable", 100), ("canary", 0))
    ]
    http = [{"name": "primary", "route": arms}, *more]
    rule = {
        "metadata": meta("api"),
        "spec": {
            "host": host,
            "subsets": [{"name": "stable", "labels": {KEY: "api"}}, {"name": "canary", "labels": {KEY: "api-canary"}}],
        },
    }
    return {
        "services": [service("api", INSTANCE)],
        "destination_rules": [rule],
        "virtual_services": [{"metadata": meta("api"), "spec": {"http": http}}],
    }


def test_subsets_are_allowed_while_every_route_names_one() -> None:
    assert codes(**split_by_subsets()) == []
    whole = {"name": "legacy", "route": [{"destination": {"host": "api.tars-us-west-2.svc.cluster.local"}}]}
    found = findings.findings(world(**split_by_subsets(whole)), [API], WISH)
    assert [item.code for item in found] == ["bare_host"]
    assert "route legacy of VirtualService tars-us-west-2/api" in found[0].seen


def test_a_hash_that_keeps_users_at_a_pod_is_told() -> None:
    policy = {"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user"}}}
    rule = {"metadata": meta("api"), "spec": {"host": "api", "trafficPolicy": policy}}
    assert "consistent_hash" in notices(destination_rules=[rule])
    assert "consistent_hash" not in notices()


def test_what_both_tracks_use_is_told_unless_the_canary_has_its_own() -> None:
    found = findings.warnings(world(), [API], WISH)
    assert [item.seen for item in found] == ["both tracks of api use ConfigMap tars-config"]
    own = Service("api", tag="2", config_maps={"tars-config": "tars-config-2"})
    assert findings.warnings(world(), [own], WISH) == []


def test_no_hook_and_a_sibling_of_the_same_repository_are_told() -> None:
    made = deployment(initContainers=[{"name": "wait", "image": "registry.example:5000/tars/app:1.0.0"}])
    made["spec"]["template"]["spec"]["containers"][0].pop("lifecycle")
    assert notices(deployments=[made])[1:] == ["sibling_image", "no_pre_stop"]


def test_several_services_are_looked_at_in_their_order() -> None:
    objects = world(deployments=[deployment(), deployment("web", volumes=CLAIM)], virtual_services=[route("api", 0)])
    found = findings.findings(objects, [API, Service("web", tag="2.0.0"), Service("gone", tag="2.0.0")], WISH)
    assert [(item.service, item.code) for item in found] == [("web", "volume_claim"), ("gone", "deployment_missing")]
