# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Slo


@dataclass(frozen=True)
class Edges:
    """The bucket boundaries that stand for limit and violation of a latency.

    Where a limit is no boundary, the ones around it bracket it: who is over the upper one is surely over the limit, who
    is over the lower one may be. ``below_*`` -inf: no boundary, everybody may be over. ``drift``: the boundary at or
    above the limit that both arms have.
    """

    below_limit: float
    above_limit: float
    below_violation: float
    above_violation: float
    drift: float

    @property
    def exact(self) -> bool:
        return self.below_limit == self.above_limit


def at_or_below(value: float, bounds: set[float]) -> float:
    """The largest finite boundary that is not above the value, -inf where there is none."""
    fitting = [b for b in bounds if math.isfinite(b) and (b <= value or math.isclose(b, value, rel_tol=1e-9))]
    return max(fitting, default=-math.inf)


def at_or_above(value: float, bounds: set[float]) -> float:
    """The smallest boundary that is not below the value, +inf where there is none."""
    return min((b for b in bounds if b >= value or math.isclose(b, value, rel_tol=1e-9)), default=math.inf)


def next_after(value: float, bounds: set[float]) -> float:
    """The smallest boundary above the value: the violation when the user names none."""
    return min((b for b in bounds if b > value and not math.isclose(b, value, rel_tol=1e-9)), default=math.inf)


def edges_for(slo: Slo, canary: set[float], stable: set[float]) -> Edges:
    """The boundaries for an objective, from those that all processes of each arm have."""
    above = at_or_above(slo.limit, canary)
    violation = next_after(above, canary) if slo.violation is None else slo.violation
    # Next to the top bucket nothing is known: the top boundary itself is the strictest that can be proven.
    return Edges(
        at_or_below(slo.limit, canary),
        above,
        at_or_below(violation, canary),
        at_or_above(violation, canary),
        at_or_above(slo.limit, canary & stable) if stable else above,
    )


def share_over(cell: Mapping[float, float], total: float, bound: float) -> float:
    """How many of ``total`` requests were slower than the boundary, from the growth of cumulative buckets."""
    return min(total, max(0.0, _difference(cell, total, bound)))


class Over:
    """Requests slower than one boundary, scrape by scrape.

    A histogram is not read in one moment: a request may be in ``+Inf`` already and in its bucket one scrape later. So
    what counts is how far the running difference of the two rises above all it ever was; what comes late is no request.
    """

    def __init__(self) -> None:
        # Running difference, and its highest value, before scrape 1, 2, ...
        self._sums: list[tuple[float, float]] = [(0.0, 0.0)]

    def put(self, index: int, cell: Mapping[float, float], total: float, bound: float) -> float:
        """The requests of scrape ``index``, counted from 1; all later ones are forgotten. No index is left out."""
        del self._sums[index:]
        running, top = self._sums[index - 1]
        running += _difference(cell, total, bound)
        self._sums.append((running, max(running, top)))
        return max(0.0, running - top)


def _difference(cell: Mapping[float, float], total: float, bound: float) -> float:
    if bound == -math.inf:
        return total
    return 0.0 if bound == math.inf else total - cell.get(bound, 0.0)
