# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the two Redis servers is the master, as the Sentinels say it."""

from __future__ import annotations

from ..kube import Kube

MASTER_NAME = "tars"
FIRST = "redis-0"
"""The master of a lab that starts for the first time."""

SENTINELS = ("sentinel-0", "sentinel-1", "sentinel-2")


def master(kube: Kube) -> str | None:
    """Return the pod that the Sentinels hold for the master, or None where none of them answers."""
    command = ["redis-cli", "-p", "26379", "--raw", "sentinel", "get-master-addr-by-name", MASTER_NAME]
    for pod in SENTINELS:
        name = parse_master(kube.try_run("data", pod, command) or "")
        if name:
            return name
    return None


def quorum(kube: Kube) -> str | None:
    """Return a Sentinel's own sentence on whether they are enough to decide, or None where none answers."""
    for pod in SENTINELS:
        answer = kube.try_run("data", pod, ["redis-cli", "-p", "26379", "--raw", "sentinel", "ckquorum", MASTER_NAME])
        if answer:
            return answer.strip()
    return None


def parse_master(answer: str) -> str | None:
    """Return the pod's name out of a Sentinel's answer (host, then port, on a line each)."""
    host = answer.strip().partition("\n")[0].strip()
    pod, dot, _rest = host.partition(".redis.data.")
    return pod if dot and pod else None
