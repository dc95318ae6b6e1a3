# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster must be before a release comes: room, rights and ages, from objects as an API server gives them."""

from __future__ import annotations

import base64
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._govern import cluster, survey
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LEASES
from ansible_collections.tars.rollout.plugins.module_utils._record.store import CONFIGMAPS
from ansible_collections.tars.rollout.plugins.module_utils._tracks import kinds
from ansible_collections.tars.rollout.plugins.module_utils._traffic.gateway_api import GatewayApi
from ansible_collections.tars.rollout.plugins.module_utils._traffic.istio import Istio
from ansible_collections.tars.rollout.plugins.module_utils._traffic.left import DEPLOYMENTS

NOW = 1_790_000_000.0
DAY = 86400.0


def deployment(name: str, replicas: int, cpu: str = "500m", memory: str = "512Mi") -> dict[str, Any]:
    container = {"name": "main", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
    }


def node(
    name: str, cpu: str = "2", memory: str = "4Gi", pods: str = "110", ready: str = "True", **spec: Any
) -> dict[str, Any]:
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods}
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": ready}]},
    }


def pod(on: str, cpu: str, memory: str, phase: str = "Running") -> dict[str, Any]:
    return {
        "spec": {"nodeName": on, **deployment("x", 1, cpu, memory)["spec"]["template"]["spec"]},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", 0.25), ("2", 2.0), ("1.5", 1.5), ("1Gi", 2.0**30), ("128M", 128e6), ("1e3", 1000.0), ("0", 0.0)],
)
def test_quantities(text: str, value: float) -> None:
    assert cluster.quantity(text) == value


@pytest.mark.parametrize("text", ["", "much", "1 Gi", "-1", "1Zi", None])
def test_quantities_that_are_none(text: Any) -> None:
    with pytest.raises(RolloutError):
        cluster.quantity(text)


def test_what_a_pod_asks_for() -> None:
    spec = {
        "containers": [
            {"resources": {"requests": {"cpu": "100m"}}},
            {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
        ],
        "initContainers": [{"resources": {"requests": {"memory": "2Gi"}}}],
    }
    assert cluster.requests({"spec": spec}) == {"cpu": 1.1, "memory": 2.0**31}


def test_quotas() -> None:
    wanted = cluster.needs([deployment("api", 2), deployment("other", 9)], ["api", "missing"])
    assert [(need.service, need.pods) for need in wanted] == [("api", 2)]
    status = {
        "hard": {"requests.cpu": "4", "pods": "10", "requests.memory": "8Gi", "services": "1"},
        "used": {"requests.cpu": "3", "pods": "9", "services": "1"},
    }
    told = list(cluster.quota(wanted, [{"metadata": {"name": "team"}, "status": status}]))
    assert told == ["the quota team allows pods 10, in use 9, the canaries need 2 more"]
    status["used"]["requests.cpu"] = "3.5"
    assert any(
        "requests.cpu 4, in use 3.5" in text
        for text in cluster.quota(wanted, [{"metadata": {"name": "team"}, "status": status}])
    )


def test_room() -> None:
    wanted = cluster.needs([deployment("api", 2)], ["api"])
    assert list(cluster.room(wanted, [node("a"), node("b")], [], 1.0)) == []
    full = [pod("a", "1800m", "1Gi"), pod("b", "1800m", "1Gi"), pod("b", "100", "1Gi", "Succeeded")]
    # Together there is room for one pod, on neither node for one.
    assert list(cluster.room(wanted, [node("a"), node("b")], full, 1.0)) == [
        "no node has room for the canaries (2 of api)"
    ]
    told = list(cluster.room(wanted, [node("a")], [pod("a", "800m", "1Gi")], 0.8))
    assert told == ["with the canaries 90 % of the nodes' cpu would be asked for, at most 80 % may be"]
    told = list(cluster.room(wanted, [node("a", ready="False"), node("b", unschedulable=True)], [], 1.0))
    assert told == ["the node a is not ready", "no node has room for the canaries (2 of api)"]
    assert list(cluster.room(wanted, [node("a", pods="1")], [], 1.0)) == [
        "no node has room for the canaries (1 of api)"
    ]


@pytest.mark.parametrize(
    ("left", "words"), [(91, ""), (90, ""), (89.4, "is valid for 89 days more, 90 days"), (-1, "has expired")]
)
def test_ages_of_certificates(left: float, words: str) -> None:
    told = cluster.valid("of x", NOW + left * DAY, NOW, 90)
    assert words in told and bool(told) == bool(words)


def secret(days: float, **meta: Any) -> dict[str, Any]:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(NOW - days * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {
            "name": "jwt",
            "creationTimestamp": "2020-01-01T00:00:00Z",
            **{key: value(at) for key, value in meta.items()},
        }
    }


@pytest.mark.parametrize(
    ("found", "annotation", "words"),
    [
        (secret(6, managedFields=lambda at: [{"time": at, "fieldsV1": {"f:data": {}}}]), "", ""),
        (
            secret(8, managedFields=lambda at: [{"time": at, "fieldsV1": {"f:data": {}}}]),
            "",
            "renewed 8 days ago, at most 7",
        ),
        # A label that was written yesterday renews nothing.
        (secret(1, managedFields=lambda at: [{"time": at, "fieldsV1": {"f:metadata": {}}}]), "", "days ago"),
        (secret(3, annotations=lambda at: {"rotated-at": at}), "rotated-at", ""),
        (secret(3, annotations=lambda at: {"rotated-at": "lately"}), "rotated-at", "nobody knows when"),
        (secret(3, creationTimestamp=lambda at: at), "", ""),
    ],
)
def test_ages_of_secrets(found: Mapping[str, Any], annotation: str, words: str) -> None:
    told = cluster.young(found, NOW, 7 * DAY, annotation)
    assert words in told and bool(told) == bool(words)


class Api:
    """An API server that allows some things, and holds some objects."""

    def __init__(self, denied: tuple[str, ...] = (), **objects: Any) -> None:
        self.denied, self.objects = denied, objects
        self.reviewed: list[Mapping[str, Any]] = []

    def create(self, kind: Any, _namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert kind.plural == "selfsubjectaccessreviews"
        asked = body["spec"]["resourceAttributes"]
        self.reviewed.append(asked)
        return {"status": {"allowed": f"{asked['verb']} {asked['resource']}" not in self.denied}}

    def list(self, kind: Any, _namespace: str = "", **_more: Any) -> list[dict[str, Any]]:
        found = self.objects.get(kind.plural, [])
        if found is None:
            raise KubeError("no nodes for you", reason="kube_forbidden", details={"status": 403})
        return list(found)

    def get(self, kind: Any, _namespace: str, name: str) -> dict[str, Any]:
        assert kind.plural == "secrets"
        return dict(self.objects[name])


def test_rights_are_named() -> None:
    api: Any = Api(("patch virtualservices", "create pods"))
    more = [{"verbs": ["create"], "resource": "pods", "subresource": "exec", "namespace": "mesh"}]
    ((code, text),) = survey.rights(api, "tars", more, ["VirtualService"])
    assert code == "rights_missing"
    assert text == "this login may not patch virtualservices.networking.istio.io in tars; create pods/exec in mesh"
    assert {"verb": "create", "resource": "pods", "subresource": "exec", "namespace": "mesh"} in api.reviewed
    assert survey.rights(Api(), "tars", []) == []  # type: ignore[arg-type]
    for odd in ({"verbs": "get", "resource": "pods"}, {"resource": "pods"}, {"verbs": ["get"]}):
        with pytest.raises(RolloutError):
            survey.rights(api, "tars", [odd])


def test_every_kind_that_is_called_is_asked_for() -> None:
    """By the kinds that the code itself names, whichever part of it."""
    called = [*kinds.KINDS.values(), *Istio.kinds.values(), *GatewayApi.kinds.values(), CONFIGMAPS, LEASES, DEPLOYMENTS]
    asked = {
        (right.group, right.resource)
        for right in cluster.rights("tars", (), [*Istio.kinds, *GatewayApi.kinds])
        if right.verb in ("get", "list")
    }
    for kind in called:
        group = kind.api_version.rpartition("/")[0]
        assert (group, kind.plural) in asked or kind.plural in cluster.READ_WHEN_THERE, kind
    made = {right.resource for right in cluster.rights("tars") if right.verb == "create"}
    core = {"budgets", "autoscalers", "network_policies"}
    assert core <= set(kinds.BESIDE) and {kinds.KINDS[key].plural for key in core} | {"leases"} <= made


def test_only_the_routes_of_the_plan_are_asked_for() -> None:
    asked = {right.resource for right in cluster.rights("tars", (), ["HTTPRoute"])}
    assert "httproutes" in asked and not asked & {"virtualservices", "destinationrules", "grpcroutes"}


def test_nodes_that_may_not_be_read_are_said() -> None:
    api: Any = Api(deployments=[deployment("api", 2)], nodes=None)
    problems, unseen = survey.capacity(api, "tars", ["api"], 0.8)
    assert problems == [] and unseen == ["whether the nodes have room: no nodes for you"]
    api = Api(deployments=[deployment("api", 2)], nodes=[node("a", cpu="500m")], pods=[])
    assert survey.capacity(api, "tars", ["api"], 0.8)[0] == [
        ("capacity", "no node has room for the canaries (1 of api)")
    ]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real one that lives for thirty days, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "30",
    ]
    argv += ["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "crt.pem"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    return folder / "crt.pem", folder / "key.pem"


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> Iterator[int]:
    """The port of a real TLS server with that certificate."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            while True:
                connection, _address = listener.accept()
                with context.wrap_socket(connection, server_side=True):
                    pass
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_certificates_of_secrets_and_servers(certificate: tuple[Path, Path], tls: int) -> None:
    import time

    now = time.time()
    held = {"data": {"tls.crt": base64.b64encode(certificate[0].read_bytes()).decode()}}
    api: Any = Api(gateway=held, broken={"data": {"tls.crt": "AAAA"}})
    both = [{"secret": "gateway"}, {"host": "127.0.0.1", "port": tls}]
    told = [text for _code, text in survey.certificates(api, "tars", both, now)]
    assert told == [
        "the certificate of the secret gateway is valid for 30 days more, 90 days are asked for",
        f"the certificate of 127.0.0.1:{tls} is valid for 30 days more, 90 days are asked for",
    ]
    assert survey.certificates(api, "tars", [{**item, "days": 29} for item in both], now) == []
    for odd, reason in (
        ({"secret": "broken"}, "certificate_invalid"),
        ({"host": "127.0.0.1", "port": 1}, "certificate_unseen"),
        ({}, "age_invalid"),
    ):
        with pytest.raises(RolloutError) as caught:
            survey.certificates(api, "tars", [odd], now)
        assert caught.value.reason == reason


def test_secrets_and_nothing_of_their_content() -> None:
    api: Any = Api(jwt={**secret(30), "data": {"token": "aHVzaA=="}})
    (found,) = survey.secrets(api, "tars", [{"name": "jwt", "max_age": "7d"}], NOW)
    assert found[0] == "secret_age" and "aHVzaA==" not in found[1]
    for odd in ({"name": "jwt", "max_age": 7}, {"max_age": "7d"}):
        with pytest.raises(RolloutError):
            survey.secrets(api, "tars", [odd], NOW)
