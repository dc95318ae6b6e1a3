# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's own namespace in the lab: services of T.A.R.S. with routes, and the modules that act on them.

Nothing of the lab's regions is touched. A release is a ConfigMap that the program reads, so no image has to be made;
the canary gets that of the new release by the option ``config_maps`` of canary_track, and its faults by ``env``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.fuse import RouteFuse
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import passing
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from lab_tools import call
from traffic_load import PLAYED

NAME = "app.kubernetes.io/name"
NAMESPACES = Kind("v1", "namespaces", namespaced=False)
DEPLOYMENTS = Kind("apps/v1", "deployments")
MAPS = Kind("v1", "configmaps")
SERVICES = Kind("v1", "services")
ROUTES = Kind("networking.istio.io/v1", "virtualservices")
DRAIN = "2"


@dataclass
class Place:
    """One namespace. ``apps`` are Deployments; ``routes`` are the routed names, each over one of the apps."""

    client: _kube.Client
    kubeconfig: str
    gateway: str
    namespace: str
    image: str
    apps: Sequence[str]
    routes: Mapping[str, str]
    folder: Path
    replicas: int = 2
    retries: int = 2

    def __enter__(self) -> Place:
        self.client.create(NAMESPACES, "", {"metadata": {"name": self.namespace}})
        try:
            for release in ("1", "bad"):
                self.release(release)
            for kind, body in self._documents():
                self.client.create(kind, self.namespace, body)
            wait(lambda: all(self.whole(app) for app in self.apps), 240, "the services to be ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        # Also when the API server is what made the bench fail: nothing may stay behind.
        for tries in range(1, 6):
            try:
                self.client.delete(NAMESPACES, "", self.namespace)
                return
            except RolloutError as error:
                if tries == 5 or not passing(error):
                    raise
            time.sleep(2 * tries)

    def release(self, name: str) -> None:
        """Make a release that pods may mount."""
        data = {"release.json": json.dumps({"version": name})}
        self.client.create(MAPS, self.namespace, {"metadata": {"name": f"release-{name}"}, "data": data})

    def whole(self, app: str) -> bool:
        """Whether every pod of a Deployment is the newest and takes requests."""
        found = self.client.get(DEPLOYMENTS, self.namespace, app)
        status, wanted = found.get("status") or {}, found["spec"]["replicas"]
        counts = {status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")}
        return status.get("observedGeneration", 0) >= found["metadata"]["generation"] and counts == {wanted}

    def track(self, old: str, new: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Put the canary of release ``new`` beside stable, which is ``old``, and wait for it."""
        services = [
            {
                "name": app,
                "image": self.image,
                "config_maps": {f"release-{old}": f"release-{new}"},
                "env": dict(env or {}),
            }
            for app in self.apps
        ]
        return self._call("canary_track", services=services, release=new, namespace=self.namespace, interval=0.5)

    def untrack(self) -> dict[str, Any]:
        services = [{"name": app} for app in self.apps]
        return self._call("canary_track", services=services, state="absent", namespace=self.namespace, interval=0.5)

    def weigh(self, weight: int, *, observe: bool = True) -> dict[str, Any]:
        found = {"observe": {"timeout": 20}} if observe else {}
        return self._call("canary_weight", services=self.targets(), weight=weight, lift_cut=True, release="x", **found)

    def cut(self, release: str) -> dict[str, Any]:
        return self._call("canary_weight", services=self.targets(), cut={"reason": "bench"}, release=release)

    def fuse(self, release: str) -> RouteFuse:
        """What a gate has ready while it judges: it has looked at the routes, so its connections are open."""
        fuse = RouteFuse(Kubernetes(self.client), SystemClock(Stop()), self.targets(), release)
        fuse.check()
        return fuse

    def targets(self) -> list[dict[str, Any]]:
        """The option ``services`` of canary_weight."""
        return [
            {
                "name": route, "provider": "istio", "object": {"namespace": self.namespace}, "route": "primary",
                "stable": app, "canary": f"{app}-canary",
            }
            for route, app in self.routes.items()
        ]  # fmt: skip

    def roll_stable(self, new: str) -> None:
        """Make stable the new release, as a chart would: the pods are replaced one after the other."""
        path = "/spec/template/spec/volumes/0/configMap/name"
        for app in self.apps:
            ops = [{"op": "replace", "path": path, "value": f"release-{new}"}]
            self.client.json_patch(DEPLOYMENTS, self.namespace, app, ops)
        wait(lambda: all(self.whole(app) for app in self.apps), 240, "stable to be replaced")

    def use_retries(self, attempts: int) -> None:
        for route in self.routes:
            ops = [{"op": "replace", "path": "/spec/http/0/retries/attempts", "value": attempts}]
            self.client.json_patch(ROUTES, self.namespace, route, ops)

    def host(self, route: str) -> str:
        """As the lab's load generator names hosts, with the namespace as the region."""
        return f"{route}.{self.namespace}.tars.localhost"

    def _call(self, module: str, **params: Any) -> dict[str, Any]:
        done = call(module, {"kubeconfig": self.kubeconfig, **params}, self.folder)
        if "reason" in done:
            raise RuntimeError(f"{module}: {done['msg']}")
        return done

    def _documents(self) -> Iterator[tuple[Kind, dict[str, Any]]]:
        for app in self.apps:
            yield DEPLOYMENTS, self._deployment(app)
            for track in (app, f"{app}-canary"):
                ports = [{"name": "http", "port": 80, "targetPort": 8080}]
                yield SERVICES, {"metadata": {"name": track}, "spec": {"selector": {NAME: track}, "ports": ports}}
        for route, app in self.routes.items():
            yield ROUTES, self._route(route, app)

    def _deployment(self, app: str) -> dict[str, Any]:
        container = {
            "name": "app",
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": 8080}],
            "env": [
                {"name": "TARS_SERVICE", "value": PLAYED},
                {"name": "TARS_RELEASE_FILE", "value": "/release/release.json"},
                {"name": "TARS_DRAIN_SECONDS", "value": DRAIN},
            ],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "1m", "memory": "32Mi"}},
            "volumeMounts": [{"name": "release", "mountPath": "/release"}],
        }
        spec = {
            "containers": [container],
            "terminationGracePeriodSeconds": 30,
            "volumes": [{"name": "release", "configMap": {"name": "release-1"}}],
        }
        return {
            "metadata": {"name": app},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {NAME: app}},
                "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "template": {"metadata": {"labels": {NAME: app}}, "spec": spec},
            },
        }

    def _route(self, route: str, app: str) -> dict[str, Any]:
        arms = [
            {"destination": {"host": track, "port": {"number": 80}}, "weight": weight}
            for track, weight in ((app, 100), (f"{app}-canary", 0))
        ]
        http = [{"name": "primary", "retries": {"attempts": self.retries}, "route": arms}]
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": route},
            "spec": {"hosts": [self.host(route)], "gateways": ["istio-system/tars"], "http": http},
        }


def place(name: str, apps: Sequence[str], routes: Mapping[str, str], folder: Path, **more: Any) -> Place:
    """A place on the lab that the environment names (``tests/lab/lab env``), not made yet."""
    kubeconfig = os.environ["KUBECONFIG"]
    client = _kube.from_kubeconfig(kubeconfig, "", Scrubber())
    region = f"tars-{os.environ['LAB_REGIONS'].split(',')[0].replace('_', '-')}"
    live = client.get(DEPLOYMENTS, region, "api")
    image = live["spec"]["template"]["spec"]["containers"][0]["image"]
    return Place(client, kubeconfig, os.environ["LAB_GATEWAY_URL"], name, image, apps, routes, folder, **more)


def wait(come_true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if come_true():
                return
        except RolloutError as error:
            if not passing(error):
                raise
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds:g} s for {what}")
        time.sleep(0.5)
