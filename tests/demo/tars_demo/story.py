# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout did, read from its ledger: one row per step of a region. Pure: events in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

PHASES = {
    "preflight": "region entered",
    "migrated": "canary made",
    "soaking": "soak 100 %",
    "rolling_back": "rolling back",
    "rolled_back": "rolled back",
}
"""What happens after the record says so, in the words of a person."""
PROMOTION = {0: "stable replaced", 1: "back 50 %", 2: "back 100 %", 3: "canary away"}
"""The steps of a promotion, by their number in the record."""


@dataclass
class Row:
    """One step of a region. Moments in seconds since 1970, durations in seconds."""

    region: str
    step: str
    kind: str
    began: float
    took: float = 0.0
    planned: float = 0.0
    """What the plan asks for: bake or soak."""
    verdict: str = ""
    decided_after: float | None = None
    lines: tuple[str, ...] = ()
    """What the gate said of each service."""
    requests: int = 0
    failed: int = 0

    @property
    def ended(self) -> float:
        """When the next step began."""
        return self.began + self.took

    @property
    def beyond(self) -> float:
        """Seconds on top of what the plan asks for."""
        return max(0.0, self.took - self.planned)


def rows(events: Iterable[Event], planned: Mapping[str, float]) -> list[Row]:
    """One row per step, in the order in which they began; the last one of a region has no duration of its own.

    ``planned``: seconds that the plan asks for by kind of step: stage, soak, back.
    """
    found: list[Row] = []
    last: dict[str, Row] = {}
    for event in events:
        if event.kind not in ("phase", "step"):
            continue
        at, row = seconds_of(event.at), last.get(event.region)
        kind, step = _step(event.data)
        if row is None or (row.kind, row.step) != (kind, step):
            if row is not None:
                row.took = at - row.began
            row = last[event.region] = Row(event.region, step, kind, at, planned=planned.get(kind, 0.0))
            found.append(row)
        _judged(row, event.data)
    return found


def _step(data: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and name of the step that a record is in."""
    phase, stage = str(data["phase"]), data.get("stage")
    if phase == "canary" and stage is not None:
        return "stage", f"{data['cohort']}[{stage}]"
    if phase == "promoting" and data.get("cohort") == "promotion" and stage is not None:
        return ("back" if stage in (1, 2) else phase), PROMOTION[int(stage)]
    return {"soaking": "soak"}.get(phase, phase), PHASES.get(phase, phase.replace("_", " "))


def _judged(row: Row, data: Mapping[str, Any]) -> None:
    """Keep what the gate said, where the event is the end of an act: in all others the evidence is that of before."""
    evidence = data.get("evidence") or {}
    if evidence.get("verdict") and (not data.get("intent") or row.kind == "rolling_back"):
        row.verdict = str(evidence["verdict"])
        row.decided_after = evidence.get("decided_after_s")
        row.lines = tuple(str(line) for line in evidence.get("lines", ()))


def count(found: Sequence[Row], requests: Iterable[tuple[float, str, str, bool]]) -> None:
    """Add to each row the requests of its region that were due while it lasted."""
    by_region: dict[str, list[Row]] = {}
    for row in found:
        by_region.setdefault(row.region, []).append(row)
    for at, region, _service, failed in requests:
        for row in by_region.get(region, ()):
            if row.began <= at < row.ended:
                row.requests += 1
                row.failed += failed
                break
