# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble on demand: faults that a test plants, and the vendor's limit of calls per key. Time is handed in."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .call import Call, Reply, invalid

APPLY_AND_DROP = "apply_then_drop_connection"
HANG = "hang"
_FAULT_KEYS = {"match", "times", "status", "headers", "json", "text", "effect", "seconds"}


@dataclass
class Fault:
    """What happens to the next `times` calls whose "METHOD path" the pattern is found in."""

    match: re.Pattern[str]
    times: int
    reply: Reply | None
    """The answer given in place of doing anything; None: it is done, and the connection closed without an answer."""
    hang: float = 0.0
    """Seconds before the (unavailable) answer, as of a receiver that hangs."""


class Faults:
    """The planted faults, the first that matches wins."""

    def __init__(self, given: Sequence[Mapping[str, Any]] = ()) -> None:
        self._faults = [_fault(item) for item in given]

    def take(self, call: Call) -> Fault | None:
        """The fault for this call, counted down."""
        for fault in self._faults:
            if fault.times > 0 and fault.match.search(f"{call.method} {call.path}"):
                fault.times -= 1
                return fault
        return None


def _fault(given: Mapping[str, Any]) -> Fault:
    if set(given) - _FAULT_KEYS or ("status" in given) == ("effect" in given):
        raise invalid({"faults": [f"need match, times and either status or effect, not {sorted(given)}"]})
    if given.get("effect", APPLY_AND_DROP) not in (APPLY_AND_DROP, HANG):
        raise invalid({"faults": [f"know the effects {APPLY_AND_DROP} and {HANG} only, not {given['effect']!r}"]})
    hang = float(given.get("seconds", 30)) if given.get("effect") == HANG else 0.0
    reply = None
    if "status" in given:
        reply = Reply(given["status"], given.get("json"), dict(given.get("headers", {})), given.get("text"))
        if "json" not in given and reply.text is None:
            reply = Reply(reply.status, None, reply.headers, "")
    try:
        match = re.compile(given["match"])
    except re.error as error:
        raise invalid({"faults": [f"have no valid pattern: {error}"]}) from error
    if hang:
        reply = Reply(503, None, {}, "")
    return Fault(match, int(given.get("times", 1)), reply, hang)


@dataclass
class Rate:
    """At most so many calls in a rolling window; 0 for no limit. A call that is turned away does not count."""

    requests: int = 0
    window: float = 60.0
    """Seconds."""
    status: int = 420
    """The vendor used 420 and announced 429; both are still met."""
    _calls: deque[float] = field(default_factory=deque)

    def check(self, now: float) -> int:
        """Seconds to come back in when the window is full; 0 lets the call pass."""
        if not self.requests:
            return 0
        while self._calls and self._calls[0] <= now - self.window:
            self._calls.popleft()
        if len(self._calls) < self.requests:
            self._calls.append(now)
            return 0
        return max(1, math.ceil(self._calls[0] + self.window - now))


def rate(given: Mapping[str, Any]) -> Rate:
    """Read `{"requests": 60, "window_s": 60, "status": 420}`."""
    if set(given) - {"requests", "window_s", "status"} or given.get("status", 420) not in (420, 429, 403):
        raise invalid({"rate_limit": ["may have requests, window_s and status (420, 429 or 403) only"]})
    return Rate(int(given.get("requests", 60)), float(given.get("window_s", 60)), given.get("status", 420))
