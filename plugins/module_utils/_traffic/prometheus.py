# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The gateways as Prometheus knows them, for where nobody may ask their pods. Slower, by one or two scrapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._traffic import envoy
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError

CONNECTED = "envoy_control_plane_connected_state"
RELOADS = "envoy_http_rds_config_reload"
NAMES = (CONNECTED, RELOADS, envoy.ANSWERS, envoy.KNOWN)


class Queries(Protocol):
    """What is needed of Prometheus; ``_http.Client`` is one."""

    def json(self, method: str, path: str, **request: Any) -> Any:
        """The decoded answer. Faults are HttpErrors."""


class PrometheusGateways:
    """Stands in for Gateways. All samples of a pod are of one scrape, so routes and requests fit together."""

    shows_routes = False

    def __init__(self, queries: Queries, selector: str) -> None:
        """``selector``: matchers of the gateways' series, which must carry the label ``pod``."""
        self._queries = queries
        self._query = f'{{__name__=~"{"|".join(NAMES)}",{selector}}}'

    def names(self) -> list[str]:
        return sorted(self._read())

    def dumps(self, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        raise NotImplementedError("Prometheus knows no routes")

    def counts(self, names: Sequence[str]) -> dict[str, envoy.Counts]:
        return self._read()

    def _read(self) -> dict[str, envoy.Counts]:
        body = self._queries.json("GET", "api/v1/query", params={"query": self._query})
        by_pod: dict[str, list[tuple[Mapping[str, str], int]]] = {}
        for item in ((body or {}).get("data") or {}).get("result") or []:
            labels, value = item["metric"], int(float(item["value"][1]))
            if pod := labels.get("pod"):
                by_pod.setdefault(pod, []).append((labels, value))
        if not by_pod:
            raise TrafficError(
                f"Prometheus has no series of a gateway pod for {self._query}",
                reason="no_gateway",
                hint="Correct gateways.prometheus.selector; the series need the label pod",
            )
        return {pod: _counts(samples) for pod, samples in by_pod.items()}


def _counts(samples: Sequence[tuple[Mapping[str, str], int]]) -> envoy.Counts:
    connected = [value for labels, value in samples if labels["__name__"] == CONNECTED]
    reloads = [value for labels, value in samples if labels["__name__"] == RELOADS]
    return envoy.Counts(
        envoy.requests([(labels["__name__"], labels, value) for labels, value in samples]),
        connected[0] == 1 if connected else None,
        sum(reloads) if reloads else None,
    )
