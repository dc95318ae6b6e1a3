# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads: a line every few seconds, a summary at the end."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TextIO

from tarslab.load import outcome as oc
from tarslab.load.summary import PASSED, TOO_SLOW, Histogram, Summary


class ProgressLines:
    """Prints what happened since its last line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._outcomes: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()
        self._late = 0
        self._cuts = 0

    def __call__(self, seconds: float, summary: Summary, in_flight: int) -> None:
        """Print one line; `seconds` since the start."""
        print(progress_line(seconds, self._new(summary), in_flight), file=self._stream, flush=True)
        self._outcomes, self._versions = summary.outcomes, summary.versions
        self._late, self._cuts = summary.late, summary.cuts

    def _new(self, summary: Summary) -> dict[str, Counter[str]]:
        beside = Counter({"late": summary.late - self._late, "cuts": summary.cuts - self._cuts})
        return {
            "outcomes": summary.outcomes - self._outcomes,
            "versions": summary.versions - self._versions,
            "beside": beside,
        }


def progress_line(seconds: float, new: dict[str, Counter[str]], in_flight: int) -> str:
    """One line on what was added lately: `15 s  500 ok  2 failed (http_5xx 2)  1 in flight  1.0.0 90 %, 1.0.1 10 %`."""
    outcomes, versions, beside = new["outcomes"], new["versions"], new["beside"]
    failures = {name: outcomes[name] for name in oc.FAILURES if outcomes[name]}
    parts = [f"{seconds:5.0f} s {outcomes[oc.OK]:6d} ok  {_failed(sum(failures.values()), failures)}"]
    parts.append(f"{in_flight} in flight")
    parts += [f"{beside[name]} {name}" for name in ("late", "cuts") if beside[name]]
    answered = sum(number for version, number in versions.items() if version)
    if answered:
        shares = (f"{name} {number / answered:.0%}" for name, number in sorted(versions.items()) if name and number)
        parts.append(", ".join(shares).replace("%", " %"))
    return "  ".join(parts)


def summary_lines(summary: Summary) -> list[str]:
    """The end of a run, for a person."""
    lines = [
        f"{summary.total} requests in {summary.elapsed:.1f} s, {_failed(summary.failed, summary.failures)}"
        + (" (ended by a signal)" if summary.interrupted else ""),
        f"latency ms  from due: {_latency(summary.from_due)}   from sending: {_latency(summary.from_send)}",
    ]
    for service, versions in summary.to_json()["services"].items():
        for version, outcomes in versions.items():
            lines.append(f"  {service:<14} {version:<12} " + ", ".join(f"{k} {v}" for k, v in outcomes.items()))
    if summary.websockets:
        lines.append(f"WebSockets: {summary.cuts} cut")
        for service, versions in summary.to_json()["ws"]["connections"].items():
            for version, ends in versions.items():
                told = ", ".join(f"{k} {v}" for k, v in ends.items())
                got = summary.lines[service, "" if version == "-" else version]
                lines.append(f"  {service:<14} {version:<12} {told}; {got} lines")
    lines.append(
        f"generator: {summary.late} late, worst lag {summary.worst_lag * 1000:.0f} ms, "
        f"{summary.cpu:.1f} s of processor time ({summary.cpu / max(summary.elapsed, 0.001):.0%} of a core)"
    )
    lines.append(verdict_line(summary))
    return lines


def verdict_line(summary: Summary) -> str:
    """The last line: what the run says, or why it says nothing."""
    if summary.verdict == TOO_SLOW:
        return f"{TOO_SLOW}: {summary.too_slow}; this run is no statement about the system, repeat it with less load"
    if summary.verdict == PASSED:
        return f"{PASSED}: no request failed"
    return f"{summary.verdict}: {_failed(summary.failed, summary.failures)}"


def _failed(number: int, failures: dict[str, int]) -> str:
    if not number:
        return "0 failed"
    return f"{number} failed ({', '.join(f'{name} {count}' for name, count in failures.items())})"


def _latency(histogram: Histogram) -> str:
    values = histogram.to_json()
    return f"p50 {values['p50']:g}, p99 {values['p99']:g}, max {values['max']:g}"
