# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as files: read, filled in, completed with ConfigMaps and Secrets. Nothing here talks to a cluster."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from ..errors import LabError
from ..kube import Document, Workload

CONFIG_HASH = "tars-lab/config"
"""Annotation of a pod template that changes with the ConfigMaps and Secrets that the pods read."""

# Only capitals in braces: the manifests and scripts are full of other dollar signs that belong to somebody else.
_PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_POD_KINDS = ("Deployment", "StatefulSet", "DaemonSet")


def read(path: Path, values: Mapping[str, str]) -> list[Document]:
    """Return the items of a manifest file (one `List`), ${NAME} replaced; LabError names the file and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(f"Could not read the manifest {path}: {error.strerror}.") from error
    unknown = sorted(set(_PLACEHOLDER.findall(text)) - set(values))
    if unknown:
        raise LabError(f"The manifest {path} asks for {', '.join(unknown)}, which the lab does not know.")
    try:
        items: list[Document] = yaml.safe_load(_PLACEHOLDER.sub(lambda found: values[found[1]], text))["items"]
    except yaml.YAMLError as error:
        raise LabError(f"The manifest {path} is not YAML: {error}") from error
    return items


def config_map(namespace: str, name: str, paths: Iterable[Path]) -> Document:
    """Return a ConfigMap with one key for each file, called after it."""
    data = {path.name: path.read_text(encoding="utf-8") for path in sorted(paths)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def secret(namespace: str, name: str, values: Mapping[str, str]) -> Document:
    """Return a Secret with these texts."""
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "stringData": dict(values)}


def stamp(documents: Iterable[Document]) -> list[Document]:
    """Return the documents with CONFIG_HASH on each pod template, so that changed configuration rolls the pods.

    Only ConfigMaps and Secrets among the same documents count.
    """
    known = list(documents)
    sources = {
        (doc["kind"], doc["metadata"].get("namespace"), doc["metadata"]["name"]): doc.get("data")
        or doc.get("stringData")
        for doc in known
        if doc["kind"] in ("ConfigMap", "Secret")
    }
    for document in known:
        if document["kind"] not in _POD_KINDS:
            continue
        template = document["spec"]["template"]
        namespace = document["metadata"].get("namespace")
        used = {
            f"{kind}/{name}": sources[kind, namespace, name]
            for kind, name in _references(template["spec"])
            if (kind, namespace, name) in sources
        }
        if used:
            digest = hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()[:16]
            template["metadata"].setdefault("annotations", {})[CONFIG_HASH] = digest
    return known


def workloads(documents: Iterable[Document]) -> list[Workload]:
    """Return what there is to wait for among the documents."""
    return [
        Workload(doc["kind"], doc["metadata"]["namespace"], doc["metadata"]["name"])
        for doc in documents
        if doc["kind"] in ("Deployment", "StatefulSet")
    ]


def _references(pod: Document) -> set[tuple[str, str]]:
    """The ConfigMaps and Secrets that a pod mounts or takes variables from, as (kind, name)."""
    found = set()
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            found.add(("ConfigMap", volume["configMap"]["name"]))
        if "secret" in volume:
            found.add(("Secret", volume["secret"]["secretName"]))
    for container in pod["containers"]:
        for entry in container.get("env", []):
            source = entry.get("valueFrom", {})
            if "secretKeyRef" in source:
                found.add(("Secret", source["secretKeyRef"]["name"]))
            if "configMapKeyRef" in source:
                found.add(("ConfigMap", source["configMapKeyRef"]["name"]))
    return found
