# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Argo Rollouts: AnalysisTemplate and ClusterAnalysisTemplate with metrics of Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate import units
from ansible_collections.tars.rollout.plugins.module_utils._slo_import import promql
from ansible_collections.tars.rollout.plugins.module_utils._slo_import.imported import (
    Imported,
    ImportFault,
    listed,
    mapping,
    share_or_expression,
)

KINDS = ("AnalysisTemplate", "ClusterAnalysisTemplate")
_CONDITION = re.compile(r"\s*result(?:\[0\])?\s*(>=|<=|>|<)\s*([0-9.eE+-]+)\s*")
_ARGUMENT = re.compile(r"\{\{\s*args\.([\w.-]+)\s*\}\}")
_LIMITS = {
    "failureLimit": "evidence decides, not a number of failed looks",
    "inconclusiveLimit": "what is open is a hold",
    "consecutiveErrorLimit": "a source that fails is a hold, never a failure",
    "consecutiveSuccessLimit": "a pass needs a proof, not a row of good looks",
}


def read(
    documents: Iterable[Mapping[str, Any]], arguments: Mapping[str, str] | None = None, arm_labels: Iterable[str] = ()
) -> Imported:
    """All metrics of the templates; raises ImportFault for an argument without a value."""
    found, labels = Imported(), list(arm_labels)
    for document in documents:
        name = str(mapping(document.get("metadata")).get("name") or "template")
        if document.get("kind") not in KINDS:
            found.lose(name, f"a gate has no {document.get('kind')}")
            continue
        spec = mapping(document.get("spec"))
        values = _arguments(spec, arguments or {})
        for metric in map(mapping, listed(spec.get("metrics"))):
            _metric(found, metric, values, labels)
        for key in ("dryRun", "measurementRetention", "templates"):
            if spec.get(key):
                found.lose(name, f"{key}: a gate has nothing like it")
    return found


def _arguments(spec: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    own = {
        str(item.get("name")): str(item["value"])
        for item in map(mapping, listed(spec.get("args")))
        if item.get("value") is not None
    }
    return own | {str(key): str(value) for key, value in given.items()}


def _metric(found: Imported, metric: Mapping[str, Any], values: Mapping[str, str], labels: list[str]) -> None:
    name = str(metric.get("name") or "metric")
    prometheus = mapping(mapping(metric.get("provider")).get("prometheus"))
    if not prometheus.get("query"):
        found.lose(name, f"its provider is {', '.join(mapping(metric.get('provider'))) or 'not said'}, not Prometheus")
        return
    query = _filled(name, str(prometheus["query"]), values)
    bound = _bound(metric)
    if bound is None:
        found.lose(name, "its condition is no single comparison of result with a number")
        return
    found.add(name, _objective(found, name, query, *bound, labels))
    _length(found, name, metric)
    for key, why in _LIMITS.items():
        if metric.get(key) is not None:
            found.lose(name, f"{key} {metric[key]}: {why}")
    if metric.get("successCondition") and metric.get("failureCondition"):
        found.lose(name, f"failureCondition {metric['failureCondition']}: the success condition is the limit")
    for key in ("address", "authentication", "headers", "insecure"):
        if prometheus.get(key):
            found.lose(name, f"{key} of Prometheus: give it to slo_gate as prometheus")


def _filled(name: str, query: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise ImportFault(f"The metric {name}", f"the argument {found[1]} has no value", "Give it with arguments")
        return values[found[1]]

    return _ARGUMENT.sub(value, query)


def _bound(metric: Mapping[str, Any]) -> tuple[float, bool] | None:
    """(limit, whether the value must stay below it): from the condition of success, else the opposite of failure."""
    for key, flip in (("successCondition", False), ("failureCondition", True)):
        text = metric.get(key)
        if text:
            found = _CONDITION.fullmatch(str(text))
            limit = promql.finite(found[2]) if found else None
            return None if found is None or limit is None else (limit, found[1].startswith("<") != flip)
    return None


def _objective(found: Imported, name: str, query: str, limit: float, upper: bool, labels: list[str]) -> dict[str, Any]:
    quantile = promql.quantile_of(query)
    if quantile and upper and not quantile[1].excluded:
        chosen = quantile[1].without(labels)
        match = {"match": dict(chosen.match)} if chosen.match else {}
        bound = promql.duration(chosen.metric, limit)
        return {"latency": chosen.metric, "quantile": f"p{100 * quantile[0]:g}", "limit": bound, **match}
    parts = promql.quotient(query)
    if parts and 0 < limit < 1:
        slo, why = share_or_expression(*parts, not upper, limit if upper else 1 - limit, labels)
        if why:
            found.lose(name, why)
        return slo
    found.lose(name, "its query is no share of counts: it is a hard rule without statistics")
    return promql.expression(query, limit, upper)


def _length(found: Imported, name: str, metric: Mapping[str, Any]) -> None:
    """Interval times count is the bake, the longest of all metrics; the delay before it is settle."""
    try:
        interval = units.seconds(metric["interval"]) if metric.get("interval") else 0.0
        delay = units.seconds(metric["initialDelay"]) if metric.get("initialDelay") else 0.0
    except units.UnitError as error:
        found.lose(name, f"interval or initialDelay: {error}")
        return
    count = promql.finite(metric.get("count"))
    if interval and count:
        bake = interval * count + delay
        if bake > units.seconds(found.defaults.get("bake", "0s")):
            found.defaults["bake"] = f"{bake:g}s"
    elif interval:
        found.lose(name, f"interval {metric['interval']} without count: name a bake")
    if delay > units.seconds(found.defaults.get("settle", "0s")):
        found.defaults["settle"] = f"{delay:g}s"
