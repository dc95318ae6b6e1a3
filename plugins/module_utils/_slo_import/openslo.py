# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""OpenSLO v1 (https://github.com/OpenSLO/OpenSLO): documents of the kinds SLO and SLI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._slo_import import promql
from ansible_collections.tars.rollout.plugins.module_utils._slo_import.imported import (
    Imported,
    ImportFault,
    listed,
    mapping,
    share_or_expression,
)

VERSION = "openslo/v1"
_UPPER = {"lte": True, "lt": True, "gte": False, "gt": False}


def read(documents: Iterable[Mapping[str, Any]], arm_labels: Iterable[str] = ()) -> Imported:
    """All SLOs of the documents; raises ImportFault for what is no SLO at all."""
    found, labels = Imported(), list(arm_labels)
    documents = list(documents)
    indicators = {_name(item): item for item in documents if item.get("kind") == "SLI"}
    for document in documents:
        if document.get("kind") == "SLO":
            _slo(found, document, indicators, labels)
        elif document.get("kind") != "SLI":
            found.lose(_name(document), f"a gate has no {document.get('kind')}")
    return found


def _slo(found: Imported, document: Mapping[str, Any], indicators: Mapping[str, Any], labels: list[str]) -> None:
    name, spec = _name(document), mapping(document.get("spec"))
    reference = str(spec.get("indicatorRef", ""))
    indicator = mapping(mapping(spec.get("indicator") or indicators.get(reference)).get("spec"))
    if not indicator:
        raise ImportFault(
            f"The SLO {name}",
            f"its indicator {reference!r} is in none of the documents" if reference else "it has no indicator",
            "Put the SLI into the same file",
        )
    found.service = found.service or str(spec.get("service", ""))
    for objective in map(mapping, listed(spec.get("objectives"))):
        title = str(objective.get("displayName") or name) if len(listed(spec["objectives"])) > 1 else name
        _objective(found, name, title, indicator, objective, labels)
    for key, why in (
        ("timeWindow", "a gate judges a bake, not a window of days"),
        ("alertPolicies", "a gate alerts nobody"),
    ):
        if spec.get(key):
            found.lose(name, f"{key}: {why}")
    if spec.get("budgetingMethod") not in (None, "Occurrences"):
        found.lose(name, f"budgetingMethod {spec['budgetingMethod']}: requests are counted, not slices of time")


def _objective(
    found: Imported,
    name: str,
    title: str,
    indicator: Mapping[str, Any],
    objective: Mapping[str, Any],
    labels: list[str],
) -> None:
    target = _target(objective)
    ratio, threshold = mapping(indicator.get("ratioMetric")), mapping(indicator.get("thresholdMetric"))
    if threshold:
        _threshold(found, name, title, _query(threshold), objective, labels)
        if target is not None:
            found.lose(name, f"target {objective.get('target', objective.get('targetPercent'))} of a threshold: "
                       "a gauge is over its limit or it is not")  # fmt: skip
        return
    if target is None or not 0 < target < 1:
        found.lose(name, f"the objective {title} has no target between 0 and 1")
        return
    if ratio.get("raw"):
        query, failure = _query(mapping(ratio["raw"])), ratio.get("rawType") == "failure"
        found.add(title, promql.expression(query if failure else f"1 - ({query})", round(1 - target, 9), True))
        found.lose(name, "a raw ratio has no counts: it is a hard rule without statistics")
        return
    part, total = ratio.get("good") or ratio.get("bad"), ratio.get("total")
    counted, whole = _query(mapping(part)), _query(mapping(total))
    if not counted or not whole:
        found.lose(name, f"the indicator of {title} has no Prometheus queries for a part and the total")
        return
    slo, why = share_or_expression(counted, whole, bool(ratio.get("good")), 1 - target, labels)
    found.add(title, slo)
    if why:
        found.lose(name, why)


def _threshold(
    found: Imported, name: str, title: str, query: str, objective: Mapping[str, Any], labels: list[str]
) -> None:
    value, upper = promql.finite(objective.get("value")), _UPPER.get(str(objective.get("op")))
    if not query or value is None or upper is None:
        found.lose(name, f"the threshold of {title} needs a query, an op ({', '.join(_UPPER)}) and a value")
        return
    chosen = promql.selector(promql.unwrapped(query))
    if chosen and upper and not chosen.excluded:
        match = dict(chosen.without(labels).match)
        found.add(title, {"gauge": chosen.metric, "limit": value, **({"match": match} if match else {})})
    else:
        found.add(title, promql.expression(query, value, upper))


def _target(objective: Mapping[str, Any]) -> float | None:
    percent = promql.finite(objective.get("targetPercent"))
    return percent / 100 if percent is not None else promql.finite(objective.get("target"))


def _query(metric: Mapping[str, Any]) -> str:
    source = mapping(metric.get("metricSource"))
    if str(source.get("type", "Prometheus")).lower() not in ("prometheus", "thanos", "mimir", "victoriametrics"):
        return ""
    return str(mapping(source.get("spec")).get("query") or "")


def _name(document: Mapping[str, Any]) -> str:
    return str(mapping(document.get("metadata")).get("name") or document.get("kind") or "document")
