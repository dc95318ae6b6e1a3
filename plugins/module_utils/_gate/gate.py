# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

from ansible_collections.tars.rollout.plugins.module_utils._gate import explain
from ansible_collections.tars.rollout.plugins.module_utils._gate.rules import CountJudge, GaugeJudge
from ansible_collections.tars.rollout.plugins.module_utils._gate.shares import ShareJudge
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import (
    FRESH_SCRAPES,
    HOLD,
    HOLD_REASONS,
    PASS,
    ROLLBACK,
    SETTLED_HOLDS,
    Finding,
    Reading,
    Slo,
    Spec,
)

Judge = Union[ShareJudge, GaugeJudge, CountJudge]  # noqa: UP007  # pylint cannot read the other form


@dataclass(frozen=True)
class View:
    """All that is known at one scrape. ``now``: seconds since the weight of the stage is in force.

    ``pods`` are those up, by arm. A fault (reason, sentence) stands for a poll that brought nothing to judge.
    """

    now: float
    readings: Mapping[str, Reading] = field(default_factory=dict)
    pods: Mapping[str, int] = field(default_factory=dict)
    fault: tuple[str, str] | None = None


@dataclass(frozen=True)
class Standing:
    """What stands for a service at one moment. ``decided``: the gate is done, nothing that comes later changes it."""

    verdict: str
    reason: str
    slo: str
    text: str
    decided: bool
    findings: tuple[Finding, ...]


def judge_of(slo: Slo, spec: Spec) -> Judge:
    if slo.is_share:
        return ShareJudge(slo, spec)
    return CountJudge(slo, spec) if slo.kind == "count" else GaugeJudge(slo, spec)


class Gate:
    """Judges one service through one stage: ``look`` at every scrape, in order, until it is decided.

    A proven breach of any objective rolls back at once, whatever the others lack. Nothing passes before the end of the
    bake (or ``early_s``, where there is one), and never while anything is missing. A hold lasts until ``max_bake_s``.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._judges = [judge_of(slo, spec) for slo in spec.slos]
        self._findings: tuple[Finding, ...] = ()
        self._fault: tuple[str, str] = ("QUERY_ERROR", "nothing was read")
        self._last: View | None = None
        self._standing: Standing | None = None

    @property
    def judges(self) -> list[Judge]:
        return self._judges

    def look(self, view: View) -> Standing:
        """What stands now. Once decided it stays, but for a breach that is proven while others are judged on."""
        decided = self._standing if self._standing is not None and self._standing.decided else None
        if decided is not None and decided.verdict == ROLLBACK:
            return decided
        # Seconds of a live run come with crumbs: the end is reached when less than a hundredth of a scrape is missing.
        over = view.now >= self.spec.bake_s - self.spec.scrape_s / 100
        if view.fault is not None:
            self._fault = view.fault
            if over and self._last is not None:
                # The last test is due, on what was read before the fault.
                self._absorb(self._last, end=True)
        else:
            self._last = view
            self._absorb(view, end=over)
        standing = self._conclude(view.now, over)
        self._standing = standing if decided is None or standing.verdict == ROLLBACK else decided
        return self._standing

    def _absorb(self, view: View, *, end: bool) -> None:
        self._findings = tuple(
            judge.look(view.readings[judge.slo.name], view.now - self.spec.settle_s, end=end)
            if judge.slo.name in view.readings
            else Finding(judge.slo.name, HOLD, "NO_DATA", explain.no_data(judge.slo, judge.slo.arm))
            for judge in self._judges
        )

    def _conclude(self, now: float, over: bool) -> Standing:
        spec = self.spec
        broken = [finding for finding in self._findings if finding.verdict == ROLLBACK]
        if broken:
            worst = max(broken, key=_margin)
            return self._standing_of(ROLLBACK, worst.reason, worst.slo, worst.text, decided=True)
        holds = sorted(
            [*self._source_faults(now), *((f.reason, f.slo, f.text) for f in self._findings if f.verdict == HOLD)],
            key=lambda hold: HOLD_REASONS.index(hold[0]),
        )
        if holds:
            reason, slo, text = holds[0]
            last = now >= max(spec.bake_s, spec.max_bake_s) - spec.scrape_s / 100
            # Two holds of which one can still turn and one cannot: waiting for the first would be idle as well.
            idle = any(hold[0] in SETTLED_HOLDS for hold in holds)
            return self._standing_of(HOLD, reason, slo, text, decided=over and (last or idle))
        early = spec.early_s is not None and now >= spec.early_s
        text = "; ".join(finding.text for finding in self._findings[:1])
        return self._standing_of(PASS, "OK", "", text, decided=over or early)

    def _source_faults(self, now: float) -> list[tuple[str, str, str]]:
        """(reason, objective, sentence) of what is wrong with the source or the targets right now."""
        if self._last is None or now - self._last.now > FRESH_SCRAPES * self.spec.scrape_s:
            return [(self._fault[0], "", self._fault[1])]
        pods = self._last.pods
        short = [
            explain.pods(arm, pods.get(arm, 0), expected)
            for arm, expected in self.spec.expect_pods.items()
            if pods.get(arm, 0) < expected
        ]
        return [("TARGETS_DOWN", "", "; ".join(short))] if short else []

    def _standing_of(self, verdict: str, reason: str, slo: str, text: str, *, decided: bool) -> Standing:
        return Standing(verdict, reason, slo, text, decided, self._findings)


def _margin(finding: Finding) -> float:
    """How far beyond what decides: hard rules first."""
    if finding.reason == "HARD_RULE":
        return float("inf")
    return max(finding.worse - finding.worse_needed, finding.above - finding.above_needed)
