# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What Prometheus answered, checked piece by piece: whatever comes, the outcome is series or a fault, nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries


@dataclass(frozen=True)
class Result:
    """The data of one query. ``warnings`` make it unusable, ``infos`` are only to be shown.

    ``native``: series that are native histograms, which have no plain values; only that they are there is known.
    """

    series: tuple[RawSeries, ...] = ()
    value: float | None = None
    rows: int = 0
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    native: tuple[RawSeries, ...] = ()

    @property
    def samples(self) -> int:
        return sum(len(series.samples) for series in self.series)


class BadAnswer(ValueError):
    """The answer has not the form that Prometheus documents; the text says where."""


def decode(body: Any) -> Result:
    """The result of an instant query. Raises BadAnswer."""
    if not isinstance(body, Mapping):
        raise BadAnswer("the answer is no JSON object")
    if body.get("status") != "success":
        raise BadAnswer(f"status is {_short(body.get('status'))}, {_short(body.get('error', 'without an error text'))}")
    data = body.get("data")
    if not isinstance(data, Mapping):
        raise BadAnswer("the answer holds no data")
    kind, result = data.get("resultType"), data.get("result")
    warnings, infos = _texts(body.get("warnings")), _texts(body.get("infos"))
    if kind == "scalar":
        return Result(value=_sample(result)[1], rows=1, warnings=warnings, infos=infos)
    if kind not in ("matrix", "vector") or not isinstance(result, list):
        raise BadAnswer(f"resultType is {_short(kind)}, not matrix, vector or scalar")
    series = [_series(item, kind) for item in result]
    found = tuple(one for one in series if not one.native)
    native = tuple(one for one in series if one.native)
    if native:
        infos = (*infos, f"{len(native)} series are native histograms, which are not read; keep the classic buckets")
    value = found[0].samples[0][1] if kind == "vector" and len(found) == 1 else None
    return Result(found, value, len(result), warnings, infos, native)


def _series(item: Any, kind: str) -> RawSeries:
    """One series; a native histogram has no samples."""
    if not isinstance(item, Mapping) or not isinstance(item.get("metric"), Mapping):
        raise BadAnswer("a result is no series with labels")
    labels = {str(label): str(value) for label, value in item["metric"].items()}
    name = labels.pop("__name__", "")
    raw = item.get("values") if kind == "matrix" else [item["value"]] if "value" in item else None
    if raw is None and ("histograms" in item or "histogram" in item):
        return RawSeries(name, labels, [], native=True)
    if not isinstance(raw, list):
        raise BadAnswer(f"the series {_short(name)} has no values")
    return RawSeries(name, labels, sorted(map(_sample, raw)))


def _sample(raw: Any) -> tuple[float, float]:
    try:
        moment, text = raw
        at, value = float(moment), float(text)
    except (TypeError, ValueError, OverflowError):
        raise BadAnswer(f"{_short(raw)} is no sample") from None
    # A value may be anything, a moment may not.
    if not math.isfinite(at):
        raise BadAnswer(f"{_short(raw)} is no sample")
    return at, value


def _texts(raw: Any) -> tuple[str, ...]:
    if raw is None:
        return ()
    return tuple(map(str, raw)) if isinstance(raw, list) else (str(raw),)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
