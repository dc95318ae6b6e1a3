# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of a Kubernetes API as a rollout of regions needs: objects, versions, JSON Patch refused as a whole, a clock.

A program of its own process would be no better: what is proved here is what the playbooks do with its answers. How a
real API server answers is proved on the lab.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

RESOURCES: Mapping[str, Mapping[str, str]] = {
    "v1": {"configmaps": "ConfigMap", "pods": "Pod", "services": "Service"},
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "coordination.k8s.io/v1": {"leases": "Lease"},
    "networking.istio.io/v1": {"virtualservices": "VirtualService"},
}


class Refused(Exception):
    """An answer that is none: its status and what it says."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass
class KubeApi:
    """``objects`` by (namespace, plural, name). ``writes``: every change as verb, namespace, plural and name."""

    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    writes: list[tuple[str, str, str, str]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    # Seconds that its clock is ahead of ours.
    ahead: float = 0.0
    version: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    def kubeconfig(self, path: Path) -> Path:
        """Write where it is."""
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        config |= {"users": [{"name": "u", "user": {"token": "t"}}], "current-context": "c"}
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    def put(self, namespace: str, plural: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """An object as if somebody had made it before; no write of whoever is tested."""
        made = copy.deepcopy(dict(body))
        self.version += 1
        made["metadata"] = {"uid": f"u{self.version}", **made["metadata"], "namespace": namespace}
        made["metadata"]["resourceVersion"] = str(self.version)
        self.objects[namespace, plural, made["metadata"]["name"]] = made
        return made

    def answer(self, verb: str, path: str, body: Any, dry: bool = False, labels: str = "") -> Any:
        """What the API answers, and with ``dry`` would; Refused for what it does not do. ``labels``: a selector."""
        if "/proxy/" in path:
            return self._dump() if path.endswith("/config_dump") else {}
        found = discovery(path)
        if found is not None:
            return found
        group, namespace, plural, name = place(path)
        if plural not in RESOURCES.get(group, {}):
            raise Refused(404, "the server could not find the requested resource")
        key = (namespace, plural, name)
        with self.lock:
            if verb == "GET":
                self.reads.append(path)
                return (
                    self._get(key, RESOURCES[group][plural]) if name else self._list(group, namespace, plural, labels)
                )
            if verb == "POST":
                key = (namespace, plural, body["metadata"]["name"])
                if key in self.objects:
                    raise Refused(409, f"{plural} {key[2]} already exists")
                made = body
            else:
                there = self._get(key, "")
                made = there if verb == "DELETE" else patched(there, body)
            if dry:
                return made
            if verb == "DELETE":
                del self.objects[key]
            else:
                made = self.put(namespace, plural, made)
            if verb == "PATCH":
                self._roll(made, there)
            self.writes.append((verb, *key))
            return made

    def _roll(self, made: dict[str, Any], before: Mapping[str, Any]) -> None:
        """A Deployment as its controller leaves it, which is at once done with the pods of a new template."""
        namespace, template = made["metadata"]["namespace"], (made.get("spec") or {}).get("template")
        if template and made["spec"] != before["spec"]:
            made["metadata"]["generation"] = made["metadata"].get("generation", 1) + 1
            made.setdefault("status", {})["observedGeneration"] = made["metadata"]["generation"]
            for (space, plural, _name), pod in self.objects.items():
                labels = pod["metadata"].get("labels") or {}
                if (space, plural) == (namespace, "pods") and template["metadata"]["labels"].items() <= labels.items():
                    pod["spec"] = copy.deepcopy(template["spec"])

    def _dump(self) -> dict[str, Any]:
        """Envoy's config dump of a gateway that follows at once."""
        with self.lock:
            routes = [
                made(item, route)
                for (_space, plural, _name), item in self.objects.items()
                if plural == "virtualservices"
                for route in item["spec"]["http"]
            ]
        return {"configs": [{"route_config": {"virtual_hosts": [{"routes": routes}]}}]}

    def _get(self, key: tuple[str, str, str], kind: str) -> dict[str, Any]:
        if key not in self.objects:
            raise Refused(404, f"{key[1]} {key[2]} not found")
        return {**({"kind": kind} if kind else {}), **copy.deepcopy(self.objects[key])}

    def _list(self, group: str, namespace: str, plural: str, labels: str) -> dict[str, Any]:
        kind = RESOURCES[group][plural]
        items = [
            {"apiVersion": group, "kind": kind, **copy.deepcopy(item)}
            for (space, kinds, _name), item in self.objects.items()
            if kinds == plural and namespace in ("", space) and selected(item, labels)
        ]
        return {"kind": f"{kind}List", "apiVersion": group, "metadata": {}, "items": items}


def made(item: Mapping[str, Any], route: Mapping[str, Any]) -> dict[str, Any]:
    """The Envoy route that istiod makes of a route of a VirtualService."""
    space, name = item["metadata"]["namespace"], item["metadata"]["name"]
    clusters = [
        {"name": f"outbound|80||{to['destination']['host']}.{space}.svc.cluster.local", "weight": to["weight"]}
        for to in route["route"]
        if to["weight"]
    ]
    config = f"/apis/networking.istio.io/v1/namespaces/{space}/virtual-service/{name}"
    return {
        "name": route["name"],
        "metadata": {"filter_metadata": {"istio": {"config": config}}},
        "route": {"weighted_clusters": {"clusters": clusters}},
    }


def place(path: str) -> tuple[str, str, str, str]:
    """Group and version, namespace, plural and name of a path."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    group, rest = (parts[1], parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return group, namespace, rest[0] if rest else "", rest[1] if len(rest) > 1 else ""


def selected(item: Mapping[str, Any], labels: str) -> bool:
    """Whether a selector of equalities takes an object."""
    there = item["metadata"].get("labels") or {}
    pairs = [part.partition("=") for part in labels.split(",") if part]
    return all(there.get(key) == value.lstrip("=") for key, _sign, value in pairs)


def discovery(path: str) -> dict[str, Any] | None:
    """What clients ask before they know what there is."""
    groups = [group for group in RESOURCES if group != "v1"]
    if path == "/version":
        return {"major": "1", "minor": "31", "gitVersion": "v1.31.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        found = [{"groupVersion": group, "version": group.rpartition("/")[2]} for group in groups]
        named = [
            {"name": g.partition("/")[0], "versions": [v], "preferredVersion": v}
            for g, v in zip(groups, found, strict=True)
        ]
        return {"kind": "APIGroupList", "groups": named}
    for group, kinds in RESOURCES.items():
        if path.rstrip("/") == f"/{'api' if group == 'v1' else 'apis'}/{group}":
            verbs = ["get", "list", "create", "patch", "delete"]
            listed = [
                {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
                for plural, kind in kinds.items()
            ]
            return {"kind": "APIResourceList", "groupVersion": group, "resources": listed}
    return None


def patched(body: Mapping[str, Any], ops: list[Mapping[str, Any]]) -> dict[str, Any]:
    """After a JSON Patch, which is applied as a whole or refused with 422."""
    made = copy.deepcopy(dict(body))
    for op in ops:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
        spot: Any = made
        for part in way:
            spot = spot[int(part)] if isinstance(spot, list) else spot.get(part)
            if spot is None:
                raise Refused(422, "the server rejected our request due to an error in our request")
        step: Any = int(last) if isinstance(spot, list) else last
        there = spot[step] if isinstance(spot, list) else spot.get(step)
        if op["op"] == "test" and there != op["value"]:
            raise Refused(422, "the server rejected our request due to an error in our request")
        if op["op"] in ("add", "replace"):
            spot[step] = copy.deepcopy(op["value"])
        if op["op"] == "remove":
            del spot[step]
    return made


def serve(api: KubeApi) -> ThreadingHTTPServer:
    """Start it on a port of its own; ``shutdown`` and ``server_close`` end it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def any_method(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            asked = parse_qs(url.query)
            labels = asked.get("labelSelector", [""])[0]
            try:
                sent = json.loads(body) if body else None
                status, told = 200, api.answer(self.command, url.path, sent, "dryRun" in asked, labels)
            except Refused as error:
                status = error.status
                told = {"kind": "Status", "code": status, "message": error.reason}
            data = json.dumps(told).encode()
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + api.ahead, usegmt=True))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = any_method

        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.port = int(server.server_address[1])
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
