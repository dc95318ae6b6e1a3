# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of a result with what a case expects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Measured by the harness, not returned by the module.
MEASURED = {"within_s", "process_exits_within_s", "gap_without_valid_index", "all_ok", "changed_count"}
RETURNED = (
    "changed failed valid sqlstate reason drift would missing diag repaired swept blockers waited_s phase_at_cancel "
    "leftover duplicates owner relkind schema action replaced warnings partitions partitions_built constraint adopted "
    "attempts replicas lag_s explain analyzed estimate_bytes"
)
KNOWN = MEASURED | set(RETURNED.split())
# Lists that must hold the same, would in the same order too; of the others every expected entry must be there.
WHOLE = {"drift", "swept", "missing"}
_COMPARISON = re.compile(r"(>=|<=|>|<)\s*(\d+(?:\.\d+)?)")


def mismatches(expect: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    """What of the expectation the result does not meet, as sentences."""
    found = [f"the harness does not know the expectation {key}" for key in expect if key not in KNOWN]
    if "failed" not in expect and result.get("failed"):
        found.append(f"it failed: {result.get('msg')}")
    for key, value in expect.items():
        if key not in MEASURED:
            found += _compare(key, value, result)
    return found


def _compare(key: str, value: Any, result: Mapping[str, Any]) -> Iterator[str]:
    seen = result.get(key)
    if key == "failed":
        seen = bool(seen)
    if key == "estimate_bytes":
        good = isinstance(seen, int) and seen > 0
    elif key == "duplicates":
        good = isinstance(seen, Mapping) and matches(value.get("groups", seen.get("groups")), seen.get("groups"))
        good = good and ("sample" not in value or bool(seen["sample"]))
    elif key == "diag":
        good = isinstance(seen, Mapping) and all(name in seen for name in value)
    elif key == "leftover" and value == "removed_or_renamed_aside":
        good = seen in ("removed", "renamed_aside")
    elif key == "would":
        good = seen == value
    elif key in WHOLE:
        good = isinstance(seen, list) and sorted(seen) == sorted(value)
    else:
        good = matches(value, seen)
    if not good:
        yield f"{key} is {seen!r}, expected {value!r}"


def matches(value: Any, seen: Any) -> bool:
    """Whether something seen is as expected: numbers by comparison, objects by their parts, [] is empty."""
    if isinstance(value, str) and (comparison := _COMPARISON.fullmatch(value)):
        number = float(comparison[2])
        if not isinstance(seen, int | float) or isinstance(seen, bool):
            return False
        return {">=": seen >= number, "<=": seen <= number, ">": seen > number, "<": seen < number}[comparison[1]]
    if isinstance(value, list):
        if not isinstance(seen, list) or (not value and seen):
            return False
        return all(any(matches(one, other) for other in seen) for one in value)
    if isinstance(value, Mapping):
        return isinstance(seen, Mapping) and all(matches(part, seen.get(name)) for name, part in value.items())
    return bool(seen == value)
