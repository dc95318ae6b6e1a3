# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The port to what is asked of a cluster before a release comes: one look at everything, many questions at once."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate import units
from ansible_collections.tars.rollout.plugins.module_utils._govern import cluster
from ansible_collections.tars.rollout.plugins.module_utils._kube import Client, Kind
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError

try:
    from cryptography import x509
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

AT_ONCE = 8
_REVIEWS = Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)
_SECRETS = Kind("v1", "secrets")
Problem = tuple[str, str]
"""Code and sentence."""


def rights(
    client: Client, namespace: str, more: Sequence[Mapping[str, Any]], routes: Iterable[str] = ()
) -> list[Problem]:
    """Verbs that are missing, each named. ``routes``: the kinds of the plan's routes."""

    def allowed(right: cluster.Right) -> bool:
        return bool((client.create(_REVIEWS, "", right.review()).get("status") or {}).get("allowed"))

    wanted = cluster.rights(namespace, more, routes)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(allowed, wanted))
    missing = [right.said for right, yes in zip(wanted, answers, strict=True) if not yes]
    return [("rights_missing", f"this login may not {'; '.join(missing)}")] if missing else []


def capacity(client: Client, namespace: str, names: Sequence[str], most: float) -> tuple[list[Problem], list[str]]:
    """What does not fit, and what could not be seen (nodes are not for everybody to read)."""
    wanted = cluster.needs(client.list(Kind("apps/v1", "deployments"), namespace), names)
    found = list(cluster.quota(wanted, client.list(Kind("v1", "resourcequotas"), namespace)))
    unseen = []
    try:
        nodes = client.list(Kind("v1", "nodes", namespaced=False))
        found += cluster.room(wanted, nodes, client.list(Kind("v1", "pods")), most)
    except KubeError as error:
        if error.reason != "kube_forbidden":
            raise
        unseen.append(f"whether the nodes have room: {error.msg}")
    return [("capacity", text) for text in found], unseen


def certificates(
    client: Client | None, namespace: str, wanted: Sequence[Mapping[str, Any]], now: float
) -> list[Problem]:
    """Certificates of Secrets (``secret``) and of servers (``host``, ``port``) that do not live long enough."""
    if wanted and not HAS_CRYPTOGRAPHY:
        raise MissingLibrary("cryptography")

    def look(item: Mapping[str, Any]) -> str:
        days = float(item.get("days") or 90)
        if item.get("secret"):
            name = str(item["secret"])
            if client is None:
                raise _odd(item, "a secret needs kubeconfig")
            data = client.get(_SECRETS, str(item.get("namespace") or namespace), name).get("data") or {}
            return cluster.valid(
                f"of the secret {name}", _ends(base64.b64decode(data.get("tls.crt", "")), f"secret {name}"), now, days
            )
        if item.get("host"):
            where = f"{item['host']}:{item.get('port') or 443}"
            return cluster.valid(
                f"of {where}", _ends(_of_server(str(item["host"]), int(item.get("port") or 443)), where), now, days
            )
        raise _odd(item, "it has neither secret nor host")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [("certificate_age", text) for text in pool.map(look, wanted) if text]


def secrets(client: Client, namespace: str, wanted: Sequence[Mapping[str, Any]], now: float) -> list[Problem]:
    """Secrets that were not renewed in time. Nothing of their content is kept."""

    def look(item: Mapping[str, Any]) -> str:
        try:
            most = units.seconds(item.get("max_age"))
        except units.UnitError as error:
            raise _odd(item, f"max_age: {error}") from None
        if not item.get("name"):
            raise _odd(item, "it has no name")
        found = client.get(_SECRETS, str(item.get("namespace") or namespace), str(item["name"]))
        return cluster.young({"metadata": found.get("metadata")}, now, most, str(item.get("annotation") or ""))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [("secret_age", text) for text in pool.map(look, wanted) if text]


def _ends(raw: bytes, where: str) -> float:
    """When the first certificate (PEM) ends, in seconds since 1970."""
    try:
        certificate = x509.load_pem_x509_certificate(raw)
        # The name without the zone is that of cryptography before 42.
        ends = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after
    except ValueError:
        raise RolloutError(
            f"The certificate of {where} cannot be read",
            reason="certificate_invalid",
            hint="It must be one in PEM, under tls.crt",
        ) from None
    return float(ends.timestamp() if ends.tzinfo else ends.replace(tzinfo=_utc()).timestamp())


def _utc() -> Any:
    from datetime import UTC

    return UTC


def _of_server(host: str, port: int) -> bytes:
    context = ssl.create_default_context()
    # Only its end is asked for; whether clients trust it is theirs to say.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), 5) as connection,
            context.wrap_socket(connection, server_hostname=host) as wire,
        ):
            raw = wire.getpeercert(binary_form=True)
    except OSError as error:
        raise RolloutError(
            f"The certificate of {host}:{port} could not be seen: {error.strerror or error}",
            reason="certificate_unseen",
            hint="Check the address, and that TLS is spoken there",
        ) from None  # fmt: skip
    return ssl.DER_cert_to_PEM_cert(raw or b"").encode()


def _odd(item: Mapping[str, Any], seen: str) -> RolloutError:
    return RolloutError(
        f"The check {dict(item)!r} cannot be used: {seen}", reason="age_invalid",
        hint="Give secret, or host and port, with days; for secrets name and max_age, such as 7d",
    )  # fmt: skip
