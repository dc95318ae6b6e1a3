# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from dataclasses import dataclass

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Arm
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries


@dataclass(frozen=True)
class Past:
    """What one arm did before the judgement began, in how many seconds, and how many series it has.

    ``bad`` requests are over the limit, ``over`` ones over the violation; for a ratio they are the same.
    """

    bad: float = 0.0
    over: float = 0.0
    total: float = 0.0
    seconds: float = 0.0
    series: int = 0
    interval: float = 0.0


class Freshness:
    """Newest sample and shortest interval of the series of one arm."""

    def __init__(self) -> None:
        # The newest time stamp of each series.
        self.series: dict[frozenset[tuple[str, str]], float] = {}
        self.newest = -math.inf
        self.newest_at_all = -math.inf
        self.interval = math.inf
        self.labels: set[str] = set()

    def see(self, series: RawSeries, origin: float) -> None:
        last = self.series.get(series.key, -math.inf)
        # What was seen before tells nothing new: most of what a poll brings.
        times = [at for at, value in series.samples if at > last and not math.isnan(value)]
        if not times:
            return
        newest = times[-1]
        self.series[series.key] = newest
        self.newest_at_all = max(self.newest_at_all, newest)
        if last == -math.inf:
            self.labels.update(series.labels)
        # Across polls as well: a metric that is scraped rarely never shows two samples in one of them.
        for at in times:
            self.interval = min(self.interval, at - last)
            last = at
        if newest > origin:
            self.newest = max(self.newest, newest)

    def arm(self, origin: float) -> Arm:
        # A series that ended before the judgement began is stale, one that never was is missing.
        newest = self.newest if self.newest > -math.inf else self.newest_at_all
        return Arm(
            len(self.series),
            newest - origin if newest > -math.inf else None,
            self.interval if self.interval < math.inf else 0.0,
        )
