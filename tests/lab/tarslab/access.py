# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in a region: the account of the rollout, its roles with exact verbs, and its kubeconfig."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import CoreV1Api
from kubernetes.client.exceptions import ApiException

from . import files
from .errors import LabError
from .kube import Document, Kube

ACCOUNT = "tars-rollout"
MESH = "istio-system"
TOKEN_SECONDS = 365 * 24 * 3600
"""Life that a token is asked for; the API server may give less."""

RENEW_SECONDS = 7 * 24 * 3600
"""A token with less life than this left is replaced by `lab up`."""

READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete")

# No Secret anywhere: Helm keeps its releases in ConfigMaps here (HELM_DRIVER=configmap), so the account needs none.
REGION_RULES: tuple[tuple[str, tuple[str, ...], Sequence[str]], ...] = (
    ("", ("services", "configmaps", "serviceaccounts"), WRITE),
    # patch: an image in place while the mesh's control plane is down. delete: what such a patch leaves behind.
    ("", ("pods",), (*READ, "patch", "delete")),
    # services/proxy: smoke requests to a canary that no route by header leads to.
    ("", ("pods/log", "pods/proxy", "services/proxy"), ("get",)),
    ("", ("events",), (*READ, "create", "patch")),
    ("", ("endpoints", "resourcequotas", "limitranges", "persistentvolumeclaims"), READ),
    ("apps", ("deployments",), WRITE),
    ("apps", ("deployments/scale",), ("get", "update", "patch")),
    ("apps", ("replicasets", "statefulsets", "daemonsets"), READ),
    ("batch", ("jobs",), READ),
    ("autoscaling", ("horizontalpodautoscalers",), WRITE),
    ("policy", ("poddisruptionbudgets",), WRITE),
    ("coordination.k8s.io", ("leases",), WRITE),
    ("discovery.k8s.io", ("endpointslices",), READ),
    ("networking.k8s.io", ("networkpolicies",), WRITE),
    ("networking.istio.io", ("virtualservices", "destinationrules"), WRITE),
    ("security.istio.io", ("peerauthentications", "authorizationpolicies"), READ),
    ("gateway.networking.k8s.io", ("httproutes", "grpcroutes"), WRITE),
)
MESH_RULES: tuple[tuple[str, tuple[str, ...], Sequence[str]], ...] = (
    # The gateways' own figures, through the API server: has the new route arrived?
    ("", ("pods",), READ),
    ("", ("pods/proxy",), ("get",)),
    ("", ("services",), ("get", "list")),
    ("apps", ("deployments",), READ),
    ("networking.istio.io", ("gateways",), ("get", "list")),
    ("gateway.networking.k8s.io", ("gateways",), ("get", "list")),
)
CLUSTER_RULES: tuple[tuple[str, tuple[str, ...], Sequence[str]], ...] = (
    # Does the second track fit? What is allocatable is said by nodes only.
    ("", ("nodes", "namespaces"), ("get", "list")),
)


def documents(namespaces: Sequence[str]) -> list[Document]:
    """Return the namespaces of the regions with the account and the roles of each."""
    shared = [
        _role("Role", ACCOUNT, MESH, MESH_RULES),
        _role("ClusterRole", ACCOUNT, None, CLUSTER_RULES),
    ]
    return shared + [document for namespace in namespaces for document in _of_region(namespace)]


def _of_region(namespace: str) -> list[Document]:
    return [
        _object("v1", "Namespace", namespace, None, labels={"app.kubernetes.io/part-of": "tars"}),
        _object("v1", "ServiceAccount", ACCOUNT, namespace),
        _role("Role", ACCOUNT, namespace, REGION_RULES),
        _binding("RoleBinding", ACCOUNT, namespace, "Role", namespace),
        _binding("RoleBinding", f"{ACCOUNT}-{namespace}", MESH, "Role", namespace),
        _binding("ClusterRoleBinding", f"{ACCOUNT}-{namespace}", None, "ClusterRole", namespace),
    ]


def ensure_kubeconfig(kube: Kube, admin: Path, namespace: str, out: Path) -> bool:
    """Write the account's kubeconfig (mode 0600) unless the present one is good for a while; return whether it did."""
    account = kube.get("v1", "ServiceAccount", ACCOUNT, namespace)
    if account is None:
        raise LabError(f"The account {namespace}/{ACCOUNT} is gone: `lab up` makes it again.")
    cluster = yaml.safe_load(admin.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    if _usable(out, cluster, account["metadata"]["uid"], time.time()):
        return False
    files.write_atomic(out, kubeconfig(cluster, namespace, _token(kube, namespace)), mode=0o600)
    return True


def _token(kube: Kube, namespace: str) -> str:
    asked = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
    try:
        answer = CoreV1Api(kube.api).create_namespaced_service_account_token(ACCOUNT, namespace, asked)
    except ApiException as error:
        raise LabError(
            f"The API server {kube.server} gave no token for {namespace}/{ACCOUNT}: HTTP {error.status} {error.reason}."
        ) from error
    return str(answer.status.token)


def kubeconfig(cluster: dict[str, Any], namespace: str, token: str) -> str:
    """Return a kubeconfig with one context, for one account in one namespace."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": namespace, "context": {"cluster": "lab", "user": ACCOUNT, "namespace": namespace}}],
        "current-context": namespace,
    }
    return str(yaml.safe_dump(content, sort_keys=False))


def _usable(path: Path, cluster: dict[str, Any], uid: str, now: float) -> bool:
    """Whether a kubeconfig is for this very cluster and account, with a token that lives on for RENEW_SECONDS."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        claims = claims_of(content["users"][0]["user"]["token"])
        owner = claims["kubernetes.io"]["serviceaccount"]["uid"]
        lasts = float(claims["exp"]) - now > RENEW_SECONDS
        return bool(content["clusters"][0]["cluster"] == cluster and owner == uid and lasts)
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError, ValueError):
        return False  # absent or damaged: made anew


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says of itself. Raises ValueError for a text that is no token; nothing is verified."""
    middle = token.split(".")[1] if token.count(".") == 2 else ""
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("no claims in the token")
    return claims


def _object(api: str, kind: str, name: str, namespace: str | None, labels: dict[str, str] | None = None) -> Document:
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def _role(
    kind: str, name: str, namespace: str | None, rules: Sequence[tuple[str, tuple[str, ...], Sequence[str]]]
) -> Document:
    listed = [{"apiGroups": [group], "resources": list(names), "verbs": list(verbs)} for group, names, verbs in rules]
    return {**_object("rbac.authorization.k8s.io/v1", kind, name, namespace), "rules": listed}


def _binding(kind: str, name: str, namespace: str | None, role: str, account_namespace: str) -> Document:
    return {
        **_object("rbac.authorization.k8s.io/v1", kind, name, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": account_namespace}],
    }
