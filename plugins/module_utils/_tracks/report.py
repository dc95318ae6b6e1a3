# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What a call of canary_track tells of each service and object. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks import copying
from ansible_collections.tars.rollout.plugins.module_utils._tracks.making import Step
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, Service, annotations_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.readiness import Progress

NOT_YET = "not yet"


def entry(service: Service, steps: Sequence[Step], ready: Mapping[str, Progress], *, waited: bool) -> dict[str, Any]:
    """One service: its canary, what it runs, and how many of its pods are ready."""
    mine = [step for step in steps if step.body and step.name == service.canary]
    deployment = next((step for step in mine if step.key == "deployments"), None)
    found: dict[str, Any] = {
        "service": service.name,
        "canary": service.canary if service.copied else None,
        "changed": any(step.action != "unchanged" for step in mine),
    }
    if deployment is None or deployment.body is None:
        return {**found, "images": {}, "replicas": None, "ready": None}
    look = ready.get(service.canary)
    return {
        **found,
        "images": dict(copying.container_images(deployment.body)),
        "replicas": look.wanted if look else deployment.body["spec"]["replicas"],
        "ready": look.available if look and waited else NOT_YET,
    }


def difference(step: Step) -> dict[str, str]:
    """What Ansible shows with --diff: of a Deployment the fields that a person asks for, never a variable's value."""
    header = str(step)
    if step.body is None:
        before, after = _pinned(step)
    else:
        before, after = ("" if step.live is None else _text(_summary(step.live))), _text(_summary(step.body))
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def _pinned(step: Step) -> tuple[str, str]:
    before = (step.live or {}).get("spec", {}).get("minReplicas", 1)
    after = next((op["value"] for op in step.ops if op["path"] == "/spec/minReplicas"), before)
    return f"minReplicas: {before}\n", f"minReplicas: {after}\n"


def _summary(document: Document) -> dict[str, Any]:
    notes = {key: value for key, value in annotations_of(document).items() if key.startswith("ga.rollout/")}
    if document.get("kind") != "Deployment" and "template" not in document["spec"]:
        return {"annotations": notes, "spec": document["spec"]}
    spec = document["spec"]
    pod = spec["template"]["spec"]
    return {
        "annotations": notes,
        "replicas": spec.get("replicas"),
        "selector": spec.get("selector"),
        "strategy": spec.get("strategy"),
        "images": copying.container_images(document),
        "variables": {item["name"]: sorted(env["name"] for env in item.get("env") or []) for item in pod["containers"]},
        "mounts": sorted(" ".join(pair) for pair in set(copying.mounted(pod))),
    }


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, sort_keys=True) + "\n"
