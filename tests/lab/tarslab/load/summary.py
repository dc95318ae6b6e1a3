# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of a run: counts per service and version, percentiles, the generator's own lag, the verdict."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tarslab.load import outcome as oc
from tarslab.load.plan import WEBSOCKET

LATE = 0.05
"""Seconds. A request that left more than this after it was due is late: the generator's fault, not the system's."""
LATE_SHARE = 0.05
"""With more than this share of late requests the run says nothing about the system. (At 100 rps beside a build that
keeps both cores busy 0.5 % were late.)"""

PASSED = "passed"
FAILED = "failed"
TOO_SLOW = "generator too slow"


class Histogram:
    """Durations in buckets 1 % wide: percentiles of any number of requests within 0.5 %, in little memory."""

    _FLOOR = 1e-6
    _STEP = math.log(1.01)

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.max = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._buckets[int(math.log(max(seconds, self._FLOOR) / self._FLOOR) / self._STEP)] += 1
        self.count += 1
        self.max = max(self.max, seconds)

    def percentile(self, share: float) -> float:
        """Return the duration (seconds) that `share` (0..1) of all stay within; 0 when there is none."""
        wanted = max(1, math.ceil(round(share * self.count, 9)))
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(self.max, self._FLOOR * math.exp((bucket + 0.5) * self._STEP))
        return 0.0

    def to_json(self) -> dict[str, float]:
        """Percentiles in milliseconds."""
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
        values = {name: round(self.percentile(share) * 1000, 2) for name, share in shares.items()}
        return {**values, "max": round(self.max * 1000, 2)}


@dataclass
class Summary:
    """What happened, request by request added with `request()` and `websocket()`."""

    requests: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(region, service, version, outcome) -> number of requests; version "" where no answer named one."""
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kept | new, outcome) -> number of requests."""
    websockets: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(service, version, outcome) -> number of WebSocket connections that ended so (ok: ended by us, at the end)."""
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(service, version) -> lines that came over WebSockets."""
    statuses: Counter[int] = field(default_factory=Counter)
    """HTTP status -> number of answers."""
    from_due: Histogram = field(default_factory=Histogram)
    """Latency counted from the moment the request was due (what a user feels)."""
    from_send: Histogram = field(default_factory=Histogram)
    """Latency counted from the moment the request left."""
    late: int = 0
    """Requests that left more than LATE after they were due."""
    worst_lag: float = 0.0
    """Seconds. The longest time between due and sent."""
    timeout: float = 10.0
    """Seconds. The plan's time-out: a lag of half of it may make time-outs of its own."""
    elapsed: float = 0.0
    """Seconds from the start to the last answer."""
    cpu: float = 0.0
    """Seconds of processor time that this process used meanwhile."""
    interrupted: bool = False
    """A signal ended the run before its duration was over."""

    def request(self, region: str, service: str, kind: str, result: oc.Result, lag: float, took: float) -> None:
        """Add one request; `lag` is sent minus due, `took` is answered minus sent, in seconds."""
        self.requests[region, service, result.version, result.outcome] += 1
        self.kinds[kind, result.outcome] += 1
        if result.status:
            self.statuses[result.status] += 1
        if result.outcome != oc.UNSENT:
            self.from_send.add(took)
            self.from_due.add(lag + took)
            self.late += lag > LATE
            self.worst_lag = max(self.worst_lag, lag)

    def websocket(self, service: str, result: oc.Result, lines: int) -> None:
        """Add one WebSocket connection that has ended (or could not be opened)."""
        self.websockets[service, result.version, result.outcome] += 1
        self.lines[service, result.version] += lines

    @property
    def total(self) -> int:
        """Requests that were due and are accounted for."""
        return self.requests.total()

    @property
    def outcomes(self) -> Counter[str]:
        """Outcome -> number of requests."""
        return _sum(self.requests, -1)

    @property
    def versions(self) -> Counter[str]:
        """Version -> number of requests; "" stands for those without an answer that names one."""
        return _sum(self.requests, 2)

    @property
    def failures(self) -> dict[str, int]:
        """Outcome -> number, of the failed requests and of the WebSockets that could not be opened. Cuts are none."""
        both = self.outcomes + _sum(self.websockets, -1)
        return {name: both[name] for name in oc.FAILURES if both[name]}

    @property
    def failed(self) -> int:
        """Failures of the system under load."""
        return sum(self.failures.values())

    @property
    def cuts(self) -> int:
        """WebSocket connections that the other side ended."""
        return _sum(self.websockets, -1)[oc.CUT]

    @property
    def too_slow(self) -> str:
        """Why the generator itself spoiled the run; empty when it did not."""
        sent = self.from_send.count
        if sent and self.late / sent > LATE_SHARE:
            return f"{self.late} of {sent} requests left more than {LATE * 1000:g} ms late"
        if self.worst_lag > self.timeout / 2:
            return f"a request left {self.worst_lag:.1f} s late"
        own = (self.outcomes + _sum(self.websockets, -1))[oc.OWN_LIMIT]
        return f"{own} connections failed for want of local ports or open files" if own else ""

    @property
    def verdict(self) -> str:
        """PASSED, FAILED or TOO_SLOW; the last one wins, because then the failures may be the generator's own."""
        return TOO_SLOW if self.too_slow else FAILED if self.failed else PASSED

    def to_json(self) -> dict[str, Any]:
        """Everything, as `lab load --json` prints it. Latencies in ms, times in s."""
        return {
            "verdict": self.verdict,
            "too_slow": self.too_slow,
            "interrupted": self.interrupted,
            "requests": self.total,
            "failed": self.failed,
            "failures": self.failures,
            "outcomes": dict(self.outcomes),
            "statuses": {str(status): number for status, number in sorted(self.statuses.items())},
            "kinds": _nested(self.kinds),
            "services": _nested(_merge(self.requests, (1, 2, 3))),
            "regions": _nested(_merge(self.requests, (0, 2, 3))),
            "versions": {version or "-": number for version, number in sorted(self.versions.items())},
            WEBSOCKET: {
                "cuts": self.cuts,
                "connections": _nested(self.websockets),
                "lines": _nested(self.lines),
            },
            "latency_ms": {"from_due": self.from_due.to_json(), "from_send": self.from_send.to_json()},
            "late": self.late,
            "worst_lag_ms": round(self.worst_lag * 1000, 2),
            "elapsed_s": round(self.elapsed, 3),
            "rps": round(self.total / self.elapsed, 2) if self.elapsed else 0.0,
            "cpu_s": round(self.cpu, 3),
            "cpu_share": round(self.cpu / self.elapsed, 4) if self.elapsed else 0.0,
        }


def _sum(counts: Counter[Any], place: int) -> Counter[str]:
    total: Counter[str] = Counter()
    for key, number in counts.items():
        total[key[place]] += number
    return total


def _merge(counts: Counter[Any], places: tuple[int, ...]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for key, number in counts.items():
        total[tuple(key[place] for place in places)] += number
    return total


def _nested(counts: Counter[Any]) -> dict[str, Any]:
    """Turn {(a, b, c): n} into {a: {b: {c: n}}}, sorted; a missing version is shown as "-"."""
    tree: dict[str, Any] = {}
    for key, number in sorted(counts.items()):
        branch = tree
        for part in key[:-1]:
            branch = branch.setdefault(part or "-", {})
        branch[key[-1] or "-"] = number
    return tree
