# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What any client sends, and so what a route may ask for without leaving plain requests out. Pure."""

from __future__ import annotations

from collections.abc import Iterable

EVERYWHERE = frozenset(
    {"host", "accept", "accept-encoding", "connection", "user-agent", ":authority", ":method", ":path", ":scheme",
     "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-client-cert",
     "x-envoy-internal", "x-envoy-external-address", "x-envoy-original-path", "x-envoy-decorator-operation"}
)  # fmt: skip
"""Headers that a request has of itself or gets at the gateway before it is routed, in lower case. What a match wants of
their values is not read here."""


def outside_name(hosts: Iterable[str]) -> str | None:
    """The first name by which users come; None where there is none but wildcards and names inside the cluster."""
    names = (host for host in hosts if "*" not in host and "." in host)
    return next((host for host in names if not host.endswith((".svc", ".svc.cluster.local"))), None)


def any_known(answers: Iterable[bool | None]) -> bool | None:
    """True when one is true, False when all are false; else None, for nobody knows."""
    found = list(answers)
    return True if True in found else None if None in found else False
