# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated stages for the gate: what it decides, and when, without waiting and without a Prometheus."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ansible_collections.tars.rollout.plugins.module_utils._gate.shares import ShareJudge
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import (
    PASS,
    ROLLBACK,
    Arm,
    Reading,
    Slo,
    Spec,
    Tally,
)

ARMS = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}


@dataclass(frozen=True)
class Stage:
    """One simulated stage: requests per second in all, the canary's share of them, bad shares, burstiness.

    ``shock``: (first scrape, last scrape, bad share, arms "c", "b" or "cb") replaces the bad share for a while.
    """

    rps: float = 50.0
    weight: float = 0.1
    canary: float = 0.01
    stable: float = 0.01
    burstiness: float = 0.0
    shock: tuple[int, int, float, str] | None = None
    scrape_s: float = 15.0
    bake_s: float = 600.0

    @property
    def scrapes(self) -> int:
        return int(self.bake_s / self.scrape_s)


@dataclass
class Tell:
    """What became of many runs of one stage."""

    runs: int = 0
    rollbacks: int = 0
    passes: int = 0
    times: list[float] = field(default_factory=list)

    def quantile(self, q: float) -> float:
        """Seconds until rollback; infinite where fewer runs than that were rolled back."""
        times = sorted([*self.times, *[math.inf] * (self.runs - self.rollbacks)])
        return times[min(int(q * len(times)), len(times) - 1)]


def poisson(rng: random.Random, mean: float) -> int:
    if mean > 200:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, k, p = math.exp(-mean), 0, 1.0
    while (p := p * rng.random()) > limit:
        k += 1
    return k


def _share(rng: random.Random, p: float, icc: float) -> float:
    if icc <= 0 or p <= 0:
        return p
    k = 1 / icc - 1
    return rng.betavariate(p * k, (1 - p) * k)


def _requests(rng: random.Random, stage: Stage, rate: float, p: float) -> tuple[int, int]:
    share = _share(rng, p, stage.burstiness)
    mean = rate * stage.scrape_s
    bad = poisson(rng, mean * share)
    return bad, bad + poisson(rng, mean * (1 - share))


def tallies(rng: random.Random, stage: Stage) -> Iterator[Tally]:
    for scrape in range(stage.scrapes):
        pc, pb = stage.canary, stage.stable
        if stage.shock and stage.shock[0] <= scrape < stage.shock[1]:
            pc = stage.shock[2] if "c" in stage.shock[3] else pc
            pb = stage.shock[2] if "b" in stage.shock[3] else pb
        x, n = _requests(rng, stage, stage.rps * stage.weight, pc)
        y, m = _requests(rng, stage, stage.rps * (1 - stage.weight), pb)
        yield Tally(n, x, x, x, x, x, m, y)


def spec(stage: Stage, slos: int = 1) -> Spec:
    made = tuple(
        Slo(f"error_rate_{i}", "ratio", 0.02, "requests_total", violation=0.05, max_drift=0.1) for i in range(slos)
    )
    return Spec(made, ARMS, bake_s=stage.bake_s, scrape_s=stage.scrape_s, max_bake_s=stage.bake_s)


def run(rng: random.Random, stage: Stage, gate: Spec | None = None) -> tuple[str, float]:
    """One run: (verdict, seconds of the decision)."""
    gate = gate or spec(stage)
    judge = ShareJudge(gate.slos[0], gate)
    history = [_requests(rng, stage, stage.rps, stage.stable) for _round in range(240)] if stage.burstiness else []
    seen: list[Tally] = []
    verdict = ""
    for number, tally in enumerate(tallies(rng, stage), 1):
        seen.append(tally)
        now = number * stage.scrape_s
        reading = Reading(
            Arm(1, now, stage.scrape_s), Arm(1, now, stage.scrape_s), tallies=seen, changed=number - 1, history=history
        )
        verdict = judge.look(reading, now, end=number == stage.scrapes).verdict
        if verdict == ROLLBACK:
            break
    return verdict, now


def runs(stage: Stage, count: int, seed: int = 1, one: Callable[..., tuple[str, float]] = run) -> Tell:
    rng = random.Random(seed)
    tell = Tell()
    for _round in range(count):
        verdict, at = one(rng, stage)
        tell.runs += 1
        tell.passes += verdict == PASS
        if verdict == ROLLBACK:
            tell.rollbacks += 1
            tell.times.append(at)
    return tell
