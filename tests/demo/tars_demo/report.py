# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the demo: tables for a person, one document for a machine. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .load import Totals
from .story import Row

ENOUGH = 10_000
"""Requests that a good rollout has to carry before "none failed" means something."""


@dataclass
class Part:
    """One rollout of the demo, the good or the bad release."""

    release: str
    seconds: float = 0.0
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Region -> what its outcome file says."""
    rows: Sequence[Row] = ()
    totals: Totals = field(default_factory=Totals)
    evidence: str = ""
    code: int = -1
    """How ansible-playbook ended."""

    @property
    def reached(self) -> list[str]:
        """Regions in which something began, in their order."""
        return list(dict.fromkeys(row.region for row in self.rows))


def document(good: Part, bad: Part, regions: Sequence[str]) -> dict[str, Any]:
    """What `build/demo.json` holds. Durations in seconds."""
    cut = next(iter(bad.outcomes.values()), {})
    found = problems(good, bad, regions)
    return {
        "ok": not found,
        "problems": found,
        "good": {
            "release": good.release,
            "result": _result(good, regions),
            "requests": good.totals.requests,
            "failed_requests": good.totals.failed,
            "duration_s": round(good.seconds, 1),
            "regions": {region: _region(good, region) for region in good.reached},
        },
        "bad": {
            "release": bad.release,
            "result": cut.get("outcome", "none"),
            "reason": cut.get("code", ""),
            "decided_after_s": cut.get("decided_after_s"),
            "requests": bad.totals.requests,
            "failed_requests": bad.totals.failed,
            "duration_s": round(bad.seconds, 1),
            "regions": {region: _region(bad, region) for region in bad.reached},
        },
    }


def problems(good: Part, bad: Part, regions: Sequence[str]) -> list[str]:
    """Why the demo did not show what it should, a sentence each; none when it did."""
    found = []
    if _result(good, regions) != "promoted" or good.code:
        found.append(f"the good release {good.release} was not promoted everywhere: {_told(good)}")
    if good.totals.failed:
        found.append(f"{good.totals.failed} requests failed while the good release came: {good.totals.failures}")
    if good.totals.requests < ENOUGH:
        found.append(f"only {good.totals.requests} requests were sent, {ENOUGH} are wanted")
    if [entry.get("outcome") for entry in bad.outcomes.values()] != ["rolled_back"]:
        found.append(f"the bad release {bad.release} was not rolled back in its first region alone: {_told(bad)}")
    return found


def tables(good: Part, bad: Part, regions: Sequence[str]) -> Iterator[str]:
    """The lines that a person reads at the end."""
    for title, part in (("The good release", good), ("The bad release", bad)):
        yield ""
        yield f"{title}, {part.release}: {_told(part)}, {_time(part.seconds)}"
        yield from table(part)
        totals = part.totals
        yield f"  {totals.requests} requests, {totals.failed} failed{_failures(totals)}; evidence in {part.evidence}"
        for text in dict.fromkeys(totals.too_slow):
            yield f"  the load generator says of itself: {text}"
    yield ""
    found = problems(good, bad, regions)
    yield from (f"NOT AS IT SHOULD BE: {text}" for text in found)
    if not found:
        judged = bad_decided(bad)
        yield (
            f"The good release reached {', '.join(good.reached)} and {good.totals.requests} requests saw nothing of it;"
            f" the bad one was stopped in {bad.reached[0]}{judged} and taken back."
        )


def table(part: Part) -> Iterator[str]:
    """A line per region and step, below it what the gate said of the service that mattered."""
    head = f"  {'region':<15} {'step':<16} {'took':>7} {'beyond':>7} {'requests':>9} {'failed':>7}  verdict"
    yield head
    before = ""
    for row in part.rows:
        region = row.region if row.region != before else ""
        before = row.region
        if not row.took:
            yield f"  {region:<15} {row.step:<16}"
            continue
        beyond = f"{row.beyond:.1f} s" if row.planned else ""
        verdict = row.verdict + (f" after {row.decided_after:.0f} s" if row.decided_after is not None else "")
        yield (
            f"  {region:<15} {row.step:<16} {row.took:>5.1f} s {beyond:>7} {row.requests:>9} {row.failed:>7}  {verdict}"
        ).rstrip()
        for line in row.lines if row.verdict in ("rollback", "hold") else row.lines[:1]:
            yield f"  {'':<15}   {line}"


def bad_decided(bad: Part) -> str:
    """Half a sentence on how soon, empty when it is not known."""
    after = next(iter(bad.outcomes.values()), {}).get("decided_after_s")
    return f" after {after} s of its stage" if after is not None else ""


def _result(part: Part, regions: Sequence[str]) -> str:
    ends = [part.outcomes.get(region, {}).get("outcome", "not reached") for region in regions]
    return ends[0] if len(set(ends)) == 1 else ", ".join(ends)


def _told(part: Part) -> str:
    ends = [f"{region} {entry.get('outcome')}" for region, entry in part.outcomes.items()]
    return ", ".join(ends) or "no region was entered"


def _region(part: Part, region: str) -> dict[str, Any]:
    mine = [row for row in part.rows if row.region == region]
    return {
        "outcome": part.outcomes.get(region, {}).get("outcome", ""),
        "duration_s": round(sum(row.took for row in mine), 1),
        "beyond_bake_and_soak_s": round(sum(row.beyond for row in mine), 1),
        "steps": [
            {
                "step": row.step,
                "took_s": round(row.took, 1),
                "beyond_s": round(row.beyond, 1),
                "requests": row.requests,
                "failed": row.failed,
                "verdict": row.verdict,
                "decided_after_s": row.decided_after,
                "lines": list(row.lines),
            }
            for row in mine
        ],
    }


def _failures(totals: Totals) -> str:
    told = ", ".join(f"{name} {number}" for name, number in totals.failures.items())
    return f" ({told})" if told else ""


def _time(seconds: float) -> str:
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s"
