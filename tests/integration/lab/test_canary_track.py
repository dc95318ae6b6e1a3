# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""canary_track and canary_track_info against the lab's API server, scheduler and nodes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from lab_tools import Demo, Lab, call, module, until
from lab_tracks import (
    BUDGETS,
    CLAIMS,
    DEPLOYMENTS,
    NAME,
    PODS,
    POLICIES,
    QUOTAS,
    SCALERS,
    documents,
)

NAMESPACES = Kind("v1", "namespaces", namespaced=False)
ACCOUNTS = Kind("v1", "serviceaccounts")
ROLES = Kind("rbac.authorization.k8s.io/v1", "roles")
BINDINGS = Kind("rbac.authorization.k8s.io/v1", "rolebindings")
TOKENS = Kind("v1", "serviceaccounts/narrow/token")


@pytest.fixture(scope="module")
def place(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A namespace with two services that are ready, taken away at the end."""
    region = f"tars-{os.environ['LAB_REGIONS'].split(',')[0].replace('_', '-')}"
    image = lab.client.get(DEPLOYMENTS, region, "api")["spec"]["template"]["spec"]["containers"][0]["image"]
    made = Demo(lab, f"tr-{os.getpid()}", tmp_path_factory.mktemp("tracks"))
    lab.client.create(NAMESPACES, "", {"metadata": {"name": made.namespace}})
    try:
        for kind, body in documents(image, {name: made.host(name) for name in ("one", "two")}):
            lab.client.create(kind, made.namespace, body)
        until(lambda: ready(made, "one") and ready(made, "two"), 120, "the services to be ready")
        yield made
    finally:
        lab.client.delete(NAMESPACES, "", made.namespace)


@pytest.fixture
def fresh(place: Demo) -> Iterator[Demo]:
    """Nothing of a canary left by another test."""
    yield place
    weigh(place, 0)
    gone = track(place, state="absent")
    assert "reason" not in gone, gone


def ready(place: Demo, name: str) -> bool:
    found = place.lab.client.get(DEPLOYMENTS, place.namespace, name)
    return bool(found.get("status", {}).get("availableReplicas") == found["spec"]["replicas"])


def image(place: Demo) -> str:
    found = place.lab.client.get(DEPLOYMENTS, place.namespace, "one")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def track(place: Demo, *names: str, check_mode: bool = False, kubeconfig: str = "", **options: Any) -> dict[str, Any]:
    """Canaries with the flag that only a canary has, and the image that is on the nodes."""
    services = options.pop("services", [
        {"name": name, "image": image(place), "env": {"FLAG": "canary"}} for name in names or ("one", "two")
    ])  # fmt: skip
    params = {
        "kubeconfig": kubeconfig or place.lab.kubeconfig, "namespace": place.namespace, "services": services,
        "release": "2.0.0", "interval": 0.3, "wait_timeout": 90,
    }  # fmt: skip
    return call("canary_track", {**params, **options}, place.folder, check_mode=check_mode)


def info(place: Demo, *names: str, **options: Any) -> dict[str, Any]:
    services = [{"name": name} for name in names or ("one", "two")]
    params = {"kubeconfig": place.lab.kubeconfig, "namespace": place.namespace, "services": services, "tag": "1.0.0"}
    return call("canary_track_info", {**params, **options}, place.folder)


def weigh(place: Demo, weight: int, *names: str) -> None:
    params = {"kubeconfig": place.lab.kubeconfig, "services": place.services(*(names or ("one",))), "weight": weight}
    done = call("canary_weight", params, place.folder)
    assert "reason" not in done, done


def actions(done: dict[str, Any]) -> dict[str, str]:
    return {item["object"]: item["action"] for item in done["objects"]}


def there(place: Demo, kind: Kind, name: str) -> bool:
    try:
        place.lab.client.get(kind, place.namespace, name)
    except KubeError as error:
        assert error.reason == "kube_not_found"
        return False
    return True


def minimum(place: Demo) -> int:
    return int(place.lab.client.get(SCALERS, place.namespace, "one")["spec"]["minReplicas"])


def test_a_usual_namespace_has_no_finding(fresh: Demo) -> None:
    looked = info(fresh)
    assert looked["findings"] == [] and looked["unread"] == [] and not looked["changed"]
    assert set(looked["live"]) == {"one", "two"} and looked["pins"] == {"one": 1}
    assert [item["metadata"]["name"] for item in looked["autoscalers"]] == ["one"]


def test_the_life_of_a_track(fresh: Demo) -> None:
    planned = track(fresh, check_mode=True, fence=7)
    assert planned["changed"] and not there(fresh, DEPLOYMENTS, "one-canary") and minimum(fresh) == 1
    made = track(fresh, fence=7)
    assert actions(made) == {
        "HorizontalPodAutoscaler one": "patched",
        "PodDisruptionBudget one-canary": "created",
        "HorizontalPodAutoscaler one-canary": "created",
        "NetworkPolicy one-canary": "created",
        "Deployment one-canary": "created",
        "Deployment two-canary": "created",
    }
    assert planned["diff"] == made["diff"] and actions(planned) == actions(made)
    assert [item["ready"] for item in made["services"]] == [2, 1]
    assert made["pins"] == {"one": 1} and minimum(fresh) == 2
    assert [line["result"] for line in made["lines"] if line["subject"] == "one-canary"][-1] == "READY"
    # Real requests: those that ask for the canary get it, nobody else does.
    until(lambda: fresh.ask("one", **{"x-canary": "true"}).headers.get("x-version") == "canary", 20, "the canary")
    assert {fresh.ask("one").headers["x-version"] for _time in range(10)} == {"stable"}

    again = track(fresh, fence=7)
    assert not again["changed"] and set(actions(again).values()) == {"unchanged"}, actions(again)
    looked = info(fresh)
    assert looked["findings"] == [] and looked["fence_floor"] == 7 and looked["pins"] == {"one": 1}
    assert set(looked["canaries"]) == {"one-canary", "two-canary"}
    assert track(fresh, fence=6)["reason"] == "fence_lost"

    weigh(fresh, 10)
    refused = track(fresh, state="absent")
    assert refused["reason"] == "canary_has_weight" and "gives it weight 10" in refused["msg"]
    other = track(fresh, services=[{"name": "one", "image": image(fresh), "env": {"FLAG": "other"}}])
    assert other["reason"] == "canary_has_traffic"
    assert there(fresh, DEPLOYMENTS, "one-canary")

    weigh(fresh, 0)
    assert actions(track(fresh, state="absent", check_mode=True))["Deployment one-canary"] == "deleted"
    assert there(fresh, DEPLOYMENTS, "one-canary")
    one = track(fresh, "one", state="absent", pins=made["pins"])
    # The policy speaks of both: it stays until the last canary goes.
    assert "NetworkPolicy one-canary" not in actions(one) and minimum(fresh) == 1
    gone = track(fresh, state="absent")
    assert actions(gone)["Deployment two-canary"] == "deleted" and not there(fresh, POLICIES, "one-canary")
    assert not there(fresh, BUDGETS, "one-canary") and not there(fresh, SCALERS, "one-canary")
    assert fresh.lab.client.list(PODS, fresh.namespace, labels=f"{NAME} in (one-canary,two-canary)") == []
    assert not track(fresh, state="absent")["changed"]


def test_a_larger_weight_adds_pods(fresh: Demo) -> None:
    assert track(fresh, "one", weight=1)["services"][0]["ready"] == 1
    grown = track(fresh, "one", weight=100)
    assert grown["services"][0]["ready"] == 2 and actions(grown)["Deployment one-canary"] == "patched"
    assert not track(fresh, "one", weight=1)["changed"]


def test_an_image_that_is_nowhere_is_named_at_once(fresh: Demo) -> None:
    start = time.monotonic()
    failed = track(fresh, services=[
        {"name": "one", "image": image(fresh), "env": {"FLAG": "canary"}}, {"name": "two", "tag": "9.9.9"},
    ], fault_patience=2)  # fmt: skip
    assert failed["reason"] == "image_not_pulled" and "two-canary" in failed["msg"], failed
    assert time.monotonic() - start < 80 and set(failed["details"]["not_ready"]) >= {"two-canary"}
    assert any("ImagePull" in line["seen"] for line in failed["lines"])


def test_a_program_that_ends_is_named_at_once(fresh: Demo) -> None:
    failed = track(fresh, services=[{"name": "two", "image": image(fresh), "env": {"END": "1"}}])
    assert failed["reason"] == "crash_loop" and "last with code 3" in failed["msg"], failed


def test_pods_that_a_quota_refuses(fresh: Demo) -> None:
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "4"}}}
    fresh.lab.client.create(QUOTAS, fresh.namespace, quota)
    try:
        until(
            lambda: "used" in fresh.lab.client.get(QUOTAS, fresh.namespace, "small").get("status", {}), 20, "the quota"
        )
        assert [item["code"] for item in info(fresh)["findings"]] == ["capacity_quota"]
        failed = track(fresh, fault_patience=1)
        assert failed["reason"] == "pods_refused" and "exceeded quota: small" in failed["msg"], failed
    finally:
        fresh.lab.client.delete(QUOTAS, fresh.namespace, "small")


def test_one_that_cannot_be_copied_stops_all(fresh: Demo) -> None:
    wrong = [{"name": "one", "image": image(fresh)}, {"name": "gone", "tag": "1"}]
    failed = track(fresh, services=wrong)
    assert failed["reason"] == "deployment_missing" and not there(fresh, DEPLOYMENTS, "one-canary")


def test_a_volume_is_refused(fresh: Demo) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    fresh.lab.client.create(CLAIMS, fresh.namespace, claim)
    bound = fresh.lab.client.get(DEPLOYMENTS, fresh.namespace, "two")
    pod = bound["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    body = {"metadata": {"name": "three"}, "spec": {**bound["spec"], "replicas": 0}}
    fresh.lab.client.create(DEPLOYMENTS, fresh.namespace, body)
    try:
        codes = [item["code"] for item in info(fresh, "three")["findings"]]
        assert codes == ["volume_claim", "track_unselected"] or codes[0] == "volume_claim"
    finally:
        fresh.lab.client.delete(DEPLOYMENTS, fresh.namespace, "three")
        fresh.lab.client.delete(CLAIMS, fresh.namespace, "data")


def test_two_runs_at_once_make_one_track(fresh: Demo) -> None:
    folders = [fresh.folder / str(number) for number in range(2)]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    demos = [Demo(fresh.lab, fresh.namespace, folder) for folder in folders]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda demo: track(demo, fence=3), demos))
    assert all("reason" not in item for item in done), done
    assert fresh.lab.client.get(DEPLOYMENTS, fresh.namespace, "one-canary")["metadata"]["generation"] == 1


def narrow(place: Demo, rules: list[dict[str, Any]], folder: Path) -> str:
    """A kubeconfig of an account that may do this and nothing else."""
    client, space = place.lab.client, place.namespace
    for kind in (BINDINGS, ROLES, ACCOUNTS):
        if there(place, kind, "narrow"):
            client.delete(kind, space, "narrow")
    client.create(ACCOUNTS, space, {"metadata": {"name": "narrow"}})
    client.create(ROLES, space, {"metadata": {"name": "narrow"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "narrow", "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "narrow"}
    client.create(BINDINGS, space, {"metadata": {"name": "narrow"}, "subjects": [subject], "roleRef": role})
    token = client.create(TOKENS, space, {"spec": {"expirationSeconds": 600}})["status"]["token"]
    config = yaml.safe_load(Path(place.lab.kubeconfig).read_text())
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    path = folder / "narrow.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_a_missing_right_names_verb_and_resource(fresh: Demo, tmp_path: Path) -> None:
    reads = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]
    path = narrow(fresh, reads, tmp_path)
    until(lambda: "reason" not in info(fresh, kubeconfig=path), 20, "the role to count")
    looked = info(fresh, kubeconfig=path)
    unread = {item["resource"] for item in looked["unread"]}
    assert {"services", "virtualservices", "pods", "nodes"} <= unread
    # Kinds that this cluster does not have are none, whatever the account may do.
    assert not {"canaries", "rollouts", "servicemonitors"} & unread
    failed = track(fresh, kubeconfig=path)
    assert failed["reason"] == "kube_forbidden" and 'Grant verb "create"' in failed["msg"], failed
    assert not there(fresh, DEPLOYMENTS, "one-canary")
    blind = track(fresh, kubeconfig=path, state="absent")
    assert blind["reason"] == "routes_unread" and "is forbidden" in blind["msg"]


def test_as_a_playbook_calls_it(fresh: Demo) -> None:
    services = [{"name": "two", "image": image(fresh), "env": {"FLAG": "canary"}}]
    params = {"kubeconfig": fresh.lab.kubeconfig, "namespace": fresh.namespace, "services": services, "region": "lab"}
    made = module("canary_track", {**params, "release": "2.0.0"})
    assert made["services"][0]["ready"] == 1, made
    assert "lab canary track  two-canary  1/1 ready  READY" in made["live_lines"]
    looked = module("canary_track_info", {key: params[key] for key in ("kubeconfig", "namespace", "services")})
    assert looked["findings"] == [] and json.dumps(looked["live"]["two"])


def test_workers_share_their_work_by_pods(fresh: Demo) -> None:
    worker = [{"name": "two", "kind": "worker", "image": image(fresh), "env": {"FLAG": "canary"}}]
    scale(fresh, 3)
    made = track(fresh, services=worker, fence=7)
    assert pods(fresh) == (3, 0) and made["services"][0]["ready"] == 0, made
    for weight, wanted in ((50, (2, 2)), (100, (0, 3))):
        done = share(fresh, weight=weight, fence=7)
        assert pods(fresh) == wanted and done["services"][0]["after"] == dict(
            zip(("stable", "canary"), wanted, strict=True)
        )
    assert track(fresh, services=worker, state="absent")["reason"] == "canary_has_weight"
    planned = share(fresh, check_mode=True, cut=True)
    assert planned["changed"] and pods(fresh) == (0, 3)
    assert share(fresh, cut=True)["warnings"] == [] and pods(fresh) == (3, 0)
    assert share(fresh, weight=100, fence=7)["reason"] == "fence_lost"
    notes = fresh.lab.client.get(DEPLOYMENTS, fresh.namespace, "two")["metadata"]["annotations"]
    assert "ga.rollout/replicas" not in notes
    assert "reason" not in track(fresh, services=worker, state="absent")
    scale(fresh, 1)


def scale(place: Demo, replicas: int) -> None:
    ops = [{"op": "replace", "path": "/spec/replicas", "value": replicas}]
    place.lab.client.json_patch(DEPLOYMENTS, place.namespace, "two", ops)
    until(lambda: ready(place, "two"), 60, "the worker to be whole")


def share(place: Demo, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    params = {"kubeconfig": place.lab.kubeconfig, "namespace": place.namespace, "services": ["two"], "interval": 0.3}
    return call("canary_replicas", {**params, **options}, place.folder, check_mode=check_mode)


def pods(place: Demo) -> tuple[int, int]:
    """Pods of either track that are ready."""
    found = {item["metadata"]["name"]: item for item in place.lab.client.list(DEPLOYMENTS, place.namespace)}
    stable, canary = (int(found[name]["status"].get("readyReplicas") or 0) for name in ("two", "two-canary"))
    return stable, canary
