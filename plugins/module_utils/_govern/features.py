# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Feature flags that flip with a release: as variables of its pods, and as values of its chart. Pure.

A flag must read the same on both tracks, although the canary gets it as a variable and stable by way of the chart.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"[A-Z0-9_]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def faults(features: Any, prefix: Any) -> Iterator[str]:
    """What is wrong with the flags or with the prefix of their variables, a sentence's end each."""
    if not isinstance(features, Mapping):
        yield f"its flags are {features!r}, which is no mapping"
        return
    if not isinstance(prefix, str) or (prefix and not _VARIABLE.fullmatch(prefix)):
        yield f"the prefix of its flags' variables is {prefix!r}"
        return
    for name, value in features.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"a flag has the name {name!r}"
        elif not _VARIABLE.fullmatch(prefix + name):
            yield f"the flag {name} would be the variable {prefix + name}"
        elif not isinstance(value, bool | str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            yield f"the flag {name} has the value {value!r}"


def variables(features: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """The variables of a pod. Yes and no are true and false, as charts write them."""
    return {f"{prefix}{name}": _text(value) for name, value in features.items()}


def values(features: Mapping[str, Any]) -> dict[str, str | bool]:
    """The flags as values of a chart.

    Numbers become texts: Helm reads every number as a float and would write a million as 1e+06. Yes and no stay what
    they are, so that a template may ask for them; both ways they read as the variables do.
    """
    return {name: value if isinstance(value, bool) else _text(value) for name, value in features.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
