# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Values as users give them and as they stand in records: whole numbers, and moments in UTC. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError


def number(option: str, value: Any, low: int, high: int) -> int | None:
    """A whole number in its range, None where it is not given; RolloutError ``<option>_invalid`` for all else.

    Templates of ansible-core 2.18 make texts of numbers, so digits alone are taken as one. Anything else that Ansible
    would make a number of is refused: true is not 1, and "10%", "1e1" or 9.5 are not what somebody meant to send users.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
        found = int(value)
    else:
        kind = {bool: "a boolean", str: "a text", float: "no whole number"}.get(type(value), "no number")
        raise _refuse(option, f"{option} is {value!r}, which is {kind}", low, high)
    if not low <= found <= high:
        raise _refuse(option, f"{option} is {found}", low, high)
    return found


def duration(option: str, value: Any) -> float:
    """Seconds from a number, or from a duration as Helm takes it: 90s, 10m, 1h30m.

    RolloutError ``<option>_invalid`` for all else.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        return float(text)
    if text and re.fullmatch(r"([0-9]{1,9}(\.[0-9]+)?(ms|s|m|h))+", text):
        parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
        return sum(float(count) * {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}[unit] for count, unit in parts)
    raise RolloutError(
        f"{option} is {value!r}, which is no duration",
        reason=f"{option}_invalid",
        hint="Give seconds, or a duration with its unit such as 90s or 10m",
        details={"option": option},
    )


def moment(seconds: float) -> str:
    """Seconds since 1970 as 2026-01-31T12:00:00.123Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """The reverse; ValueError for anything without a time zone, which would mean another moment on another machine."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found.timestamp()


def _refuse(option: str, msg: str, low: int, high: int) -> RolloutError:
    hint = f"Give a whole number from {low} to {high}"
    return RolloutError(msg, reason=f"{option}_invalid", hint=hint, details={"option": option})
