# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as the API server has them, and an API server that keeps them in a dict and applies JSON Patch."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Seen, Target
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS

SPACE = "tars-us-west-2"


def target(service: str = "api", **changes: str) -> Target:
    fields = {"service": service, "provider": "istio", "kind": "VirtualService", "namespace": SPACE, "name": service}
    return Target(**{**fields, "route": "primary", **changes})


def rule(target: Target) -> Target:
    return Target(target.service, "gateway_api", "HTTPRoute", target.namespace, target.name, target.route)


def destination(host: str, weight: int | None = None, subset: str = "") -> dict[str, Any]:
    where: dict[str, Any] = {"host": host, "port": {"number": 80}}
    if subset:
        where["subset"] = subset
    return {"destination": where} if weight is None else {"destination": where, "weight": weight}


def virtual_service(
    *routes: Mapping[str, Any], name: str = "api", annotations: Mapping[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """By default 90/10 to api and api-canary in the route primary, behind a route by header."""
    header = {"name": "canary-header", "match": [{"headers": {"x-canary": {"exact": "true"}}}],
              "route": [destination(f"{name}-canary")]}  # fmt: skip
    primary = {"name": "primary", "route": [destination(name, 90), destination(f"{name}-canary", 10)]}
    metadata: dict[str, Any] = {"name": name, "namespace": SPACE, "resourceVersion": "5"}
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": metadata,
        "spec": {
            "hosts": [f"{name}.example.net"],
            "gateways": ["istio-system/tars"],
            "http": [dict(item) for item in routes or (header, primary)],
            **spec,
        },
    }


def http_route(*rules: Mapping[str, Any], name: str = "api") -> dict[str, Any]:
    refs = [{"name": name, "port": 80, "weight": 90}, {"name": f"{name}-canary", "port": 80, "weight": 10}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": SPACE, "resourceVersion": "5"},
        "spec": {"rules": [dict(item) for item in rules or ({"name": "primary", "backendRefs": refs},)]},
    }


def seen(document: Mapping[str, Any], where: Target | None = None) -> Seen:
    where = where or target(document["metadata"]["name"])
    return Seen(where, DIALECTS[where.provider].read(document, where), document)


def apply(document: Mapping[str, Any], ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """RFC 6902 as far as it is used: test, add and remove. ValueError for what the API server refuses."""
    done: dict[str, Any] = copy.deepcopy(dict(document))
    for op in ops:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
        place: Any = done
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        key: Any = int(last) if isinstance(place, list) else last
        if op["op"] == "test":
            if (place[key] if isinstance(place, list) else place.get(key)) != op["value"]:
                raise ValueError(f"test of {op['path']}")
        elif op["op"] == "remove":
            del place[key]
        elif isinstance(place, list):
            raise ValueError("a list is never changed in length")
        else:
            place[key] = copy.deepcopy(op["value"])
    return done


class Server:
    """Keeps objects by kind and name, counts calls, and lets a test step in before each of them."""

    def __init__(self, *documents: Mapping[str, Any]) -> None:
        self.objects = {item["metadata"]["name"]: dict(item) for item in documents}
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda verb, name: None
        self.reloads: Callable[[], int] | None = None
        self._lock = threading.Lock()

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        with self._lock:
            self._called("get", name)
            if name not in self.objects:
                raise fault("kube_not_found", 404, f"get {kind.plural}/{name} in namespace {namespace} was refused")
            return copy.deepcopy(self.objects[name])

    def json_patch(self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        with self._lock:
            self._called("patch", name)
            try:
                patched = apply(self.objects[name], json.loads(json.dumps(list(ops))))
            except (ValueError, KeyError) as error:
                raise fault("kube_patch_test_failed", 422, f"patch {kind.plural}/{name}: {error}") from None
            self.write(name, patched)
            return copy.deepcopy(patched)

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Somebody's write, with the new version that every write brings."""
        document["metadata"]["resourceVersion"] = str(int(self.objects[name]["metadata"]["resourceVersion"]) + 1)
        self.objects[name] = document

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": name}, "status": ready} for name in ("gw-a", "gw-b")]

    def pod_get(self, namespace: str, pod: str, port: int, path: str) -> str:
        with self._lock:
            self._called("pod_get", f"{pod}{path.partition('?')[0]}")
            return self.answer(pod, path)

    def answer(self, pod: str, path: str) -> str:
        """What a gateway says: exactly what the objects say, and ten requests more each time it is asked."""
        self.asked = getattr(self, "asked", 0) + 1
        if path.startswith("/config_dump"):
            return json.dumps({"configs": [{"route_config": {"virtual_hosts": [{"routes": self._routes()}]}}]})
        lines = ["envoy_control_plane_connected_state{} 1"]
        if self.reloads:
            lines.append(f'envoy_http_rds_config_reload{{route_config="http.8080"}} {self.reloads()}')
            lines.append('envoy_http_rds_config_reload_time_ms{route_config="http.8080"} 1795238600077')
        for name in self.objects:
            stable, canary = self._weights(name)
            for cluster, weight in ((name, stable), (f"{name}-canary", canary)):
                lines += counted(cluster, self.asked * weight)
        return "\n".join(lines)

    def _weights(self, name: str) -> tuple[int, int]:
        route = next(item for item in self.objects[name]["spec"]["http"] if item["name"] == "primary")
        stable, canary = (item.get("weight", 0) for item in route["route"][:2])
        return stable, canary

    def _routes(self) -> Sequence[Mapping[str, Any]]:
        routes = []
        for name in self.objects:
            source = f"/apis/networking.istio.io/v1/namespaces/{SPACE}/virtual-service/{name}"
            weights = zip((name, f"{name}-canary"), self._weights(name), strict=True)
            routes.append(envoy_route(source, {cluster_of(host): weight for host, weight in weights if weight}))
        return routes

    def _called(self, verb: str, name: str) -> None:
        self.calls.append((verb, name))
        self.before(verb, name)

    def count(self, verb: str) -> int:
        return sum(call[0] == verb for call in self.calls)


def cluster_of(service: str, subset: str = "") -> str:
    return f"outbound|80|{subset}|{service}.{SPACE}.svc.cluster.local"


def counted(service: str, requests: int) -> list[str]:
    """As Envoy counts: a class from its first request on, the same requests by code as well."""
    name, lines = f'cluster_name="{cluster_of(service)}"', []
    if requests:
        lines += [
            f'envoy_cluster_upstream_rq{{response_code_class="2xx",{name}}} {requests}',
            f'envoy_cluster_upstream_rq{{response_code="200",{name}}} {requests}',
        ]
    return [*lines, f"envoy_cluster_upstream_rq_total{{{name}}} {requests}"]


def envoy_route(source: str, weights: Mapping[str, int], name: str = "primary") -> dict[str, Any]:
    clusters = [{"name": cluster, "weight": weight} for cluster, weight in weights.items()]
    return {
        "name": name,
        "metadata": {"filter_metadata": {"istio": {"config": source}}},
        "route": {"weighted_clusters": {"clusters": clusters}},
    }


def fault(reason: str, status: int, msg: str) -> KubeError:
    return KubeError(msg, reason=reason, hint="", details={"status": status})
