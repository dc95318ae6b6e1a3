# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import builtins
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

try:
    import urllib3
    from kubernetes import config as kube_config
    from kubernetes.client import ApiClient, Configuration
except ImportError:
    HAS_KUBERNETES = False
else:
    HAS_KUBERNETES = True

from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._exchange import (
    Answer,
    Limits,
    bound,
    get,
    one_context,
    within,
)
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError, Request, no_answer, refused

PAGE = 500
_METHODS = {"get": "GET", "list": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
_CONTENT_TYPES = {"json": "application/json", "json-patch": "application/json-patch+json"}


@dataclass(frozen=True)
class Kind:
    """A kind of objects by its address in the API, so that nothing has to be discovered first.

    ``Kind("networking.istio.io/v1", "virtualservices")``; ``Kind("v1", "namespaces", namespaced=False)``.
    """

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "") -> str:
        """The path below the server; ``namespace`` is ignored where the kind has none, empty means all of them."""
        parts = ["api" if "/" not in self.api_version else "apis", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        return "/" + "/".join([*parts, self.plural, *([quote(name, safe="")] if name else [])])


_PODS = Kind("v1", "pods")
_SERVICES = Kind("v1", "services")


@dataclass(frozen=True)
class Timeouts:
    """Seconds after which a call is given up: of silence while connecting and while waiting, and in all.

    ``total`` is for one request; each page of a list is one. A server that sends byte after byte is never silent.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 60.0


class Client:
    """Reads and changes objects of one cluster. Objects are plain dicts as the API server has them.

    Nothing is repeated here: whether a call may be repeated is known by whoever makes it. May be used by several
    threads at once.
    """

    def __init__(self, configuration: Any, scrubber: Scrubber, timeouts: Timeouts | None = None) -> None:
        """``configuration``: of the kubernetes client; made by the functions below."""
        timeouts = timeouts or Timeouts()
        # Without it urllib3 repeats what failed, writes as well, and prints a warning each time.
        configuration.retries = False
        self._configuration = configuration
        self._scrub = scrubber
        self._timeouts = timeouts
        # Seconds that the server's clock is ahead of ours, as its last answer told; None before there was one.
        self.skew: float | None = None
        # The client's own call_api changed its signature between versions; its pool, with proxy and TLS, did not.
        self._pool = bound(one_context(ApiClient(configuration).rest_client.pool_manager))

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object; a KubeError with reason ``kube_not_found`` when there is none."""
        return self._call("get", kind, namespace, name)

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        """All objects of that kind in the namespace (empty: in all), in pages; ``labels`` is a label selector.

        The server keeps the place of a list for some minutes only (410 after that): then it is begun again, once.
        """
        try:
            return self._pages(kind, namespace, labels)
        except KubeError as error:
            if error.reason != "kube_gone":
                raise
        return self._pages(kind, namespace, labels)

    def _pages(self, kind: Kind, namespace: str, labels: str) -> builtins.list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query = {"limit": str(PAGE), **({"labelSelector": labels} if labels else {})}
        while True:
            page = self._call("list", kind, namespace, query=query)
            items += page.get("items") or []
            if not (token := (page.get("metadata") or {}).get("continue")):
                return items
            query["continue"] = token

    def create(self, kind: Kind, namespace: str, body: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """The object as stored. ``dry_run``: the server does all but store it, here and below."""
        name = str((body.get("metadata") or {}).get("name", ""))
        return self._call("create", kind, namespace, body=body, dry_run=dry_run, about=name)

    def json_patch(
        self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Apply a JSON Patch, all of it or nothing; a refused ``test`` has the reason ``kube_patch_test_failed``."""
        return self._call("patch", kind, namespace, name, body=list(ops), dry_run=dry_run)

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Delete it, its dependents in the background. With ``uid`` only that very object (else ``kube_conflict``)."""
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            # Beside a body the API server ignores the query, so "?dryRun=All" alone would delete (tried).
            options["dryRun"] = ["All"]
        return self._call("delete", kind, namespace, name, body=options, dry_run=dry_run)

    def served(self, kind: Kind) -> bool:
        """Whether the cluster has that kind; every account may ask. Without rights a list says only "forbidden"."""
        try:
            known = self._call("get", Kind(kind.api_version, "", namespaced=False), "")
        except KubeError as error:
            if error.reason != "kube_not_found":
                raise
            return False
        return any(item.get("name") == kind.plural for item in known.get("resources") or [])

    def pod_get(self, namespace: str, pod: str, port: int, path: str) -> str:
        """What a pod's own HTTP server answers to a GET, asked through the API server (verb get on pods/proxy)."""
        request = Request(
            "get", "v1", "pods/proxy", namespace, f"{pod}:{port}/{path.lstrip('/')}", self._configuration.host
        )
        below = f"{_PODS.path(namespace)}/{quote(pod)}:{port}/proxy/{path.lstrip('/')}"
        response = self._send(request, below)
        text = str(response.data.decode(errors="replace"))
        if response.status != 200:
            raise refused(request, response.status, {"message": text[:300]}, self._scrub)
        return text

    def service_get(
        self, namespace: str, service: str, port: str, path: str, headers: Mapping[str, str], total: float,
        farewell: bytes = b"",
    ) -> Answer:  # fmt: skip
        """What is behind a Service answers to a GET, asked through the API server (verb get on services/proxy).

        The answer is the program's own, whatever its status. KubeError when it is the API server that refuses, or when
        none came within ``total`` seconds. A protocol may be switched; ``farewell`` ends it, see ``_exchange.get``.
        """
        name = f"{service}:{port}" if port else service
        request = Request(
            "get", "v1", "services/proxy", namespace, f"{name}/{path.lstrip('/')}", self._configuration.host
        )
        below = f"{_SERVICES.path(namespace)}/{quote(name, safe=':')}/proxy/{path.lstrip('/')}"
        limits = Limits(self._timeouts.connect, min(self._timeouts.read, total), total)
        try:
            answer = get(
                self._pool, self._configuration.host.rstrip("/") + below,
                {**self._headers(_CONTENT_TYPES["json"]), **headers}, limits, farewell,
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise no_answer(request, error, self._scrub) from None
        if (own := _status(answer)) is not None:
            raise refused(request, answer.status, own, self._scrub)
        return answer

    def _call(
        self,
        verb: str,
        kind: Kind,
        namespace: str,
        name: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        dry_run: bool = False,
        about: str = "",
    ) -> dict[str, Any]:
        request = Request(
            verb,
            kind.api_version,
            kind.plural,
            namespace if kind.namespaced else "",
            name or about,
            self._configuration.host,
            tested=verb == "patch" and any(op.get("op") == "test" for op in body),
        )
        query = {**(query or {}), **({"dryRun": "All"} if dry_run else {})}
        path = kind.path(namespace, name)
        response = self._send(request, f"{path}?{urlencode(query)}" if query else path, body)
        try:
            answer = json.loads(response.data)
        except ValueError:
            # A proxy or a load balancer that answers for the API server speaks HTML or plain text.
            answer = {"message": response.data[:300].decode(errors="replace")}
            if response.status < 300:
                raise refused(request, response.status, {**answer, "reason": "NotJSON"}, self._scrub) from None
        if not 200 <= response.status < 300:
            raise refused(request, response.status, answer if isinstance(answer, dict) else {}, self._scrub)
        result: dict[str, Any] = answer
        return result

    def _send(self, request: Request, path: str, body: Any = None) -> Any:
        """The answer of urllib3, whatever its status, read to its end; a KubeError when none came in time."""
        limits = self._timeouts
        began = time.time()
        with within(limits.total) as exchange:
            try:
                response = self._pool.request(
                    _METHODS[request.verb],
                    self._configuration.host.rstrip("/") + path,
                    headers=self._headers(_CONTENT_TYPES["json-patch" if request.verb == "patch" else "json"]),
                    body=None if body is None else json.dumps(body),
                    timeout=urllib3.Timeout(connect=limits.connect, read=limits.read),
                    retries=False,
                    redirect=False,
                )
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if not exchange.over:
                    raise no_answer(request, error, self._scrub) from None
        if exchange.over:
            late = TimeoutError(f"no whole answer came within {limits.total:g} s")
            raise no_answer(request, late, self._scrub)
        self._learn_skew(response.headers.get("Date"), began, time.time())
        return response

    def _learn_skew(self, date: str | None, began: float, ended: float) -> None:
        """The header has whole seconds, cut off: the truth lies up to one later, and between question and answer."""
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        low, high = told - ended, told + 1 - began
        # As long as our clock fits, it is the finer one.
        self.skew = 0.0 if low <= 0 <= high else (low + high) / 2

    def _headers(self, content_type: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "tars.rollout"}
        # Read anew for each call: a token of an exec plugin or of a service account's file is renewed on the way.
        for auth in self._configuration.auth_settings().values():
            if auth["value"]:
                self._scrub.add(auth["value"].rpartition(" ")[2])
                headers[auth["key"]] = auth["value"]
        return headers


def _status(answer: Answer) -> Mapping[str, Any] | None:
    """The API server's own words, where an answer through it is none of the program behind it."""
    if answer.status < 400 or "json" not in str(answer.headers.get("Content-Type", "")):
        return None
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    own = isinstance(found, dict) and (found.get("kind"), found.get("apiVersion")) == ("Status", "v1")
    return found if own else None


def from_kubeconfig(path: str, context: str, scrubber: Scrubber, timeouts: Timeouts | None = None) -> Client:
    """A client from a kubeconfig file; an empty ``context`` means the current one of the file."""
    _need_library()
    configuration = Configuration()
    try:
        kube_config.load_kube_config(path, context or None, configuration, persist_config=False)
    except Exception as error:
        # The library lets everything through, from KeyError to binascii.Error: the file is not what it should be.
        # Its texts may quote the file, so only the known and harmless ones are repeated.
        seen = (
            str(error) if isinstance(error, kube_config.ConfigException | FileNotFoundError) else type(error).__name__
        )
        raise KubeError(
            scrubber.text(f"The kubeconfig {path}{f', context {context},' if context else ''} cannot be used: {seen}"),
            reason="kube_config",
            hint="Check the path, the name of the context and the files that it names",
        ) from None
    return Client(configuration, scrubber, timeouts)


def from_token(
    host: str, token: str, scrubber: Scrubber, *, ca: str = "", validate_certs: bool = True,
    timeouts: Timeouts | None = None,
) -> Client:  # fmt: skip
    """A client for a server's URL with a bearer token; ``ca`` is the path of a bundle."""
    _need_library()
    scrubber.add(token)
    configuration = Configuration()
    configuration.host = host
    configuration.ssl_ca_cert = ca or None
    configuration.verify_ssl = validate_certs
    configuration.api_key["authorization"] = f"Bearer {token}"
    return Client(configuration, scrubber, timeouts)


def in_cluster(scrubber: Scrubber, timeouts: Timeouts | None = None) -> Client:
    """A client with the service account of the pod that this runs in."""
    _need_library()
    configuration = Configuration()
    try:
        kube_config.load_incluster_config(configuration)
    except kube_config.ConfigException as error:
        raise KubeError(
            f"No kubeconfig was given and this is no pod of a cluster: {error}",
            reason="kube_config",
            hint="Give the path of a kubeconfig",
        ) from None
    return Client(configuration, scrubber, timeouts)


def _need_library() -> None:
    if not HAS_KUBERNETES:
        raise MissingLibrary("kubernetes")
