# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from collections.abc import Sequence

from ansible_collections.tars.rollout.plugins.module_utils._gate.laws import NOTHING, WORSE, Increments, log_sum

RESTART_S = 60.0
# The part of the stake that runs from the first scrape. What is bad is usually bad at once, and a late fault still
# finds a stake that begins within the minute before it.
FIRST = 0.8
EVEN = (1 / len(WORSE),) * len(WORSE)


class Evidence:
    """Evidence that grows from scrape to scrape and may be looked at after each of them (a mixture e-process).

    ``log`` averages over the alternatives of the laws and over start times: most of the stake runs from the first
    scrape, the rest is spread over a restart every minute, so that healthy minutes do not outweigh a fault that begins
    late (the idea of e-detectors: Shin, Ramdas, Rinaldo). Scrapes may be set again when late samples come in.
    """

    def __init__(self, restarts: Sequence[int] = (), stakes: Sequence[float] = EVEN) -> None:
        """``restarts``: indexes of the scrapes that the later stakes start at. ``stakes`` on the alternatives add up.

        Both are fixed before the first look, or the evidence would have no bound.
        """
        self._stakes = [math.log(stake) for stake in stakes]
        if restarts:
            self._starts = [(0, math.log(FIRST))]
            self._starts += [(start, math.log((1 - FIRST) / len(restarts))) for start in restarts]
        else:
            self._starts = [(0, 0.0)]
        # Sums before scrape 0, 1, 2, ... for each alternative.
        self._sums: list[Increments] = [NOTHING]
        # For each alternative the stakes of the starts so far, each as it was worth before its first scrape: what they
        # have become is the newest sum more, so a look needs no walk over all starts.
        self._begun: list[tuple[float, ...]] = []
        # Asked for several times after each scrape, so it is kept.
        self._log: float | None = None

    def put(self, index: int, increments: Increments) -> None:
        """Set scrape ``index``; all later ones are forgotten. Indexes are given without gaps."""
        del self._sums[index + 1 :]
        while self._begun and self._starts[len(self._begun) - 1][0] > index:
            self._begun.pop()
        self._log = None
        before = self._sums[index]
        self._sums.append(tuple(a + b for a, b in zip(before, increments, strict=True)))

    @property
    def log(self) -> float:
        """Natural logarithm of the evidence after the scrapes so far."""
        if self._log is None:
            self._log = self._mixed()
        return self._log

    def _mixed(self) -> float:
        now, length = self._sums[-1], len(self._sums) - 1
        begun = self._begun
        while len(begun) < len(self._starts) and self._starts[len(begun)][0] < length:
            start, stake = self._starts[len(begun)]
            worth = [stake + part - before for part, before in zip(self._stakes, self._sums[start], strict=True)]
            if begun:
                worth = [log_sum((a, b)) for a, b in zip(begun[-1], worth, strict=True)]
            begun.append(tuple(worth))
        terms = [stake for _start, stake in self._starts[len(begun) :]]
        if begun:
            terms += [a + b for a, b in zip(begun[-1], now, strict=True)]
        return log_sum(terms)


def restarts(bake_s: float, scrape_s: float) -> range:
    """The scrapes that later stakes start at: one every minute of the bake, at most one per scrape."""
    every = max(int(RESTART_S // scrape_s), 1)
    return range(every, max(int(bake_s // scrape_s), 1), every)
