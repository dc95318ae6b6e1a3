# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace as a chart makes it: Deployments without a track label, with autoscaler, budget, policy and route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from lab_tools import VIRTUAL_SERVICES

NAME = "app.kubernetes.io/name"
DEPLOYMENTS = Kind("apps/v1", "deployments")
PODS = Kind("v1", "pods")
SCALERS = Kind("autoscaling/v2", "horizontalpodautoscalers")
BUDGETS = Kind("policy/v1", "poddisruptionbudgets")
POLICIES = Kind("networking.k8s.io/v1", "networkpolicies")
QUOTAS = Kind("v1", "resourcequotas")
SERVICES = Kind("v1", "services")
CLAIMS = Kind("v1", "persistentvolumeclaims")

# Says whether it is the canary by a flag that only a canary has; ends at once where it is told to.
PROGRAM = """
import os, sys
from aiohttp import web
if os.environ.get("END"):
    sys.exit(3)
async def answer(request):
    return web.Response(text="ok", headers={"x-version": os.environ.get("FLAG", "stable")})
app = web.Application()
app.router.add_get("/{path:.*}", answer)
web.run_app(app, port=8080, access_log=None, print=None)
"""


def labels(name: str) -> dict[str, str]:
    return {NAME: name, "app.kubernetes.io/instance": "demo"}


def documents(image: str, hosts: dict[str, str]) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """Two services: ``one`` with two pods and all that a chart puts around it, ``two`` with one pod."""
    for name, replicas in (("one", 2), ("two", 1)):
        yield DEPLOYMENTS, deployment(name, image, replicas)
        for track in (name, f"{name}-canary"):
            yield SERVICES, service(track)
        yield VIRTUAL_SERVICES, route(name, hosts[name])
    yield SCALERS, autoscaler("one")
    yield BUDGETS, budget("one")
    yield POLICIES, policy("one")


def deployment(name: str, image: str, replicas: int) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", PROGRAM],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "1m", "memory": "32Mi"}},
    }
    return {
        "metadata": {"name": name, "labels": labels(name), "annotations": {"meta.helm.sh/release-name": "demo"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels(name)},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels(name)},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {"metadata": {"name": name}, "spec": {"selector": labels(name), "ports": ports}}


def route(name: str, host: str) -> dict[str, Any]:
    def to(track: str) -> dict[str, Any]:
        return {"destination": {"host": track, "port": {"number": 80}}}

    header = {
        "name": "canary-header",
        "match": [{"headers": {"x-canary": {"exact": "true"}}}],
        "route": [to(f"{name}-canary")],
    }
    primary = {"name": "primary", "route": [{**to(name), "weight": 100}, {**to(f"{name}-canary"), "weight": 0}]}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name},
        "spec": {"hosts": [host], "gateways": ["istio-system/tars"], "http": [header, primary]},
    }


def autoscaler(name: str) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    return {
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 4, "metrics": [metric]},
    }


def budget(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels(name)}}}


def policy(name: str) -> dict[str, Any]:
    spec = {"podSelector": {"matchLabels": labels(name)}, "policyTypes": ["Ingress"], "ingress": [{}]}
    return {"metadata": {"name": name}, "spec": spec}
