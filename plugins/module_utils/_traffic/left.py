# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What is left to take the traffic that a cut has sent back: stable's pods. Asked after the cut and never before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Plan

DEPLOYMENTS = Kind("apps/v1", "deployments")


class Objects(Protocol):
    """What is needed of the API server; ``_kube.Client`` is one."""

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is."""


def shortages(objects: Objects, plans: Sequence[Plan]) -> list[str]:
    """A sentence for each stable that is not whole. A cut waits for nobody's readiness; this only tells of it.

    Where stable's Deployment has another name than its Service, or may not be read, nothing is said.
    """
    return [text for text in at_once(plans, lambda plan: _shortage(objects, plan), _never) if text]


def _shortage(objects: Objects, plan: Plan) -> str:
    name, _dot, rest = plan.split.stable.upstream.host.partition(".")
    namespace = rest.partition(".")[0] or plan.target.namespace
    try:
        found = objects.get(DEPLOYMENTS, namespace, name)
    except RolloutError:
        return ""
    wanted = int((found.get("spec") or {}).get("replicas", 1))
    ready = int((found.get("status") or {}).get("availableReplicas") or 0)
    if ready >= wanted:
        return ""
    return f"Stable of {plan.target.service} has {ready} of {wanted} pods ready and takes all of the traffic now"


def _never(failed: int, count: int) -> str:
    return f"{failed} of {count} Deployments were not read"
