# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the demo: two Deployments, and per service a Service for each and a VirtualService over both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind

HTTP_ROUTES = Kind("gateway.networking.k8s.io/v1", "httproutes")
GRPC_ROUTES = Kind("gateway.networking.k8s.io/v1", "grpcroutes")
SERVICES = tuple(f"s{number}" for number in range(10))

# Says which track it is; the lab's image brings Python and aiohttp along.
PROGRAM = """
import os
from aiohttp import web
async def answer(request):
    return web.Response(text="ok", headers={"x-version": os.environ["TRACK"]})
async def talk(request):
    socket = web.WebSocketResponse()
    socket.headers["x-version"] = os.environ["TRACK"]
    await socket.prepare(request)
    async for message in socket:
        pass
    ended.append(socket.close_code)
    return socket
async def codes(request):
    return web.json_response(ended)
ended = []
app = web.Application()
app.router.add_get("/ws", talk)
app.router.add_get("/ended", codes)
app.router.add_get("/{path:.*}", answer)
web.run_app(app, port=8080, access_log=None, print=None)
"""


def documents(image: str, host: Callable[[str], str]) -> Iterator[tuple[Kind, dict[str, Any]]]:
    for track in ("stable", "canary"):
        yield Kind("apps/v1", "deployments"), _deployment(track, image)
    for service in SERVICES:
        yield Kind("v1", "services"), _service(service, "stable")
        yield Kind("v1", "services"), _service(f"{service}-canary", "canary")
        yield Kind("networking.istio.io/v1", "virtualservices"), _virtual_service(service, host(service))


def _deployment(track: str, image: str) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", PROGRAM],
        "env": [{"name": "TRACK", "value": track}],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": track},
        "spec": {
            "selector": {"matchLabels": {"track": track}},
            "template": {
                "metadata": {"labels": {"track": track, "app": "demo"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }


def _service(name: str, track: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"track": track}, "ports": ports},
    }


def _virtual_service(name: str, host: str) -> dict[str, Any]:
    def to(service: str) -> dict[str, Any]:
        return {"host": service, "port": {"number": 80}}

    header = {
        "name": "canary-header",
        "match": [{"headers": {"x-canary": {"exact": "true"}}}],
        "route": [{"destination": to(f"{name}-canary")}],
    }
    primary = {
        "name": "primary",
        "retries": {"attempts": 0},
        "route": [
            {"destination": to(name), "weight": 100},
            {"destination": to(f"{name}-canary"), "weight": 0},
        ],
    }
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name},
        "spec": {"hosts": [host], "gateways": ["istio-system/tars"], "http": [header, primary]},
    }


def http_route(name: str, host: str) -> dict[str, Any]:
    """100/0 between the two Services, on the lab's gateway of the Gateway API."""
    refs = [{"name": name, "port": 80, "weight": 100}, {"name": f"{name}-canary", "port": 80, "weight": 0}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "tars-gwapi", "namespace": "istio-system"}],
            "hostnames": [host],
            "rules": [{"name": "primary", "backendRefs": refs}],
        },
    }


def grpc_route(name: str, host: str) -> dict[str, Any]:
    """The same as a GRPCRoute, with weights that do not sum to 100 and a method that is another rule's."""
    refs = [{"name": name, "port": 80, "weight": 3}, {"name": f"{name}-canary", "port": 80, "weight": 0}]
    other = {"matches": [{"method": {"service": "tars.Health"}}], "backendRefs": [{"name": name, "port": 80}]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "tars-gwapi", "namespace": "istio-system"}],
            "hostnames": [host],
            "rules": [other, {"name": "primary", "backendRefs": refs}],
        },
    }


def by_subsets(name: str, host: str) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """One Service over both tracks and a VirtualService 100/0 between two subsets of it; no DestinationRule yet."""
    service = _service(name, "")
    service["spec"]["selector"] = {"app": "demo"}
    yield Kind("v1", "services"), service
    route = _virtual_service(name, host)
    arms = [
        {"destination": {"host": name, "subset": track, "port": {"number": 80}}, "weight": weight}
        for track, weight in (("stable", 100), ("canary", 0))
    ]
    route["spec"]["http"] = [{**route["spec"]["http"][1], "route": arms}]
    yield Kind("networking.istio.io/v1", "virtualservices"), route


def destination_rule(name: str) -> dict[str, Any]:
    subsets = [{"name": track, "labels": {"track": track}} for track in ("stable", "canary")]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": name},
        "spec": {"host": name, "subsets": subsets},
    }
