# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lab status` says about the platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import kube as kubernetes
from ..errors import LabError
from ..kube import Kube, Workload
from . import databases, gateway, redis

if TYPE_CHECKING:
    from ..context import Lab

Line = tuple[str, str, str]
"""Name, state (`up` or `down`), detail."""

PARTS = (
    Workload("Deployment", "istio-system", "istiod"),
    Workload("Deployment", "istio-system", "ingressgateway"),
    Workload("Deployment", "monitoring", "prometheus"),
    Workload("StatefulSet", "data", "postgres-primary"),
    Workload("StatefulSet", "data", "postgres-standby"),
    Workload("StatefulSet", "data", "redis"),
    Workload("StatefulSet", "data", "sentinel"),
    Workload("Deployment", "doubles", "statuspage"),
)


def status(lab: Lab) -> list[Line]:
    """Return a line for each part of the platform. A part that is broken is a line, not an error."""
    kube = kubernetes.client(lab.kubeconfig)
    lines = [_workload(kube, part) for part in PARTS]
    checks: tuple[tuple[str, Callable[[], tuple[bool, str]]], ...] = (
        ("gateway to istiod", lambda: _gateway(lab)),
        ("Prometheus targets", lambda: _targets(lab)),
        ("PostgreSQL replication", lambda: _replication(lab)),
        ("Redis master", lambda: _redis(kube)),
    )
    return lines + [_line(name, check) for name, check in checks]


def _line(name: str, check: Callable[[], tuple[bool, str]]) -> Line:
    try:
        works, detail = check()
    except LabError as error:
        works, detail = False, str(error)
    return name, "up" if works else "down", detail


def _workload(kube: Kube, part: Workload) -> Line:
    def check() -> tuple[bool, str]:
        works = kube.is_ready(part)
        return works, "" if works else kube.why_not_ready(part)

    return _line(f"{part.namespace}/{part.name}", check)


def _gateway(lab: Lab) -> tuple[bool, str]:
    seen = gateway.connected(lab)
    words = {True: "connected", False: "not connected", None: "the gateway does not answer"}
    return seen is True, words[seen]


def _targets(lab: Lab) -> tuple[bool, str]:
    seen = gateway.targets(lab)
    if seen is None:
        return False, f"Prometheus does not answer at 127.0.0.1:{lab.ports['prometheus']}"
    up, total = seen
    return 0 < up == total, f"{up} of {total} up"


def _replication(lab: Lab) -> tuple[bool, str]:
    seen = databases.replication(lab)
    if seen is None:
        return False, "no standby is connected"
    return seen.state == "streaming", f"{seen.state}, {seen.lag_bytes} bytes to replay"


def _redis(kube: Kube) -> tuple[bool, str]:
    master, quorum = redis.master(kube), redis.quorum(kube) or "no Sentinel answers"
    return master is not None and quorum.startswith("OK"), f"{master or 'unknown'}; {quorum}"
