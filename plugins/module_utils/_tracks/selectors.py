# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Label selectors of Kubernetes: whom they select, and the same ones for the canary's value of a label. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Selector = Mapping[str, Any]
Labels = Mapping[str, str]


def matches(selector: Selector | None, labels: Labels) -> bool:
    """Whether a LabelSelector selects pods with these labels: an empty one selects all, an absent one none."""
    if selector is None:
        return False
    plain: Labels = selector.get("matchLabels") or {}
    return plain.items() <= labels.items() and all(
        _holds(item, labels) for item in selector.get("matchExpressions") or []
    )


def service_matches(selector: Labels | None, labels: Labels) -> bool:
    """The same for the plain map of a Service, where an empty one selects nothing."""
    return bool(selector) and (selector or {}).items() <= labels.items()


def mentions(selector: Selector | None, key: str) -> bool:
    """Whether the selector asks for that label at all."""
    selector = selector or {}
    expressions = selector.get("matchExpressions") or []
    return key in (selector.get("matchLabels") or {}) or any(item.get("key") == key for item in expressions)


def moved(selector: Selector, key: str, values: Mapping[str, str]) -> dict[str, Any]:
    """The selector with other values of that label: it selects the canaries and stable no more."""
    result = dict(selector)
    plain = dict(selector.get("matchLabels") or {})
    if plain.get(key) in values:
        result["matchLabels"] = {**plain, key: values[plain[key]]}
    if expressions := selector.get("matchExpressions"):
        result["matchExpressions"] = [
            {**item, "values": [values.get(value, value) for value in item.get("values") or []]}
            if item.get("key") == key and item.get("values")
            else item
            for item in expressions
        ]
    return result


def widened(selector: Selector, key: str, values: Mapping[str, str]) -> dict[str, Any]:
    """The selector with the canaries beside stable: wherever it says one of ``values``, it says both."""
    result = dict(selector)
    plain = dict(selector.get("matchLabels") or {})
    expressions = [_both(item, key, values) for item in selector.get("matchExpressions") or []]
    if plain.get(key) in values:
        value = plain.pop(key)
        expressions.append({"key": key, "operator": "In", "values": [value, values[value]]})
        result.pop("matchLabels", None)
        if plain:
            result["matchLabels"] = plain
    if expressions:
        result["matchExpressions"] = expressions
    return result


def _both(item: Mapping[str, Any], key: str, values: Mapping[str, str]) -> Mapping[str, Any]:
    named = item.get("values") or []
    if item.get("key") != key or not any(value in values for value in named):
        return item
    added = [values[value] for value in named if value in values and values[value] not in named]
    return {**item, "values": [*named, *added]}


def _holds(item: Mapping[str, Any], labels: Labels) -> bool:
    value, operator = labels.get(item.get("key", "")), item.get("operator")
    if operator == "In":
        return value in (item.get("values") or [])
    if operator == "NotIn":
        return value not in (item.get("values") or [])
    return (value is not None) == (operator == "Exists")
