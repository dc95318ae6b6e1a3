# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Faults of the Kubernetes API in words: verb, object, what the server said, what to do. No network here."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber


class KubeError(RolloutError):
    """The cluster did not do what was asked. ``status`` in the details is 0 when no answer came."""


@dataclass(frozen=True)
class Request:
    """What was asked of which API server; ``tested``: a JSON Patch with ``test`` operations."""

    verb: str
    api_version: str
    plural: str
    namespace: str
    name: str
    host: str
    tested: bool = False

    def __str__(self) -> str:
        """For instance: patch deployments.apps/api in namespace tars-staging."""
        group = self.api_version.rpartition("/")[0]
        resource = f"{self.plural}.{group}" if group else self.plural
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {resource}{f'/{self.name}' if self.name else ''}{where}"

    def details(self, status: int) -> dict[str, Any]:
        return {
            "verb": self.verb,
            "resource": self.plural,
            "api_version": self.api_version,
            "namespace": self.namespace,
            "name": self.name,
            "server": self.host,
            "status": status,
        }


_REFUSALS = {
    401: ("kube_unauthorized", "The token or certificate is wrong or has run out: renew the kubeconfig"),
    404: ("kube_not_found", "Check name and namespace, and that the kind is installed in this cluster"),
    410: ("kube_gone", "What was being read has changed too much since it was begun: read it again from the start"),
    409: ("kube_conflict", "Somebody else changed it meanwhile, or it exists: read it again and decide anew"),
    413: ("kube_too_big", "The object is larger than the API server takes"),
    422: ("kube_invalid", "The API server refuses these values: see what it says about them"),
    429: ("kube_busy", "The API server asks to slow down: try again later"),
}


def refused(request: Request, status: int, answer: Mapping[str, Any], scrubber: Scrubber) -> KubeError:
    """The fault for an answer that is a refusal; ``answer`` is the server's Status object or what came instead."""
    said, causes = _explanation(request, answer)
    details = request.details(status)
    details["causes"] = causes
    reason, hint = _REFUSALS.get(status, ("kube_status", "Look at the API server's health and log"))
    if answer.get("reason") == "NotJSON":
        reason, hint = "kube_not_json", "Something else than the API server answers at this address"
    elif status == 403:
        reason, hint = "kube_forbidden", _grant(request)
    elif status == 422 and request.tested and not causes:
        # Tried: a refused `test` and a path that is not there read alike, "the server rejected our request", and have
        # no causes, which a refused value always has. Either way the object is not as the patch assumes.
        reason = "kube_patch_test_failed"
        hint = "The object is not as it was when it was read: read it again and decide anew"
    text = f"{request} was refused by {request.host} with {status}: {said}"
    return KubeError(scrubber.text(text), reason=reason, hint=hint, details=details)


def _explanation(request: Request, answer: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The server's sentence and its causes as lines. It may quote the whole object: of Secrets, fields only."""
    causes = (answer.get("details") or {}).get("causes") or []
    if request.plural == "secrets":
        return str(answer.get("reason") or "no explanation"), [str(cause.get("field", "")) for cause in causes]
    said = _line(str(answer.get("message") or answer.get("reason") or "no explanation"))
    texts = [_line(f"{cause.get('field', '')}: {cause.get('message', '')}".strip(": ")) for cause in causes]
    return said, list(dict.fromkeys(texts))


def _line(text: str) -> str:
    """On one line. A long one loses its middle: the API server puts the object there and the fault at the end."""
    text = " ".join(text.split())
    return text if len(text) <= 400 else f"{text[:200]} ... {text[-195:]}"


def no_answer(request: Request, error: Exception, scrubber: Scrubber) -> KubeError:
    """The fault for a call that brought no answer at all."""
    chain = _chain(error)
    names = {type(item).__name__ for item in chain}
    seen = str(chain[-1]) or type(chain[-1]).__name__
    if any(isinstance(item, ssl.SSLError) for item in chain) or "SSLError" in names:
        reason, hint = "kube_tls", "Check the server's certificate against the CA in the kubeconfig, and the clock"
    elif names & {"ConnectTimeoutError", "ReadTimeoutError", "TimeoutError"}:
        reason, hint = "kube_timeout", "Check the network to the API server and its load; a write may have happened"
    elif names & {"NewConnectionError", "NameResolutionError", "ConnectionRefusedError"}:
        reason, hint = "kube_unreachable", "Check the address in the kubeconfig and that the API server runs"
    else:
        reason, hint = "kube_broken", "The connection was cut: read the object before trying again"
    text = f"{request} got no answer from {request.host}: {seen}"
    return KubeError(scrubber.text(text), reason=reason, hint=hint, details=request.details(0))


def _grant(request: Request) -> str:
    group = request.api_version.rpartition("/")[0]
    where = f"in namespace {request.namespace}" if request.namespace else "in the whole cluster"
    return f'Grant verb "{request.verb}" on resource "{request.plural}" of API group "{group}" {where} to this account'


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    todo: BaseException | None = error
    while todo is not None and todo not in chain:
        chain.append(todo)
        reason = getattr(todo, "reason", None)
        todo = reason if isinstance(reason, BaseException) else todo.__cause__ or todo.__context__
    return chain
