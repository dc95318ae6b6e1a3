# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What counts of requests say about the share that the canary gets. Pure: counts in, an answer out."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

# The normal quantile of a two-sided interval of 95 %.
Z = 1.959964
# Looking again and again makes one interval weaker than it says; two in a row with new requests make up for it.
LOOKS = 2


@dataclass(frozen=True)
class Share:
    """Requests since the baseline, the canary's percent of them, and the interval in which the true percent lies."""

    canary: int
    total: int
    percent: float | None
    low: float
    high: float


def share(canary: int, total: int) -> Share:
    """The share with its Wilson interval of 95 %; without requests it is anything from 0 to 100."""
    if total <= 0:
        return Share(0, 0, None, 0.0, 100.0)
    rate, square = canary / total, Z * Z
    middle = (rate + square / (2 * total)) / (1 + square / total)
    half = Z * sqrt(rate * (1 - rate) / total + square / (4 * total * total)) / (1 + square / total)
    # Nothing seen and nothing else seen are exact ends; rounding must not open them.
    low = 0.0 if canary == 0 else max(0.0, middle - half)
    high = 1.0 if canary == total else min(1.0, middle + half)
    return Share(canary, total, 100 * rate, 100 * low, 100 * high)


class Watch:
    """Looks at one route until the counts exclude the share from before; ``old`` and ``wanted`` are percent."""

    def __init__(self, old: float | None, wanted: int) -> None:
        self._old = old
        self._wanted = wanted
        self._streak = 0
        self.last = share(0, 0)

    @property
    def moves(self) -> bool:
        """Whether there is an old share to exclude."""
        return self._old is not None and self._old != self._wanted

    @property
    def proven(self) -> bool:
        """The old share is excluded, two looks in a row that each brought new requests."""
        return self._streak >= LOOKS

    @property
    def contradicts(self) -> bool:
        """The wanted share is excluded and the old one is not: the traffic did not follow."""
        return self.moves and not self._excludes_old() and not self.last.low <= self._wanted <= self.last.high

    def look(self, stable: int, canary: int) -> bool:
        """Take requests since the baseline into account, and say whether the new share is proven."""
        now = share(canary, stable + canary)
        fresh = now.total > self.last.total
        self.last = now
        if not self.moves or not self._excludes_old():
            self._streak = 0
        elif fresh:
            self._streak += 1
        return self.proven

    def _excludes_old(self) -> bool:
        if self._old is None:
            return False
        # Towards the wanted side only: away from both is no proof of a move.
        return self.last.low > self._old if self._wanted > self._old else self.last.high < self._old
