# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The ways to a canary that no user takes: by the header at the gateway, or from inside to its Service."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.tars.rollout.plugins.module_utils import _exchange
from ansible_collections.tars.rollout.plugins.module_utils._exchange import Answer, Limits
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Seen, TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS

# The Kubernetes client, which every call needs as well, brings it along and complains where it is not there.
with contextlib.suppress(ImportError):
    import urllib3

CONNECT = 5.0


@dataclass(frozen=True)
class Door:
    """The gateway's address, the header that leads to canaries, and how its certificate is checked."""

    url: str
    header: str
    value: str
    validate_certs: bool = True
    ca: str = ""


class Way(Protocol):
    """``kind``: header or inside; ``text`` completes "GET / ..."."""

    kind: str
    text: str

    def ask(self, path: str, headers: Mapping[str, str], seconds: float, farewell: bytes) -> Answer:
        """One GET, see ``_exchange.get``; RolloutError or OSError when no answer came."""


class AtGateway:
    """At the gateway, as users come. ``host`` is what they call the service, empty where any name will do."""

    def __init__(self, url: str, host: str, validate_certs: bool = True, ca: str = "") -> None:
        self._url = url.rstrip("/")
        self._host = host
        options: dict[str, Any] = {}
        if url.startswith("https:"):
            options = {"cert_reqs": "CERT_REQUIRED" if validate_certs else "CERT_NONE"}
            if not validate_certs:
                # Said once by the option, and not once more with each request.
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            if ca:
                options["ca_certs"] = ca
            if host:
                # The name that users type is the one that certificate and route are about, whatever the address is.
                options |= {"server_hostname": host, "assert_hostname": host if validate_certs else False}
        self._manager = _exchange.bound(urllib3.PoolManager(**options))

    def ask(self, path: str, headers: Mapping[str, str], seconds: float, farewell: bytes = b"") -> Answer:
        """One GET, see ``_exchange.get``; OSError or a fault of urllib3 when no answer came."""
        sent = {"User-Agent": "tars.rollout", **headers, **({"Host": self._host} if self._host else {})}
        limits = Limits(min(CONNECT, seconds), seconds, seconds)
        return _exchange.get(self._manager, self._url + path, sent, limits, farewell)


class ByHeader:
    """At the gateway, with the header that the route sends to the canary."""

    kind = "header"

    def __init__(self, door: Door, host: str) -> None:
        self._header = {door.header: door.value}
        self._gateway = AtGateway(door.url, host, door.validate_certs, door.ca)
        self.text = f"with {door.header}: {door.value} at {host or urlsplit(door.url).netloc}"

    def ask(self, path: str, headers: Mapping[str, str], seconds: float, farewell: bytes) -> Answer:
        return self._gateway.ask(path, {**headers, **self._header}, seconds, farewell)


class Inside:
    """Straight to the canary's Service through the API server: past the gateway, and past the mesh's route."""

    kind = "inside"

    def __init__(self, client: Any, namespace: str, service: str, port: str, why: str) -> None:
        self._client = client
        self._place = (namespace, service, port)
        self.text = f"straight to the Service {service}, as {why}"

    def ask(self, path: str, headers: Mapping[str, str], seconds: float, farewell: bytes) -> Answer:
        found: Answer = self._client.service_get(*self._place, path, headers, seconds, farewell)
        return found


def way(client: Any, door: Door, seen: Seen) -> Way:
    """The way to the canary of a route; TrafficError ``smoke_no_way`` where no request can be sent to it alone."""
    target = seen.target
    if target.kind == "GRPCRoute":
        raise _no_way(f"{target} routes gRPC, which no plain request can be asked by")
    dialect = DIALECTS[target.provider]
    host = dialect.header_host(seen.document, target, door.header, door.value) if door.url else None
    if host is not None:
        return ByHeader(door, host)
    upstream = seen.split.canary.upstream
    name, _dot, rest = upstream.host.partition(".")
    space, _dot, kind = rest.partition(".")
    if upstream.subset or not space or kind.partition(".")[0] != "svc":
        where = f"the subset {upstream.subset} of {name}" if upstream.subset else upstream.host
        raise _no_way(f"{target} has no route by {door.header}: {door.value}, and {where} is no Service of the canary")
    why = f"no route has {door.header}: {door.value} alone" if door.url else "no address of the gateway is given"
    return Inside(client, space, name, upstream.port, why)


def _no_way(msg: str) -> TrafficError:
    return TrafficError(
        msg,
        reason="smoke_no_way",
        hint="Give the route one by header to the canary and the gateway's address, or ask nothing of this service",
    )
