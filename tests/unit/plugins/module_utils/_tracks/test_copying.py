# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a canary, and what else in the namespace must know of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._tracks import beside, copying, image
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service, Track
from platform_objects import KEY, SPACE, autoscaler, deployment, labels, meta, service, world

SPACES = "kubernetes.io/metadata.name"
TRACK = Track(KEY, "api")
VALUES = {"api": "api-canary"}


def pod(service_: Service, live: dict[str, Any] | None = None) -> dict[str, Any]:
    made = copying.deployment(live or deployment(), service_, TRACK, "2.0.0", 3)
    spec: dict[str, Any] = made["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(
    ("live", "service_", "wanted"),
    [
        ("app:1", Service("a", tag="2"), "app:2"),
        ("registry:5000/tars/app", Service("a", tag="2"), "registry:5000/tars/app:2"),
        ("registry:5000/app:1@sha256:" + "a" * 64, Service("a", tag="2"), "registry:5000/app:2"),
        ("app:1", Service("a", digest="sha256:" + "b" * 64), "app@sha256:" + "b" * 64),
        ("app:1", Service("a", tag="2", digest="sha256:" + "b" * 64), "app:2@sha256:" + "b" * 64),
        ("app:1", Service("a", image="other/app:9"), "other/app:9"),
    ],
)
def test_images(live: str, service_: Service, wanted: str) -> None:
    assert image.wanted_image(live, service_) == wanted


def test_only_the_named_container_changes() -> None:
    images = [item["image"] for item in pod(Service("api", container="sidecar", tag="9"))["containers"]]
    assert images == ["registry.example:5000/tars/app:1.0.0", "proxy:9"]


def test_flags_are_set_in_the_canary_only() -> None:
    live = deployment()
    env = pod(Service("api", tag="2", env={"MODE": "new", "FEATURE_X": "true"}), live)["containers"][0]["env"]
    assert env == [{"name": "MODE", "value": "new"}, {"name": "FEATURE_X", "value": "true"}]
    assert live["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "MODE", "value": "plain"}]


def test_changed_configuration_has_another_name_wherever_it_is_used() -> None:
    live = deployment(
        volumes=[
            {"name": "a", "configMap": {"name": "tars-config"}},
            {"name": "b", "secret": {"secretName": "key"}},
            {"name": "c", "projected": {"sources": [{"secret": {"name": "key"}}, {"configMap": {"name": "kept"}}]}},
        ]
    )
    live["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "DSN", "valueFrom": {"secretKeyRef": {"name": "key", "key": "dsn"}}}
    ]
    made = pod(Service("api", tag="2", config_maps={"tars-config": "tars-config-2"}, secrets={"key": "key-2"}), live)
    assert set(copying.mounted(made)) == {("ConfigMap", "tars-config-2"), ("ConfigMap", "kept"), ("Secret", "key-2")}


def test_the_autoscaler_keeps_what_the_canary_needs() -> None:
    made = copying.autoscaler(autoscaler("api", 2, 4), Service("api"), TRACK, "2.0.0", 5)
    assert made["metadata"]["name"] == "api-canary"
    assert made["spec"]["scaleTargetRef"]["name"] == "api-canary"
    assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (5, 5)


def companions(**objects: Any) -> dict[str, list[dict[str, Any]]]:
    return beside.companions(world(**objects), KEY, VALUES, "2.0.0")


def policy(name: str, target: dict[str, Any], *peers: dict[str, Any]) -> dict[str, Any]:
    spec = {"podSelector": target, "policyTypes": ["Ingress"], "ingress": [{"from": list(peers)}]}
    return {"kind": "NetworkPolicy", "metadata": meta(name), "spec": spec}


def test_a_policy_that_admits_stable_to_a_store_admits_the_canary() -> None:
    named = {"matchLabels": {KEY: "api"}}
    made = companions(network_policies=[
        policy("store", {"matchLabels": {"app": "db"}}, {"podSelector": named}),
        policy("other", {"matchLabels": {"app": "x"}}, {"podSelector": {}}),
        policy("elsewhere", {}, {"podSelector": named, "namespaceSelector": {"matchLabels": {SPACES: "other"}}}),
        policy("here", {}, {"podSelector": named, "namespaceSelector": {"matchLabels": {SPACES: SPACE}}}),
        policy("everywhere", {}, {"podSelector": named, "namespaceSelector": {}}),
    ])["network_policies"]  # fmt: skip
    assert [item["metadata"]["name"] for item in made] == ["store-canary", "here-canary", "everywhere-canary"]
    both = {"matchExpressions": [{"key": KEY, "operator": "In", "values": ["api", "api-canary"]}]}
    assert made[0]["spec"]["ingress"] == [{"from": [{"podSelector": both}]}]
    assert made[0]["spec"]["podSelector"] == {"matchLabels": {"app": "db"}}


def test_policies_of_the_mesh_are_copied_for_the_canary_alone() -> None:
    rules = {"selector": {"matchLabels": labels("api")}, "mtls": {"mode": "STRICT"}}
    made = companions(
        peer_authentications=[
            {"metadata": meta("strict"), "spec": rules},
            {"metadata": meta("all"), "spec": {"mtls": {}}},
        ],
        authorization_policies=[{"metadata": meta("web"), "spec": {"selector": {"matchLabels": {KEY: "web"}}}}],
    )
    assert [item["spec"] for item in made["peer_authentications"]] == [
        {"selector": {"matchLabels": labels("api-canary")}, "mtls": {"mode": "STRICT"}}
    ]
    assert made["peer_authentications"][0]["kind"] == "PeerAuthentication" and made["authorization_policies"] == []


def test_a_monitor_that_finds_both_services_is_not_copied() -> None:
    def monitor(**selected: str) -> dict[str, Any]:
        return {"metadata": meta("m"), "spec": {"endpoints": [{"port": "http"}], "selector": {"matchLabels": selected}}}

    own = {"services": [service("api"), service("api-canary", labels("api-canary"))]}
    assert companions(service_monitors=[monitor(**{KEY: "api"})], **own)["service_monitors"][0]["spec"]["selector"] == {
        "matchLabels": {KEY: "api-canary"}
    }
    # The chart of the lab labels both Services as stable's.
    twin = service("api-canary", labels("api-canary"))
    twin["metadata"]["labels"] = labels("api")
    assert (
        companions(service_monitors=[monitor(**{KEY: "api"})], services=[service("api"), twin])["service_monitors"]
        == []
    )
