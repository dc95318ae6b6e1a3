# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a region as its API server has them: a service with its Service, budget, autoscaler and routes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import World

SPACE = "tars-us-west-2"
KEY = "app.kubernetes.io/name"
INSTANCE = {"app.kubernetes.io/instance": "tars"}


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": SPACE, "uid": f"uid-{name}", "resourceVersion": "5", **more}


def labels(name: str) -> dict[str, str]:
    return {KEY: name, **INSTANCE}


def deployment(name: str = "api", replicas: int = 3, **pod: Any) -> dict[str, Any]:
    """Whole and ready, under the marks of Helm, with a second container."""
    containers = [
        {
            "name": name,
            "image": "registry.example:5000/tars/app:1.0.0",
            "env": [{"name": "MODE", "value": "plain"}],
            "envFrom": [{"configMapRef": {"name": "tars-config"}}],
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        },
        {"name": "sidecar", "image": "proxy:3.1", "resources": {"requests": {"cpu": "50m"}}},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(
            name,
            generation=2,
            labels={**labels(name), "app.kubernetes.io/managed-by": "Helm"},
            annotations={"meta.helm.sh/release-name": "tars", "deployment.kubernetes.io/revision": "4"},
        ),
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 120,
            "revisionHistoryLimit": 5,
            "selector": {"matchLabels": labels(name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"creationTimestamp": None, "labels": labels(name), "annotations": {"checksum": "abc"}},
                "spec": {"containers": containers, "restartPolicy": "Always", **pod},
            },
        },
        "status": {
            "observedGeneration": 2,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        },
    }


def service(name: str, selector: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": meta(name, labels=labels(name)), "spec": {"selector": dict(selector or labels(name))}}


def budget(name: str, selector: Mapping[str, Any] | None = None) -> dict[str, Any]:
    wanted = selector if selector is not None else {"matchLabels": labels(name)}
    return {"kind": "PodDisruptionBudget", "metadata": meta(name), "spec": {"maxUnavailable": 1, "selector": wanted}}


def autoscaler(name: str, minimum: int = 2, maximum: int = 6, **more: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta(name, **more),
        "spec": {"scaleTargetRef": target, "minReplicas": minimum, "maxReplicas": maximum},
    }


def route(name: str, canary_weight: int, **more: Any) -> dict[str, Any]:
    """A VirtualService with a route by header and one that is split."""

    def to(host: str, weight: int | None = None) -> dict[str, Any]:
        entry: dict[str, Any] = {"destination": {"host": f"{host}.{SPACE}.svc.cluster.local"}}
        return entry if weight is None else {**entry, "weight": weight}

    http = [
        {
            "name": "canary-header",
            "match": [{"headers": {"x-canary": {"exact": "true"}}}],
            "route": [to(f"{name}-canary")],
        },
        {"name": "primary", "route": [to(name, 100 - canary_weight), to(f"{name}-canary", canary_weight)]},
    ]
    return {"metadata": meta(name, **more), "spec": {"hosts": [f"{name}.example.net"], "http": http}}


def world(**objects: Any) -> World:
    """A region with one service ``api``, and whatever is given instead or besides."""
    usual: dict[str, Any] = {
        "deployments": [deployment()],
        "services": [service("api"), service("api-canary", labels("api-canary"))],
        "budgets": [budget("api")],
        "autoscalers": [autoscaler("api")],
        "virtual_services": [route("api", 0)],
    }
    unread = objects.pop("unread", ())
    return World(SPACE, copy.deepcopy({**usual, **objects}), unread)


def pod(name: str, node: str = "", cpu: str = "100m", **status: Any) -> dict[str, Any]:
    container = {"name": "api", "image": "a:1", "resources": {"requests": {"cpu": cpu}}}
    spec = {"containers": [container], **({"nodeName": node} if node else {})}
    return {
        "metadata": {"name": name, "labels": labels("api-canary")},
        "spec": spec,
        "status": {"phase": "Running", **status},
    }


def node(name: str, cpu: str = "2", memory: str = "4Gi", **spec: Any) -> dict[str, Any]:
    room = {"cpu": cpu, "memory": memory, "pods": "110"}
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": room}}
