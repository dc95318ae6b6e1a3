# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The few forms of PromQL that a gate can take over as a selector. Anything else stays an opaque expression."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate import units

_STRING = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
_MATCHER = re.compile(rf"\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*({_STRING})\s*(?:,|$)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?", re.DOTALL)
_WINDOW = re.compile(r"(.*)\[[^\[\]]+\]", re.DOTALL)
_QUANTILE = re.compile(r"histogram_quantile\(\s*([0-9.]+)\s*,(.*)\)", re.DOTALL)
_BY_LE = re.compile(r"\s*sum\s*(?:by\s*\(\s*le\s*\)\s*\((.*)\)|\((.*)\)\s*by\s*\(\s*le\s*\))\s*", re.DOTALL)


@dataclass(frozen=True)
class Selector:
    """A metric and its matchers, fully anchored regular expressions; ``excluded``: those that must not fit."""

    metric: str
    match: Mapping[str, str] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)

    def without(self, labels: Iterable[str]) -> Selector:
        """The same without matchers on these labels."""
        drop = set(labels)
        kept = ({k: v for k, v in part.items() if k not in drop} for part in (self.match, self.excluded))
        return Selector(self.metric, *kept)


def selector(text: str) -> Selector | None:
    """The selector that a text is; None when it is something else."""
    found = _SELECTOR.fullmatch(text.strip())
    if not found:
        return None
    match: dict[str, str] = {}
    excluded: dict[str, str] = {}
    rest, at = found[2] or "", 0
    while rest[at:].strip():
        item = _MATCHER.match(rest, at)
        if not item:
            return None
        label, sign, value = item[1], item[2], re.sub(r"\\(.)", r"\1", item[3][1:-1]) if "~" not in item[2] else ""
        if "~" in sign:
            value = item[3][1:-1].replace("\\\\", "\\").replace('\\"', '"')
        place = excluded if sign.startswith("!") else match
        if label in match or label in excluded:
            return None
        place[label] = value if "~" in sign else re.escape(value)
        at = item.end()
    return Selector(found[1], match, excluded)


def counted(query: str) -> Selector | None:
    """The selector in ``sum(rate(sel[5m]))``, ``sum(increase(sel[5m]))``, ``sum(sel)`` or ``sel``; else None."""
    text = unwrapped(query)
    for function in ("sum", "rate", "increase", "irate"):
        inner = _call(function, text)
        if inner is not None:
            windowed = _WINDOW.fullmatch(inner.strip()) if function != "sum" else None
            text = unwrapped(windowed[1] if windowed else inner)
    return selector(text)


def quotient(query: str) -> tuple[str, str] | None:
    """Dividend and divisor of ``a / b``; None when the query is no single division."""
    text, depth, quote, places = unwrapped(query), 0, "", []
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[index - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and char in "/*+-<>":
            places.append(index)
    if len(places) != 1 or text[places[0]] != "/":
        return None
    return text[: places[0]].strip(), text[places[0] + 1 :].strip()


def quantile_of(query: str) -> tuple[float, Selector] | None:
    """(0.95, selector of the metric without _bucket) of a ``histogram_quantile(0.95, sum by (le) (rate(...)))``."""
    found = _QUANTILE.fullmatch(unwrapped(query))
    inner = _BY_LE.fullmatch(found[2]) if found else None
    chosen = counted(inner[1] or inner[2]) if inner else None
    if not found or chosen is None or not chosen.metric.endswith("_bucket"):
        return None
    return float(found[1]), Selector(chosen.metric.removesuffix("_bucket"), chosen.match, chosen.excluded)


def unwrapped(query: str) -> str:
    """The query without needless space and brackets around it."""
    text = re.sub(r"#[^\n]*", "", query).strip()
    while (inner := _call("", text)) is not None:
        text = inner.strip()
    return text


def ratio(part: Selector, total: Selector, good: bool, share: float) -> dict[str, Any] | None:
    """The objective "at most ``share`` of ``total`` are bad" by its good or its bad ``part``; None without counts."""
    if total.excluded:
        return None
    latency = _latency(part, total, share) if good else None
    if latency or part.metric != total.metric:
        return latency
    match = {label: text for label, text in part.match.items() if total.match.get(label) != text}
    if not total.match.items() <= part.match.items():
        return None
    # What is not good is bad only where the good ones are told by what they are not.
    bad = dict(part.excluded) if good else match
    if len(bad) != 1 or (match if good else part.excluded):
        return None
    return {"ratio": total.metric, "bad": bad, "limit": percent(share), **_matching(total.match)}


def _latency(part: Selector, total: Selector, share: float) -> dict[str, Any] | None:
    """Good ones are those of a bucket, all of them those of +Inf or of _count."""
    base, bound = part.metric.removesuffix("_bucket"), part.match.get("le", "").replace("\\", "")
    whole = total.metric == f"{base}_count" or (total.metric == part.metric and "Inf" in total.match.get("le", ""))
    rest = part.without(["le"])
    if base == part.metric or not whole or rest.match != total.without(["le"]).match or rest.excluded:
        return None
    try:
        limit = float(bound)
    except ValueError:
        return None
    return {
        "latency": base,
        "quantile": f"p{100 * (1 - share):.6g}",
        "limit": duration(base, limit),
        **_matching(rest.match),
    }


def duration(metric: str, bound: float) -> str:
    """A bound in the unit of a latency metric, written as the gate file wants it, in seconds."""
    return f"{bound / units.per_second(metric):.9g}s"


def percent(share: float) -> str:
    return f"{round(100 * share, 9):g}%"


def expression(query: str, limit: float, upper: bool) -> dict[str, Any]:
    """An opaque objective: the query's value is at most (``upper``), or else at least, ``limit``."""
    text = " ".join(query.split())
    return {"expr": text, "limit": limit} if upper else {"expr": f"-({text})", "limit": -limit}


def finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _matching(match: Mapping[str, str]) -> dict[str, Any]:
    return {"match": dict(match)} if match else {}


def _call(function: str, text: str) -> str | None:
    """What stands in the brackets of ``function(...)`` when that is the whole text."""
    head = re.match(rf"{function}\s*\(", text)
    if not head or not text.endswith(")"):
        return None
    depth = 0
    for index in range(head.end() - 1, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return text[head.end() : -1] if index == len(text) - 1 else None
    return None
