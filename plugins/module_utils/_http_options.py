# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How to reach an HTTP server, and what of it is secret. No network here."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Options:
    """How to reach a server. Seconds; paths of files.

    The values of ``secret_headers`` are made known to the scrubber; of ``headers`` only those whose name says that they
    are secret (``Authorization``, ``X-Api-Key``). Both are sent to the origin of ``base_url`` only. ``proxy``: an URL,
    or None for what the environment says. ``ca``: a bundle, or None for REQUESTS_CA_BUNDLE or the common one.
    ``connect`` and ``read`` bound each silence of the network, ``budget`` the whole call with its retries.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    validate_certs: bool = True
    connect: float = 5.0
    read: float = 20.0
    budget: float = 60.0
    max_body: int = 16 * 1024 * 1024


def bearer(token: str) -> dict[str, str]:
    """Headers for a bearer token."""
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    """Headers for basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def secrets_of(header: str) -> list[str]:
    """What is secret of a header's value: with and without its scheme word, and the password behind basic base64."""
    scheme, _space, rest = header.rpartition(" ")
    found = [header, rest]
    if scheme.strip().lower() == "basic":
        with contextlib.suppress(ValueError):
            found.append(base64.b64decode(rest).decode().partition(":")[2])
    return found
