# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What a stage will be able to decide at the traffic it gets, before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ansible_collections.tars.rollout.plugins.module_utils._gate import explain, laws
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Slo, Spec

NEVER = 10_000_000


@dataclass(frozen=True)
class Forecast:
    """Whether one objective can pass within its bake.

    ``expected`` requests of the canary in the bake, ``needed`` to exclude the violation when the canary is as good as
    stable; ``seconds`` and ``weight`` (0..100) that would do instead. None where nothing would, or nothing is known.
    """

    slo: str
    decidable: bool | None
    expected: float | None
    needed: int | None
    seconds: float | None
    weight: float | None
    text: str


def needed_requests(violation: float, share: float, beta: float) -> int | None:
    """Requests with that share of bad ones that exclude the violation; None when no number does."""

    def excluded(n: int) -> bool:
        return laws.average(laws.exclusion_increments(share * n, n, violation)) >= laws.threshold(beta)

    if share >= violation or not excluded(NEVER):
        return None
    low, high = 1, NEVER
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if excluded(middle) else (middle + 1, high)
    return high


def forecast(slo: Slo, spec: Spec, rps: float | None, weight: float | None, share: float) -> Forecast:
    """``rps``: requests per second of both arms together, ``weight``: 0..100, ``share``: stable's own bad share."""
    needed = needed_requests(slo.excluded, share, spec.beta)
    if needed is None:
        text = f"{explain.violated(slo)} can never be excluded: stable itself is at {100 * share:.3g} %"
        return Forecast(slo.name, False, None, None, None, None, text)
    goal = f"{needed:,} requests exclude {explain.violated(slo)}"
    if rps is None or weight is None:
        return Forecast(slo.name, None, None, needed, None, None, f"{goal}; the traffic is not known yet")
    length = spec.bake_s - spec.settle_s
    rate = rps * weight / 100
    expected = rate * length
    seconds = needed / rate + spec.settle_s if rate > 0 else None
    fair = 100 * needed / (rps * length) if rps > 0 else math.inf
    # Rounded so that neither figure says more than is so: 39.8 are not 40, and 8.4 seconds are not had in 8.
    seen = f"{math.floor(expected):,} requests expected in {explain.duration(spec.bake_s)}, {goal}"
    if expected >= needed:
        return Forecast(slo.name, True, expected, needed, seconds, weight, seen)
    ways = [f"a bake of {explain.duration_at_least(seconds)}"] if seconds else []
    ways += [f"a weight of {math.ceil(fair)} %"] if fair <= 100 else []
    instead = f"; {' or '.join(ways)} would do" if ways else "; no weight would do"
    return Forecast(
        slo.name, False, expected, needed, seconds, fair if fair <= 100 else None, f"cannot be decided: {seen}{instead}"
    )


def false_rollback_bound(specs: list[Spec], stages: int) -> float:
    """The most that the chance of one wrong rollback can be, over all services and stages of a plan."""
    return min(1.0, stages * sum(spec.alpha for spec in specs))
