# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries, pod_of

# Seconds after its time stamp, which is that of the start of the scrape, at which a sample of a quick exporter can be
# read; by how much to come later where it could not be; and what to bear at most.
INGEST, STEP, LATEST = 0.1, 0.2, 2.0
# Two moments that are so near are the same one.
SAME = 0.05


class Pace:
    """When to poll: once per scrape, right after the newest samples of most processes can be read.

    A slow exporter's sample can be read long after its time stamp: a poll that missed it is made once more a little
    later, and the ones after it come later, too. ``start``: what moments are counted from.
    """

    def __init__(self, start: float, scrape_s: float) -> None:
        self._start = start
        self._scrape_s = scrape_s
        self._moment: float | None = None
        self._ingest = INGEST

    def measure(self, series: Sequence[RawSeries]) -> None:
        """Find the moment of the interval to wait for, from what was read last."""
        self._moment = moment(series, self._start, self._scrape_s)

    def after(self, earliest: float) -> float:
        """The first moment to poll that is not before ``earliest``."""
        scrape = self._scrape_s
        first = self._start + (scrape if self._moment is None else (self._moment + self._ingest) % scrape)
        return first + max(0, -(-(earliest - first) // scrape)) * scrape

    def missed(self, at: float, series: Sequence[RawSeries]) -> bool:
        """Whether a poll ``at`` came too early for the sample that it came for; moves the polls after it."""
        if self._moment is None:
            self.measure(series)
            return False
        latest = min(LATEST, self._scrape_s / 2)
        expected = at - self._ingest
        half = self._scrape_s / 2
        # A poll at the end of the bake, or one that was held up, came for no sample in particular.
        aside = (expected - self._start - self._moment + half) % self._scrape_s - half
        newest = max((item.samples[-1][0] for item in series if item.samples), default=expected)
        if abs(aside) > SAME or newest > expected - SAME or self._ingest >= latest:
            return False
        self._ingest = min(self._ingest + STEP, latest)
        # Or the process that was waited for is gone, and another moment is the best one now.
        self.measure(series)
        return True


def moment(series: Sequence[RawSeries], start: float, scrape_s: float) -> float | None:
    """Seconds after ``start``, less than a scrape, at which the newest samples of most processes were taken.

    Every process is scraped at its own moment of the interval: the best moment to ask lies before the longest pause.
    """
    newest: dict[str, float] = {}
    for item in series:
        if item.samples:
            pod = pod_of(item.labels)
            newest[pod] = max(newest.get(pod, item.samples[-1][0]), item.samples[-1][0])
    moments = sorted({round((at - start) % scrape_s, 3) for at in newest.values()})
    if not moments:
        return None
    pauses = [
        ((after - at) % scrape_s or scrape_s, at) for at, after in zip(moments, moments[1:] + moments[:1], strict=True)
    ]
    return max(pauses)[1]
