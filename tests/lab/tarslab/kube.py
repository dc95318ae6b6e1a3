# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects of the lab: apply, read, wait and delete, over the official client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError
from kubernetes.stream import stream
from websocket import WebSocketException

from .errors import LabError

Document = dict[str, Any]

FIELD_MANAGER = "tars-lab"
"""Owner of every field that the lab sets, as server-side apply records it."""

# What others refer to comes first; all the rest keeps the order in which it was given.
_FIRST = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "Secret", "ConfigMap")
_REQUEST_SECONDS = 30


class Workload(NamedTuple):
    """A Deployment or StatefulSet to wait for."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Kube:
    """One cluster, by one kubeconfig. Every fault is a LabError that names the object."""

    def __init__(self, kubeconfig: Path) -> None:
        settings = Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=settings, persist_config=False)
        self.api = ApiClient(settings)
        self.server: str = settings.host
        # The client's own cache lies in the temporary folder under the server's address, where a cluster that was
        # made anew on the same port would find the old one's kinds. Ours lasts as long as this object is young.
        cache = kubeconfig.parent / f".kinds-{kubeconfig.name}.json"
        cache.unlink(missing_ok=True)
        with self._plainly("read the kinds of the API"):
            self._dynamic = DynamicClient(self.api, cache_file=str(cache))

    def apply(self, documents: Iterable[Document]) -> None:
        """Write all documents by server-side apply, taking over fields that somebody else has set."""
        for document in sorted(documents, key=_rank):
            meta = document["metadata"]
            with self._plainly(f"apply {document['kind']} {meta.get('namespace', '-')}/{meta['name']}"):
                self._dynamic.server_side_apply(
                    self._resource(document["apiVersion"], document["kind"]),
                    body=document,
                    field_manager=FIELD_MANAGER,
                    force_conflicts=True,
                    _request_timeout=_REQUEST_SECONDS,
                )

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Document | None:
        """The object as the API server has it, or None where there is none (or no such kind yet)."""
        try:
            resource = self._resource(api_version, kind)
        except ResourceNotFoundError:
            return None
        with self._plainly(f"read {kind} {namespace or '-'}/{name}"):
            try:
                found = resource.get(name=name, namespace=namespace, _request_timeout=_REQUEST_SECONDS)
            except DynamicApiError as error:
                if error.status == 404:
                    return None
                raise
        return dict(found.to_dict())

    def list(self, api_version: str, kind: str, namespace: str | None = None, selector: str = "") -> Sequence[Document]:
        """All objects of a kind, in one namespace or in all, narrowed by a label selector."""
        with self._plainly(f"list {kind} in {namespace or 'all namespaces'}"):
            found = self._resource(api_version, kind).get(
                namespace=namespace, label_selector=selector or None, _request_timeout=_REQUEST_SECONDS
            )
        return [dict(item) for item in found.to_dict()["items"]]

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        """Ask for the object's end; False where it was not there. Dependants go in the background."""
        with self._plainly(f"delete {kind} {namespace or '-'}/{name}"):
            try:
                self._resource(api_version, kind).delete(
                    name=name,
                    namespace=namespace,
                    body={"propagationPolicy": "Background"},
                    _request_timeout=_REQUEST_SECONDS,
                )
            except ResourceNotFoundError:
                return False
            except DynamicApiError as error:
                if error.status == 404:
                    return False
                raise
        return True

    def try_run(self, namespace: str, pod: str, command: Sequence[str]) -> str | None:
        """What a command prints inside a pod's first container, or None where the pod or the command fails."""
        # The client's streams turn the API object they are given into one for WebSockets, so they get their own.
        core = CoreV1Api(ApiClient(self.api.configuration))
        try:
            channel = stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=list(command),
                stdout=True,
                stderr=True,
                _preload_content=False,
            )
            try:
                channel.run_forever(timeout=_REQUEST_SECONDS)
                return str(channel.read_stdout()) if channel.returncode == 0 else None
            finally:
                channel.close()
        except (ApiException, WebSocketException, OSError, ValueError):
            # ValueError: the client reads a sentence ("container not found") as the command's exit code.
            return None

    def wait_ready(self, workloads: Iterable[Workload], timeout: float) -> None:
        """Return when every workload runs its newest template with all replicas ready, within `timeout` seconds."""
        waiting, until = list(workloads), time.monotonic() + timeout
        while waiting := [workload for workload in waiting if not self.is_ready(workload)]:
            if time.monotonic() > until:
                reasons = "; ".join(f"{workload}: {self.why_not_ready(workload)}" for workload in waiting)
                raise LabError(f"Not ready after {timeout:.0f} s: {reasons}. See `kubectl describe pods`.")
            time.sleep(0.3)

    def wait_established(self, names: Iterable[str], timeout: float) -> None:
        """Return when the API server serves every named CustomResourceDefinition, within `timeout` seconds."""
        waiting, until = list(names), time.monotonic() + timeout
        while waiting := [name for name in waiting if not self._established(name)]:
            if time.monotonic() > until:
                raise LabError(
                    f"The API server does not serve {', '.join(waiting)} {timeout:.0f} s after they were made."
                )
            time.sleep(0.2)

    def is_ready(self, workload: Workload) -> bool:
        """Whether the workload runs its newest template with all replicas ready and none of an older one."""
        found = self.get("apps/v1", workload.kind, workload.name, workload.namespace)
        return found is not None and rolled_out(found)

    def why_not_ready(self, workload: Workload) -> str:
        """What its pods say, in a few words, for an error that a person reads."""
        found = self.get("apps/v1", workload.kind, workload.name, workload.namespace)
        if found is None:
            return "does not exist"
        labels = found["spec"]["selector"]["matchLabels"]
        pods = self.list("v1", "Pod", workload.namespace, ",".join(f"{key}={value}" for key, value in labels.items()))
        troubles = [f"{trouble}{self._last_words(pod)}" for pod in pods if (trouble := pod_trouble(pod))]
        return ", ".join(troubles) or "no pod yet"

    def _last_words(self, pod: Document) -> str:
        """The last line that a container wrote which does not stay up, for an error that a person reads."""
        meta = pod["metadata"]
        failing = [
            s["name"] for s in pod["status"].get("containerStatuses") or [] if s["restartCount"] and not s["ready"]
        ]
        if not failing:
            return ""
        try:
            log = CoreV1Api(self.api).read_namespaced_pod_log(
                meta["name"], meta["namespace"], container=failing[0], tail_lines=1, _request_timeout=_REQUEST_SECONDS
            )
        except (ApiException, urllib3.exceptions.HTTPError):
            return ""  # without a log the reason stands for itself
        return f", last line: {str(log).strip()[:300]}"

    def _established(self, name: str) -> bool:
        found = self.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name) or {}
        conditions = found.get("status", {}).get("conditions", [])
        return any(entry["type"] == "Established" and entry["status"] == "True" for entry in conditions)

    def _resource(self, api_version: str, kind: str) -> Any:
        return self._dynamic.resources.get(api_version=api_version, kind=kind)

    @contextmanager
    def _plainly(self, doing: str) -> Iterator[None]:
        """Turn the client's errors into one sentence."""
        try:
            yield
        except ResourceNotFoundError as error:
            raise LabError(
                f"Could not {doing} at {self.server}: the cluster does not know this kind ({error})."
            ) from error
        except (ApiException, DynamicApiError) as error:
            raise LabError(f"Could not {doing} at {self.server}: HTTP {error.status} {_message(error)}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise LabError(f"Could not {doing}: {self.server} does not answer ({error}). Is the lab up?") from error


def client(kubeconfig: Path) -> Kube:
    """The cluster that a kubeconfig names; LabError where it cannot be read or the server does not answer."""
    try:
        return Kube(kubeconfig)
    except config.ConfigException as error:
        raise LabError(f"The kubeconfig {kubeconfig} cannot be used: {error}") from error


def rolled_out(workload: Document) -> bool:
    """Whether a Deployment or StatefulSet, as the API server shows it, has come to rest with all replicas ready."""
    status, wanted = workload.get("status", {}), workload["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
    return all(count == wanted for count in counts)


def pod_trouble(pod: Document) -> str:
    """Why a pod is not ready ("api-0 CrashLoopBackOff (3 restarts)"), or an empty string when it is."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    for state in states:
        waiting = (state.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") != "PodInitializing":
            return f"{name} {waiting.get('reason')} ({state.get('restartCount', 0)} restarts)"
    conditions = status.get("conditions") or []
    for condition in conditions:
        if condition["type"] in ("PodScheduled", "Ready") and condition["status"] != "True":
            return f"{name} {condition.get('message') or condition.get('reason') or 'not ready'}"
    return ""


def _rank(document: Document) -> int:
    kind = document["kind"]
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _message(error: ApiException) -> str:
    """The API server's own sentence, or what there is of it."""
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body or str(error.reason)
