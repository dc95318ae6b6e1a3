# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One question to a Redis server. The only file that imports redis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

try:
    import redis
except ImportError:
    HAS_REDIS = False
else:
    HAS_REDIS = True

from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary, RolloutError


@dataclass(frozen=True)
class RedisAddress:
    """Where a server is and how to log in. ``timeout`` in seconds, for the connection and for each answer."""

    host: str
    port: int = 6379
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_cert: str = ""
    timeout: float = 5.0

    @property
    def text(self) -> str:
        """For messages: never user or password."""
        return f"{self.host}:{self.port}"


def ask(address: RedisAddress) -> dict[str, Any]:
    """PING, then the role: ``{"role": "master" | "slave", "replicas": int}``; RolloutError when it does not answer."""
    if not HAS_REDIS:
        raise MissingLibrary("redis")
    options: dict[str, Any] = {"ssl": True, "ssl_ca_certs": address.ca_cert or None} if address.tls else {}
    client = redis.Redis(
        host=address.host,
        port=address.port,
        username=address.username or None,
        password=address.password or None,
        socket_timeout=address.timeout,
        socket_connect_timeout=address.timeout,
        **options,
    )
    try:
        client.ping()
        found: Any = client.info("replication")
    except redis.RedisError as error:
        seen = str(error).partition("\n")[0] or type(error).__name__
        raise RolloutError(
            f"Asking Redis at {address.text} failed: {seen}",
            reason="store_unreachable",
            hint="See that the server runs, lets this host in and knows the login",
        ) from None
    finally:
        client.close()
    return {"role": str(found.get("role", "")), "replicas": int(found.get("connected_slaves", 0))}
