# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to Kubernetes against a real API server: the lab's, or the one that ``LAB_KUBECONFIG`` names.

A namespace of its own is made and taken away; nothing else in the cluster is touched.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._kube import Client, Kind
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError

ENVIRONMENT = Path(__file__).resolve().parents[3] / ".lab" / "env.json"
MAPS = Kind("v1", "configmaps")
NAMESPACES = Kind("v1", "namespaces", namespaced=False)
ACCOUNTS = Kind("v1", "serviceaccounts")
ROLES = Kind("rbac.authorization.k8s.io/v1", "roles")
BINDINGS = Kind("rbac.authorization.k8s.io/v1", "rolebindings")
TOKENS = Kind("v1", "serviceaccounts/region/token")
DEPLOYMENTS = Kind("apps/v1", "deployments")
NAMESPACE = f"tars-port-{uuid.uuid4().hex[:8]}"


def kubeconfig() -> str:
    """The administrator's file of the cluster to use, empty when there is none."""
    if path := os.environ.get("LAB_KUBECONFIG"):
        return path
    if ENVIRONMENT.is_file():
        return str(json.loads(ENVIRONMENT.read_text()).get("KUBECONFIG", ""))
    return ""


@pytest.fixture(scope="module")
def admin() -> Iterator[Client]:
    path = kubeconfig()
    if not path:
        pytest.skip("no lab is up (make lab-up), so there is no API server to try it on")
    client = _kube.from_kubeconfig(path, "", Scrubber())
    client.create(NAMESPACES, "", {"metadata": {"name": NAMESPACE}})
    yield client
    client.delete(NAMESPACES, "", NAMESPACE)


@pytest.fixture
def a_map(admin: Client) -> Iterator[dict[str, Any]]:
    """A ConfigMap with a fence and a weight, gone after the test."""
    body = {"metadata": {"name": "record", "annotations": {"ga.rollout/fence": "7"}}, "data": {"weight": "10"}}
    yield admin.create(MAPS, NAMESPACE, body)
    admin.delete(MAPS, NAMESPACE, "record")


def failing(call: Callable[[], Any]) -> KubeError:
    with pytest.raises(KubeError) as caught:
        call()
    return caught.value


def fenced(fence: str, weight: str) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/annotations/ga.rollout~1fence", "value": fence},
        {"op": "replace", "path": "/metadata/annotations/ga.rollout~1fence", "value": "8"},
        {"op": "replace", "path": "/data/weight", "value": weight},
    ]


def test_life_of_an_object(admin: Client, a_map: dict[str, Any]) -> None:
    assert admin.get(MAPS, NAMESPACE, "record")["metadata"]["uid"] == a_map["metadata"]["uid"]
    assert admin.json_patch(MAPS, NAMESPACE, "record", fenced("7", "25"))["data"] == {"weight": "25"}
    assert failing(lambda: admin.create(MAPS, NAMESPACE, {"metadata": {"name": "record"}})).reason == "kube_conflict"
    assert failing(lambda: admin.delete(MAPS, NAMESPACE, "record", uid=str(uuid.uuid4()))).reason == "kube_conflict"
    assert failing(lambda: admin.get(MAPS, NAMESPACE, "absent")).reason == "kube_not_found"
    assert failing(lambda: admin.list(Kind("absent.example.net/v1", "things"))).reason == "kube_not_found"


def test_an_old_fence_is_refused_whole(admin: Client, a_map: dict[str, Any]) -> None:
    fault = failing(lambda: admin.json_patch(MAPS, NAMESPACE, "record", fenced("6", "100")))
    assert (fault.reason, fault.details["status"]) == ("kube_patch_test_failed", 422)
    kept = admin.get(MAPS, NAMESPACE, "record")
    assert kept["data"] == {"weight": "10"}
    assert kept["metadata"]["resourceVersion"] == a_map["metadata"]["resourceVersion"]


def test_of_many_with_the_same_fence_exactly_one_wins(admin: Client, a_map: dict[str, Any]) -> None:
    def attempt(number: int) -> str:
        try:
            admin.json_patch(MAPS, NAMESPACE, "record", fenced("7", str(number)))
        except KubeError as error:
            return error.reason
        return "won"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(8)))
    assert results.count("won") == 1
    # One that read before and wrote after the winner is told of the conflict instead: both mean "read again".
    assert set(results) <= {"won", "kube_patch_test_failed", "kube_conflict"}


def test_a_test_on_what_is_not_there_is_a_refused_test(admin: Client, a_map: dict[str, Any]) -> None:
    for path in ("/data/absent", "/metadata/labels/absent"):
        ops = [{"op": "test", "path": path, "value": "x"}]
        fault = failing(lambda ops=ops: admin.json_patch(MAPS, NAMESPACE, "record", ops))
        assert fault.reason == "kube_patch_test_failed"


def test_a_value_that_the_schema_refuses_has_causes(admin: Client, a_map: dict[str, Any]) -> None:
    ops = [
        {"op": "test", "path": "/data/weight", "value": "10"},
        {"op": "add", "path": "/metadata/labels", "value": {"a": "not/a label"}},
    ]
    fault = failing(lambda: admin.json_patch(MAPS, NAMESPACE, "record", ops))
    assert fault.reason == "kube_invalid" and "metadata.labels" in str(fault.details["causes"])


def test_a_dry_run_answers_and_changes_nothing(admin: Client, a_map: dict[str, Any]) -> None:
    assert admin.json_patch(MAPS, NAMESPACE, "record", fenced("7", "50"), dry_run=True)["data"] == {"weight": "50"}
    assert admin.create(MAPS, NAMESPACE, {"metadata": {"name": "other"}}, dry_run=True)["metadata"]["uid"]
    admin.delete(MAPS, NAMESPACE, "record", dry_run=True)
    assert "other" not in [item["metadata"]["name"] for item in admin.list(MAPS, NAMESPACE)]
    assert admin.get(MAPS, NAMESPACE, "record")["data"] == {"weight": "10"}


def test_lists_go_through_all_pages(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kube, "PAGE", 2)
    names = {f"page-{number}" for number in range(5)}
    for name in names:
        admin.create(MAPS, NAMESPACE, {"metadata": {"name": name, "labels": {"page": "yes"}}})
    assert {item["metadata"]["name"] for item in admin.list(MAPS, NAMESPACE, labels="page=yes")} == names
    assert names <= {item["metadata"]["name"] for item in admin.list(MAPS, labels="page in (yes)")}


def test_a_missing_right_names_verb_resource_and_namespace(admin: Client) -> None:
    """A region's account with a narrow Role, by its token, as a rollout has it."""
    admin.create(ACCOUNTS, NAMESPACE, {"metadata": {"name": "region"}})
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    admin.create(ROLES, NAMESPACE, {"metadata": {"name": "region"}, "rules": rules})
    binding = {
        "metadata": {"name": "region"},
        "subjects": [{"kind": "ServiceAccount", "name": "region", "namespace": NAMESPACE}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "region"},
    }
    admin.create(BINDINGS, NAMESPACE, binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    token = admin.create(TOKENS, NAMESPACE, request)
    scrubber = Scrubber()
    configuration = admin._configuration
    region = _kube.from_token(configuration.host, token["status"]["token"], scrubber, ca=configuration.ssl_ca_cert)
    assert failing(lambda: region.get(MAPS, NAMESPACE, "absent")).reason == "kube_not_found"
    ops = [{"op": "test", "path": "/spec/replicas", "value": 1}]
    fault = failing(lambda: region.json_patch(DEPLOYMENTS, NAMESPACE, "api", ops))
    assert fault.reason == "kube_forbidden"
    assert f'verb "patch" on resource "deployments" of API group "apps" in namespace {NAMESPACE}' in str(fault)
    assert token["status"]["token"] not in json.dumps(fault.payload(scrubber))


def test_a_wrong_token_and_an_unknown_authority(admin: Client) -> None:
    configuration = admin._configuration
    wrong = _kube.from_token(configuration.host, "wrong-token", Scrubber(), ca=configuration.ssl_ca_cert)
    assert failing(lambda: wrong.get(MAPS, NAMESPACE, "x")).reason == "kube_unauthorized"
    stranger = _kube.from_token(configuration.host, "wrong-token", Scrubber())
    assert failing(lambda: stranger.get(MAPS, NAMESPACE, "x")).reason == "kube_tls"
