# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus knows of the gateways, in the same words as their pods."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.prometheus import PrometheusGateways
from mesh import cluster_of, seen, virtual_service


class Answers:
    def __init__(self, *samples: tuple[str, str, int, dict[str, str]]) -> None:
        self.result = [
            {"metric": {"__name__": name, **({"pod": pod} if pod else {}), **labels}, "value": [0, str(value)]}
            for name, pod, value, labels in samples
        ]
        self.asked: list[Any] = []

    def json(self, method: str, path: str, **request: Any) -> Any:
        self.asked.append((method, path, request))
        return {"status": "success", "data": {"resultType": "vector", "result": self.result}}


def test_counts_by_pod() -> None:
    cluster = {"cluster_name": cluster_of("api-canary")}
    answers = Answers(
        ("envoy_control_plane_connected_state", "gw-a", 1, {}),
        ("envoy_http_rds_config_reload", "gw-a", 7, {"route_config": "http.8080"}),
        ("envoy_http_rds_config_reload", "gw-a", 2, {"route_config": "http.8081"}),
        ("envoy_cluster_upstream_rq_total", "gw-a", 30, cluster),
        ("envoy_cluster_upstream_rq", "gw-a", 30, {**cluster, "response_code_class": "2xx"}),
        ("envoy_cluster_upstream_rq", "gw-a", 4, {**cluster, "response_code_class": "5xx"}),
        ("envoy_cluster_upstream_rq", "gw-a", 30, {**cluster, "response_code": "200"}),
        ("envoy_control_plane_connected_state", "gw-b", 0, {}),
        ("envoy_control_plane_connected_state", "", 1, {}),
    )
    gateways = PrometheusGateways(answers, 'job="gateway"')
    counts = gateways.counts(gateways.names())
    assert sorted(counts) == ["gw-a", "gw-b"]
    assert counts["gw-a"].of(seen(virtual_service()).split.canary.upstream) == 34
    assert (counts["gw-a"].connected, counts["gw-a"].reloads) == (True, 9)
    assert (counts["gw-b"].connected, counts["gw-b"].reloads) == (False, None)
    assert answers.asked[0][2]["params"]["query"].endswith('",job="gateway"}')


def test_no_gateway() -> None:
    with pytest.raises(TrafficError) as caught:
        PrometheusGateways(Answers(), 'job="x"').names()
    assert caught.value.reason == "no_gateway"
