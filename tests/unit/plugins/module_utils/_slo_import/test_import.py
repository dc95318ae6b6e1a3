# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objectives of OpenSLO and Argo Rollouts: what becomes a selector or an expression, what is listed as lost."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.tars.rollout.plugins.module_utils._gate import gatefile
from ansible_collections.tars.rollout.plugins.module_utils._slo_import import argo, openslo, promql
from ansible_collections.tars.rollout.plugins.module_utils._slo_import.imported import Imported, ImportFault
from hypothesis import given, settings
from hypothesis import strategies as st

ARMS = {"canary": {"deployment": "canary"}, "stable": {"deployment": "stable"}}

OPENSLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: api-availability}
spec:
  service: api
  indicator:
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource: {type: Prometheus, spec: {query: 'sum(rate(http_requests_total{app="api",code!~"5.."}[5m]))'}}
        total: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(http_requests_total{app="api"}[5m]))'}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Timeslices
  objectives: [{displayName: good, target: 0.995}]
  alertPolicies: [{alertPolicyRef: page}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: api-latency}
spec:
  indicatorRef: fast
  objectives: [{targetPercent: 95}]
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: fast}
spec:
  ratioMetric:
    good: {metricSource: {spec: {query: 'sum(increase(api_seconds_bucket{app="api",le="0.25"}[1m]))'}}}
    total: {metricSource: {spec: {query: 'sum(increase(api_seconds_count{app="api"}[1m]))'}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: lag}
spec:
  indicator: {spec: {thresholdMetric: {metricSource: {spec: {query: 'pg_replication_lag_seconds{db="tars"}'}}}}}
  objectives: [{op: lte, value: 5, target: 0.99}]
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: page}
"""

ARGO = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: success-rate}
spec:
  args: [{name: service}, {name: limit, value: "5.."}]
  metrics:
    - name: success-rate
      interval: 60s
      count: 10
      initialDelay: 30s
      failureLimit: 3
      successCondition: result[0] >= 0.95
      provider:
        prometheus:
          address: http://prometheus:9090
          query: |
            sum(irate(istio_requests_total{app="{{args.service}}",code!~"{{ args.limit }}"}[5m]))
            / sum(irate(istio_requests_total{app="{{args.service}}"}[5m]))
    - name: p95
      failureCondition: result[0] > 0.1
      provider: {prometheus: {query: 'histogram_quantile(0.95, sum(rate(api_seconds_bucket{app="x"}[5m])) by (le))'}}
    - name: memory
      successCondition: result < 1.5e9
      provider: {prometheus: {query: 'max(container_memory_working_set_bytes{app="x"})'}}
    - name: web
      provider: {web: {url: "http://x"}}
    - name: free
      successCondition: "!isNaN(result) && result < 5"
      provider: {prometheus: {query: up}}
"""


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def parsed(found: Imported) -> dict[str, Any]:
    """What a gate makes of it."""
    spec = gatefile.parse({"service": "x", "arms": ARMS, "slos": found.slos, "defaults": found.defaults})
    return {slo.name: slo for slo in spec.slos}


def test_openslo_becomes_selectors_and_the_rest_is_listed() -> None:
    found = openslo.read(documents(OPENSLO))
    assert found.service == "api"
    assert found.slos["api_availability"] == {
        "ratio": "http_requests_total", "bad": {"code": "5.."}, "limit": "0.5%", "match": {"app": "api"},
    }  # fmt: skip
    assert found.slos["api_latency"] == {
        "latency": "api_seconds", "quantile": "p95", "limit": "0.25s", "match": {"app": "api"},
    }  # fmt: skip
    assert found.slos["lag"] == {"gauge": "pg_replication_lag_seconds", "limit": 5, "match": {"db": "tars"}}
    lost = "\n".join(found.not_carried)
    for word in ("timeWindow", "Timeslices", "alertPolicies", "AlertPolicy", "target 0.99 of a threshold"):
        assert word in lost
    assert parsed(found)["api_latency"].quantile == 0.95


def test_argo_becomes_selectors_and_the_rest_is_listed() -> None:
    found = argo.read(documents(ARGO), {"service": "api"})
    assert found.slos["success_rate"] == {
        "ratio": "istio_requests_total", "bad": {"code": "5.."}, "limit": "5%", "match": {"app": "api"},
    }  # fmt: skip
    assert found.slos["p95"] == {"latency": "api_seconds", "quantile": "p95", "limit": "0.1s", "match": {"app": "x"}}
    assert found.slos["memory"]["limit"] == 1.5e9 and "expr" in found.slos["memory"]
    assert found.defaults == {"bake": "630s", "settle": "30s"}
    lost = "\n".join(found.not_carried)
    for word in ("failureLimit 3", "address", "web, not Prometheus", "free: its condition", "memory: its query"):
        assert word in lost
    assert len(parsed(found)) == 3


def test_an_argument_without_a_value_is_refused() -> None:
    with pytest.raises(ImportFault, match="argument service has no value"):
        argo.read(documents(ARGO))


def test_an_indicator_that_is_not_there_is_refused() -> None:
    with pytest.raises(ImportFault, match="'fast' is in none"):
        openslo.read(documents(OPENSLO)[1:2])


@pytest.mark.parametrize(
    ("good", "total"),
    [
        ('sum(rate(r{code=~"2.."}[5m]))', "sum(rate(r[5m]))"),  # What is not 2xx cannot be said without a negation.
        ('sum(rate(r{code!~"5.."}[5m]))', 'sum(rate(r{path!="/health"}[5m]))'),
        ("sum(rate(ok_total[5m]))", "sum(rate(all_total[5m]))"),
        ("my:ratio:rate5m * 100", "vector(1)"),
    ],
)
def test_what_has_no_counts_is_an_expression_and_says_so(good: str, total: str) -> None:
    source = {"good": _metric(good), "total": _metric(total)}
    slo = {"metadata": {"name": "x"}, "kind": "SLO", "spec": {
        "indicator": {"spec": {"ratioMetric": source}}, "objectives": [{"target": 0.99}]}}  # fmt: skip
    found = openslo.read([slo])
    assert found.slos["x"] == {"expr": f"1 - ({good}) / ({total})", "limit": 0.01}
    assert "no counts" in found.not_carried[0]
    assert parsed(found)["x"].expr


def _metric(query: str) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def test_a_value_that_must_stay_above_its_limit_is_turned() -> None:
    slo = {"metadata": {"name": "f1"}, "kind": "SLO", "spec": {
        "indicator": {"spec": {"thresholdMetric": _metric("regression_f1")}},
        "objectives": [{"op": "gte", "value": 0.85}]}}  # fmt: skip
    assert openslo.read([slo]).slos["f1"] == {"expr": "-(regression_f1)", "limit": -0.85}


def test_labels_that_tell_the_arms_are_left_to_the_gate() -> None:
    query = 'sum(rate(r{deployment="canary",code=~"5.."}[5m])) / sum(rate(r{deployment="canary"}[5m]))'
    metric = {"name": "e", "successCondition": "result <= 0.02", "provider": {"prometheus": {"query": query}}}
    template = {"kind": "AnalysisTemplate", "metadata": {"name": "t"}, "spec": {"metrics": [metric]}}
    assert argo.read([template], {}, ["deployment"]).slos["e"] == {"ratio": "r", "bad": {"code": "5.."}, "limit": "2%"}


@pytest.mark.parametrize(
    ("query", "metric", "match", "excluded"),
    [
        ("r", "r", {}, {}),
        ("(sum( rate(r[5m]) ))", "r", {}, {}),
        ('sum(increase(r{a="b.c", d=~"x|y", e!="f"}[1h]))', "r", {"a": r"b\.c", "d": "x|y"}, {"e": "f"}),
        ('sum(r{a="with \\"quotes\\" and }"})', "r", {"a": 'with\\ "quotes"\\ and\\ \\}'}, {}),
    ],
)
def test_forms_that_count(query: str, metric: str, match: dict[str, str], excluded: dict[str, str]) -> None:
    assert promql.counted(query) == promql.Selector(metric, match, excluded)


@pytest.mark.parametrize(
    "query", ["sum by (a) (r)", "rate(a[5m]) + rate(b[5m])", "sum(rate(r[5m])) > 0", 'r{a="1",a="2"}', ""]
)
def test_forms_that_do_not_count(query: str) -> None:
    assert promql.counted(query) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["spec", "kind", "metadata", "metrics", "objectives", "indicator", "ratioMetric", "good",
                         "query", "total", "provider", "prometheus", "target", "args", "name", "successCondition"]),
        inner),
    max_leaves=15,
)  # fmt: skip


@settings(deadline=None)
@given(JSON, st.text(max_size=30))
def test_whatever_a_document_holds_it_is_read_or_refused(body: Any, query: str) -> None:
    promql.counted(query)
    promql.quotient(query)
    promql.quantile_of(query)
    for kind, read in (("SLO", openslo.read), ("AnalysisTemplate", argo.read)):
        document = {**(body if isinstance(body, dict) else {"spec": body}), "kind": kind}
        try:
            read([document])
        except ImportFault as fault:
            assert str(fault)


MILLISECONDS = "sum(rate(istio_request_duration_milliseconds_{}[5m]))"


def limit_of(found: Imported) -> float:
    """The one limit, as the gate compares it with the buckets."""
    (slo,) = gatefile.parse({"arms": ARMS, "slos": found.slos}).slos
    return slo.limit


def test_a_bucket_in_milliseconds_stays_that_bucket() -> None:
    def source(query: str) -> dict[str, Any]:
        return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}

    good, total = source(MILLISECONDS.format('bucket{le="100"}')), source(MILLISECONDS.format("count"))
    indicator = {"spec": {"ratioMetric": {"good": good, "total": total}}}
    document = {
        "kind": "SLO",
        "metadata": {"name": "fast"},
        "spec": {"indicator": indicator, "objectives": [{"target": 0.95}]},
    }
    found = openslo.read([document])
    assert found.slos["fast"]["limit"] == "0.1s" and limit_of(found) == pytest.approx(100)


def test_a_quantile_in_milliseconds_is_compared_with_milliseconds() -> None:
    query = "histogram_quantile(0.95, sum by (le) (rate(istio_request_duration_milliseconds_bucket[5m])))"
    metric = {
        "name": "p95",
        "successCondition": "result[0] <= 250",
        "provider": {"prometheus": {"query": query}},
    }
    found = argo.read([{"kind": "AnalysisTemplate", "metadata": {"name": "t"}, "spec": {"metrics": [metric]}}])
    assert found.slos["p95"]["limit"] == "0.25s" and limit_of(found) == pytest.approx(250)
