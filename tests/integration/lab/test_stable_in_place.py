# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable replaced in place and put back, by a real API server with real pods."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from lab_tools import Demo, Lab, call, until
from lab_tracks import DEPLOYMENTS, NAME, PODS, documents

NAMESPACES = Kind("v1", "namespaces", namespaced=False)


@pytest.fixture
def place(lab: Lab, tmp_path: Any) -> Iterator[Demo]:
    """Two services, one of two pods and one of one, that only manifests have made."""
    region = f"tars-{os.environ['LAB_REGIONS'].split(',')[0].replace('_', '-')}"
    image = lab.client.get(DEPLOYMENTS, region, "api")["spec"]["template"]["spec"]["containers"][0]["image"]
    # Another one for each test: the one before takes a while to go.
    made = Demo(lab, f"place-{uuid.uuid4().hex[:8]}", tmp_path)
    lab.client.create(NAMESPACES, "", {"metadata": {"name": made.namespace}})
    try:
        for kind, body in documents(image, {name: made.host(name) for name in ("one", "two")}):
            # The same without the mark of Helm.
            body["metadata"].pop("annotations", None)
            lab.client.create(kind, made.namespace, body)
        until(lambda: all(made.ask(name).status_code == 200 for name in ("one", "two")), 60, "the services to answer")
        yield made
    finally:
        lab.client.delete(NAMESPACES, "", made.namespace)


def other(image: str) -> str:
    """Another image of the same repository, which is on every node."""
    program = Path(__file__).resolve().parents[2] / "lab" / "lab"
    subprocess.run([program, "release", "1.0.0-other"], check=True, capture_output=True)
    return f"{image.rpartition(':')[0]}:1.0.0-other"


def run(place: Demo, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    params = {"kubeconfig": place.lab.kubeconfig, "region": "lab", "namespace": place.namespace, **options}
    return call("stable_in_place", params, place.folder, check_mode=check_mode)


def specs(place: Demo) -> dict[str, Any]:
    found = place.lab.client.list(DEPLOYMENTS, place.namespace)
    return {item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in found}


def images(place: Demo) -> set[str]:
    pods = place.lab.client.list(PODS, place.namespace, labels=f"{NAME} in (one,two)")
    return {pod["spec"]["containers"][0]["image"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}


def test_there_and_back(place: Demo) -> None:
    there = specs(place)
    new = other(there["one"]["containers"][0]["image"])
    services = [{"name": name, "image": new, "env": {"FLAG": "flipped"}} for name in ("one", "two")]
    planned = run(place, services=services, fence=3, check_mode=True)
    assert planned["changed"] and specs(place) == there, planned
    done = run(place, services=services, fence=3)
    assert done["changed"] and [item["ready"] for item in done["services"]] == [2, 1], done
    # As soon as it says so, no pod is of the old kind.
    assert images(place) == {new}
    assert {place.ask(name).headers["x-version"] for name in ("one", "two")} == {"flipped"}
    assert (done["before"], done["diff"]) == (planned["before"], planned["diff"])
    assert run(place, services=services, fence=3)["changed"] is False
    late = run(place, restore=done["before"], fence=2)
    assert late["reason"] == "fence_lost", late
    back = run(place, restore=json.loads(json.dumps(done["before"])), fence=4)
    assert back["changed"] and specs(place) == there, back
    assert images(place) == {there["one"]["containers"][0]["image"]}


def test_an_image_that_is_not_there_is_named_and_the_old_pods_go_on(place: Demo) -> None:
    services = [{"name": "two", "image": "lab.invalid/tars/app:9.9.9"}]
    done = run(place, services=services, fault_patience=3, wait_timeout="60s")
    assert done["reason"] == "image_not_pulled", done
    assert place.ask("two").status_code == 200
    back = run(place, restore={"two": {"container": "app", "image": specs(place)["one"]["containers"][0]["image"]}})
    assert back["changed"] and back["services"][0]["ready"] == 1, back
