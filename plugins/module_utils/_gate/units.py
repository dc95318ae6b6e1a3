# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Typed values as people write them: "2%", "100ms", "10m". A number without its unit is refused, with a sentence."""

from __future__ import annotations

import re
from typing import Any

_NUMBER = r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_PERCENT = re.compile(_NUMBER + r"\s*%")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(_NUMBER + r"\s*(us|ms|s|m|h|d)")
_QUANTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]+)?)")
_MILLISECONDS = ("_milliseconds", "_ms")


class UnitError(ValueError):
    """A value that cannot be what it should be; the text completes "<where>: "."""


def percent(value: Any) -> float:
    """A share 0..1 or more, from "2%" or "2.5 %"."""
    if found := _PERCENT.fullmatch(_text(value)):
        return _finite(float(found[1]) / 100, value)
    raise UnitError(f"{value!r} is no percentage; write it with its unit, such as {_example(value, '%')}")


def seconds(value: Any) -> float:
    """Seconds, from "100ms", "15s", "10m", "1h"."""
    if found := _DURATION.fullmatch(_text(value)):
        return _finite(float(found[1]) * _SECONDS[found[2]], value)
    raise UnitError(f"{value!r} is no duration; write it with its unit, such as {_example(value, 's')}")


def quantile(value: Any) -> float:
    """0.95 from "p95", 0.999 from "p99.9"."""
    if (found := _QUANTILE.fullmatch(_text(value))) and 0 < float(found[1]) < 100:
        return round(float(found[1]) / 100, 9)
    raise UnitError(f"{value!r} is no quantile; write it such as p95 or p99.9")


def number(value: Any) -> float:
    """A value of a gauge or a count: a plain number, a percentage, or a duration in seconds."""
    text = _text(value)
    if re.fullmatch(_NUMBER, text):
        return _finite(float(text), value)
    if text.endswith("%"):
        return percent(value)
    try:
        return seconds(value)
    except UnitError:
        raise UnitError(f"{value!r} is no value; write a number, or one with a unit such as 95% or 10s") from None


def weight(value: Any) -> float:
    """A share of the traffic in percent, 0..100: a plain number."""
    text = _text(value)
    found = float(text) if re.fullmatch(_NUMBER, text) else -1.0
    if not 0 <= found <= 100:
        raise UnitError(f"{value!r} is no weight; give a number from 0 to 100")
    return found


def per_second(metric: str) -> float:
    """How many units of a latency metric make a second: 1000 where its name says milliseconds, else 1.

    Envoy's own times are milliseconds although their names do not say so.
    """
    envoy = metric.startswith("envoy_") and metric.endswith("_time")
    return 1000.0 if envoy or metric.endswith(_MILLISECONDS) else 1.0


def _text(value: Any) -> str:
    return "" if isinstance(value, bool) else str(value).strip()


def _finite(value: float, raw: Any) -> float:
    if not abs(value) < 1e15:
        raise UnitError(f"{raw!r} is too large to be meant")
    return value


def _example(value: Any, unit: str) -> str:
    text = _text(value)
    plain = re.fullmatch(_NUMBER, text) is not None
    if unit == "%":
        return f'"{text}%"' if plain and float(text) >= 1 else f'"{100 * float(text):g}%"' if plain else '"2%"'
    return f'"{text}s" or "{text}ms"' if plain else '"100ms" or "10m"'
