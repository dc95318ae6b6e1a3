# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The canary's own Deployment, PodDisruptionBudget and autoscaler, made from what is live. Pure.

Of the live object's metadata nothing is taken along: neither owner nor the marks of Helm, Argo CD or kubectl.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import selectors
from ansible_collections.tars.rollout.plugins.module_utils._tracks.image import container_of, image_of, wanted_image
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    MANAGED_BY,
    RELEASE,
    TRACK_MARK,
    Document,
    Service,
    Track,
    name_of,
)

# What a Deployment's spec has beside selector, template and replicas that the canary shall have as well.
_SPEC = ("strategy", "minReadySeconds", "progressDeadlineSeconds")
# Where a pod names the labels of its own kind: spread over nodes is meant among the pods of one track.
_SPREAD = "topologySpreadConstraints"


def copies(replicas: int, weight: int) -> int:
    """Pods that a canary needs for its percent of the traffic: ceil(weight x replicas), and never none."""
    return max(1, math.ceil(weight * replicas / 100))


def metadata(name: str, namespace: str, track: Mapping[str, str], release: str) -> dict[str, Any]:
    """Metadata of an object of the canary, all our own."""
    return {
        "name": name,
        "namespace": namespace,
        "labels": {**track, **MANAGED_BY, **TRACK_MARK},
        "annotations": {RELEASE: release},
    }


def deployment(live: Document, service: Service, track: Track, release: str, replicas: int) -> dict[str, Any]:
    """The canary of a live Deployment: another value of the track's label, the release's image, nothing else."""
    spec, template = live["spec"], live["spec"]["template"]
    notes = (template.get("metadata") or {}).get("annotations")
    labels = {**((template.get("metadata") or {}).get("labels") or {}), **track.labels}
    selector = dict(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **track.labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(service.canary, live["metadata"]["namespace"], track.labels, release),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            **{key: spec[key] for key in _SPEC if key in spec},
            "selector": selector,
            "template": {
                "metadata": {"labels": labels, **({"annotations": dict(notes)} if notes else {})},
                "spec": pod(live, service, track),
            },
        },
    }


def pod(live: Document, service: Service, track: Track) -> dict[str, Any]:
    """The spec of the canary's pods."""
    spec = dict(live["spec"]["template"]["spec"])
    name = container_of(live, service)
    image = wanted_image(image_of(live, name), service)
    spec["containers"] = [
        _with_env({**item, "image": image}, service.env) if item["name"] == name else item
        for item in spec["containers"]
    ]
    spec = _apart(spec, track)
    return renamed(spec, service) if service.config_maps or service.secrets else spec


def budget(live: Document, service: Service, track: Track, release: str) -> dict[str, Any]:
    """A PodDisruptionBudget for the canary alone: one pod at a time may be evicted."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(service.canary, live["metadata"]["namespace"], track.labels, release),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {**(live["spec"]["selector"].get("matchLabels") or {}), **track.labels}},
        },
    }


def autoscaler(live: Document, service: Service, track: Track, release: str, replicas: int) -> dict[str, Any]:
    """The autoscaler of stable for the canary, which keeps at least the replicas that it was given."""
    spec = dict(live["spec"])
    spec["scaleTargetRef"] = {**spec["scaleTargetRef"], "name": service.canary}
    spec["minReplicas"] = replicas
    spec["maxReplicas"] = max(int(spec.get("maxReplicas", replicas)), replicas)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(service.canary, live["metadata"]["namespace"], track.labels, release),
        "spec": spec,
    }


def autoscaler_of(scalers: Sequence[Document], deployment_name: str) -> Document | None:
    """The autoscaler whose target is that Deployment."""
    for item in scalers:
        target = (item.get("spec") or {}).get("scaleTargetRef") or {}
        if target.get("kind") == "Deployment" and target.get("name") == deployment_name:
            return item
    return None


def minimum(scaler: Document) -> int:
    """What it keeps at least; the standard's default is 1."""
    return int(scaler["spec"].get("minReplicas") or 1)


def container_images(deployment: Document) -> Mapping[str, str]:
    """Image of every container of the pods, those that run before the others among them."""
    spec = deployment["spec"]["template"]["spec"]
    return {
        str(item["name"]): str(item["image"])
        for key in ("initContainers", "containers")
        for item in spec.get(key) or []
    }


def canary_of(world_deployments: Sequence[Document], service: Service) -> Document | None:
    """The Deployment that has the name of the service's canary, whoever made it."""
    return next((item for item in world_deployments if name_of(item) == service.canary), None)


def mounted(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and name of every ConfigMap and Secret that a pod names."""
    found = []
    for item in spec.get("volumes") or []:
        parts = [item, *((item.get("projected") or {}).get("sources") or [])]
        for part in parts:
            found.append(("ConfigMap", (part.get("configMap") or {}).get("name")))
            found.append(
                ("Secret", (part.get("secret") or {}).get("secretName") or (part.get("secret") or {}).get("name"))
            )
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        sources = [
            *(container.get("envFrom") or []),
            *(item.get("valueFrom") or {} for item in container.get("env") or []),
        ]
        for source in sources:
            for kind, keys in (
                ("ConfigMap", ("configMapRef", "configMapKeyRef")),
                ("Secret", ("secretRef", "secretKeyRef")),
            ):
                found += [(kind, source[key].get("name")) for key in keys if source.get(key)]
    return [(kind, str(name)) for kind, name in found if name]


def _with_env(container: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The container with these variables, in the place of those of the same name. A flag flips with the release so."""
    if not env:
        return container
    kept = [item for item in container.get("env") or [] if item["name"] not in env]
    return {**container, "env": [*kept, *({"name": name, "value": value} for name, value in env.items())]}


def _apart(spec: dict[str, Any], track: Track) -> dict[str, Any]:
    """Rules by which pods keep away from their like mean the canary's pods in the canary."""
    values = {track.stable: track.canary}
    if constraints := spec.get(_SPREAD):
        spec[_SPREAD] = [_term(item, track.key, values) for item in constraints]
    affinity = dict(spec.get("affinity") or {})
    for kind in ("podAffinity", "podAntiAffinity"):
        if rules := affinity.get(kind):
            affinity[kind] = {
                name: [_weighted(item, track.key, values) for item in terms] for name, terms in rules.items()
            }
    return {**spec, "affinity": affinity} if affinity else spec


def _weighted(item: Mapping[str, Any], key: str, values: Mapping[str, str]) -> Mapping[str, Any]:
    if "podAffinityTerm" in item:
        return {**item, "podAffinityTerm": _term(item["podAffinityTerm"], key, values)}
    return _term(item, key, values)


def _term(item: Mapping[str, Any], key: str, values: Mapping[str, str]) -> Mapping[str, Any]:
    selector = item.get("labelSelector")
    return {**item, "labelSelector": selectors.moved(selector, key, values)} if selector else item


def renamed(spec: dict[str, Any], service: Service) -> dict[str, Any]:
    """The spec with other ConfigMaps and Secrets wherever a pod may name one."""
    maps, secrets = service.config_maps, service.secrets
    spec = dict(spec)
    if volumes := spec.get("volumes"):
        spec["volumes"] = [_volume(item, maps, secrets) for item in volumes]
    for key in ("initContainers", "containers"):
        if spec.get(key):
            spec[key] = [_sources(item, maps, secrets) for item in spec[key]]
    return spec


def _volume(item: Mapping[str, Any], maps: Mapping[str, str], secrets: Mapping[str, str]) -> Mapping[str, Any]:
    if "configMap" in item:
        return {**item, "configMap": _name(item["configMap"], "name", maps)}
    if "secret" in item:
        return {**item, "secret": _name(item["secret"], "secretName", secrets)}
    if "projected" in item:
        sources = [
            {
                key: _name(value, "name", {"configMap": maps, "secret": secrets}.get(key, {}))
                for key, value in part.items()
            }
            for part in item["projected"].get("sources") or []
        ]
        return {**item, "projected": {**item["projected"], "sources": sources}}
    return item


def _sources(item: Mapping[str, Any], maps: Mapping[str, str], secrets: Mapping[str, str]) -> Mapping[str, Any]:
    result = dict(item)
    names = {"configMapRef": maps, "secretRef": secrets, "configMapKeyRef": maps, "secretKeyRef": secrets}
    if item.get("envFrom"):
        result["envFrom"] = [_refs(entry, names) for entry in item["envFrom"]]
    if item.get("env"):
        result["env"] = [
            {**entry, "valueFrom": _refs(entry["valueFrom"], names)} if entry.get("valueFrom") else entry
            for entry in item["env"]
        ]
    return result


def _refs(entry: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {key: _name(value, "name", names[key]) if key in names else value for key, value in entry.items()}


def _name(part: Mapping[str, Any], key: str, names: Mapping[str, str]) -> Mapping[str, Any]:
    return {**part, key: names[part[key]]} if part.get(key) in names else part
