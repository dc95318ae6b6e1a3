# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback while the mesh's control plane is gone. Everybody in the lab feels it, so LAB_MESH=1 asks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from lab_tools import Demo, Lab, Load, call, until
from lab_tracks import DEPLOYMENTS, NAME, PODS, documents

MESH = "istio-system"
NAMESPACES = Kind("v1", "namespaces", namespaced=False)
NODES = Kind("v1", "nodes", namespaced=False)


@pytest.fixture
def place(lab: Lab, tmp_path: Any) -> Iterator[Demo]:
    """A service with two pods, and its canary of another image with half of the traffic."""
    if not os.environ.get("LAB_MESH"):
        pytest.skip("takes the control plane from everybody in the lab: set LAB_MESH=1")
    region = f"tars-{os.environ['LAB_REGIONS'].split(',')[0].replace('_', '-')}"
    image = lab.client.get(DEPLOYMENTS, region, "api")["spec"]["template"]["spec"]["containers"][0]["image"]
    made = Demo(lab, f"away-{os.getpid()}", tmp_path)
    lab.client.create(NAMESPACES, "", {"metadata": {"name": made.namespace}})
    try:
        for kind, body in documents(image, {name: made.host(name) for name in ("one", "two")}):
            lab.client.create(kind, made.namespace, body)
        until(lambda: made.ask("one").status_code == 200, 60, "the service to answer")
        service = {"name": "one", "image": another(lab, image), "env": {"FLAG": "canary"}}
        done = run(made, "canary_track", services=[service], release="2.0.0", wait_timeout=60)
        assert "reason" not in done, done
        yield made
    finally:
        lab.client.delete(NAMESPACES, "", made.namespace)


def another(lab: Lab, image: str) -> str:
    """Another image of the same repository that is on every node."""
    base = image.rpartition(":")[0]
    nodes = [
        {name for item in node["status"]["images"] for name in item.get("names") or [] if name.startswith(f"{base}:")}
        for node in lab.client.list(NODES)
    ]
    found = sorted(set.intersection(*nodes) - {image})
    if not found:
        pytest.fail(f"no other image of {base} is on the nodes: build one with tests/lab/lab release")
    return found[0]


def run(place: Demo, module: str, **options: Any) -> dict[str, Any]:
    params = {"kubeconfig": place.lab.kubeconfig, "region": "lab", **options}
    if module != "canary_weight":
        params["namespace"] = place.namespace
    return call(module, params, place.folder)


def cut(place: Demo, **options: Any) -> dict[str, Any]:
    return run(
        place, "canary_weight", services=place.services("one"), cut={"reason": "test"}, release="2.0.0", **options
    )


def control_plane(lab: Lab, replicas: int) -> int:
    """Scale it, and say how many there were."""
    before = lab.client.get(DEPLOYMENTS, MESH, "istiod")["spec"]["replicas"]
    ops = [{"op": "replace", "path": "/spec/replicas", "value": replicas}]
    lab.client.json_patch(DEPLOYMENTS, MESH, "istiod", ops)
    return int(before)


def running(lab: Lab) -> list[str]:
    names = [item["metadata"]["name"] for item in lab.client.list(PODS, MESH)]
    return [name for name in names if name.startswith("istiod-")]


def test_a_rollback_while_the_control_plane_is_away(place: Demo) -> None:
    lab = place.lab
    up = run(place, "canary_weight", services=place.services("one"), weight=50, release="2.0.0", observe={})
    assert "reason" not in up, up
    pods = lab.client.list(PODS, place.namespace, labels=f"{NAME}=one-canary")
    stable = lab.client.get(DEPLOYMENTS, place.namespace, "one")["spec"]["template"]["spec"]["containers"][0]["image"]
    before = control_plane(lab, 0)
    try:
        with Load(place, ("one",), 40) as load:
            # Its last pod serves the gateways until it has ended.
            until(lambda: not running(lab), 60, "the control plane to be gone")
            time.sleep(1)
            began = time.monotonic()
            away = cut(place, observe={})
            assert away["reason"] == "control_plane_away", away
            assert time.monotonic() - began < 10
            assert [entry["after"] for entry in away["details"]["services"]] == [0]
            # The weight is written and does not act.
            mark = time.time()
            time.sleep(2)
            assert load.last_canary("one") > mark
            restored = run(place, "canary_in_place", services=["one"])
            assert restored["services"][0]["pods"] == sorted(item["metadata"]["name"] for item in pods), restored
            control_plane(lab, before)
            again = cut(place, observe={"route_timeout": 120, "away": 120})
            assert again["services"][0]["share"]["state"] in ("proven", "unchanged"), again
            over = time.time()
            time.sleep(2)
            assert load.last_canary("one") < over
    finally:
        control_plane(lab, before)
    for item in lab.client.list(PODS, place.namespace, labels=f"{NAME}=one-canary"):
        assert [part["image"] for part in item["spec"]["containers"]] == [stable]
        # The same pods at the same addresses, in a second life.
        assert item["status"]["podIP"] in {pod["status"]["podIP"] for pod in pods}
        assert item["status"]["containerStatuses"][0]["restartCount"] == 1
    print(f"{len(load.failed)} of {len(load.seen)} requests failed: {load.failed[:5]}")
    assert len(load.failed) <= len(load.seen) / 200
    gone = run(place, "canary_track", services=[{"name": "one"}], state="absent", wait_timeout=60)
    assert "reason" not in gone, gone
