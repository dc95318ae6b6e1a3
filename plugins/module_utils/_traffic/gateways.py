# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The port to the gateways: what their pods say, asked through the API server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._traffic import envoy
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError

PODS = Kind("v1", "pods")


class Pods(Protocol):
    """What is needed of the API server; ``_kube.Client`` is one."""

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        """All objects with these labels."""

    def pod_get(self, namespace: str, pod: str, port: int, path: str) -> str:
        """What the pod's own HTTP server answers."""


@dataclass(frozen=True)
class Where:
    """Which pods are the gateways, and where they tell of themselves. An empty ``dump`` path: they show no routes."""

    namespace: str
    labels: str
    port: int
    dump: str
    stats: str


class Source(Protocol):
    """Whoever tells what the gateways say: their pods, or Prometheus."""

    @property
    def shows_routes(self) -> bool:
        """Whether there are config dumps; else only the count of new routes."""

    def names(self) -> list[str]:
        """The gateways that take traffic now; TrafficError ``no_gateway`` when there is none."""

    def dumps(self, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The routes that each gateway uses at this moment."""

    def counts(self, names: Sequence[str]) -> Mapping[str, envoy.Counts]:
        """The counters of each gateway."""


class Gateways:
    """Asks all gateway pods at once."""

    def __init__(self, pods: Pods, where: Where) -> None:
        self._pods = pods
        self._where = where

    @property
    def shows_routes(self) -> bool:
        """Whether they have a config dump; else they only tell that they took some new routes."""
        return bool(self._where.dump)

    def names(self) -> list[str]:
        """The pods that take traffic now; TrafficError when there is none."""
        found = [
            pod["metadata"]["name"]
            for pod in self._pods.list(PODS, self._where.namespace, labels=self._where.labels)
            if not pod["metadata"].get("deletionTimestamp") and _ready(pod)
        ]
        if not found:
            raise TrafficError(
                f"No ready gateway pod has the labels {self._where.labels} in namespace {self._where.namespace}",
                reason="no_gateway",
                hint="Correct gateways, or look at why the gateway is not ready",
            )
        return sorted(found)

    def dumps(self, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The routes that each gateway uses at this moment."""
        return dict(zip(names, at_once(names, self._dump, _lost), strict=True))

    def counts(self, names: Sequence[str]) -> dict[str, envoy.Counts]:
        """The counters of each gateway at this moment."""
        return dict(zip(names, at_once(names, self._counts, _lost), strict=True))

    def _dump(self, name: str) -> Mapping[str, Any]:
        text = self._pods.pod_get(self._where.namespace, name, self._where.port, self._where.dump)
        try:
            dump = json.loads(text)
        except ValueError:
            dump = None
        if isinstance(dump, dict):
            return dump
        raise TrafficError(
            f"The gateway {name} answers {self._where.dump} with something that is no config dump",
            reason="no_config_dump",
            hint="Correct port and dump of gateways",
        )

    def _counts(self, name: str) -> envoy.Counts:
        return envoy.counts(self._pods.pod_get(self._where.namespace, name, self._where.port, self._where.stats))


def _lost(failed: int, count: int) -> str:
    return f"{failed} of {count} gateways could not be read"


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
