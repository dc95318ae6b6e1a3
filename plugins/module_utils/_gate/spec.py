# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

PASS, HOLD, ROLLBACK = "pass", "hold", "rollback"

# Reason codes, the worst first within a group: when several apply to a hold, the first one of this list is named.
# A fault of the data source explains why data are missing, so it comes before what the missing data look like.
SOURCE = ("QUERY_ERROR", "PARTIAL_DATA", "CLOCK_SKEW", "TARGETS_DOWN")
POLICY = ("WORSE_THAN_STABLE", "ABOVE_LIMIT")
DATA = (
    "NO_DATA",
    "STALE_DATA",
    "NO_TRAFFIC",
    "BUCKETS_TOO_COARSE",
    "BASELINE_MISSING",
    "BASELINE_UNHEALTHY",
    "THIN_DATA",
)
HOLD_REASONS = SOURCE + POLICY + DATA
# Nothing that comes later can turn these into a pass, so waiting beyond the bake would be idle.
SETTLED_HOLDS = frozenset((*POLICY, "BUCKETS_TOO_COARSE"))

# A sample older than that many scrapes is no news any more.
FRESH_SCRAPES = 3

Matchers = Mapping[str, str]


@dataclass(frozen=True)
class Slo:
    """One objective of a service. Shares are 0..1, latencies in the unit of their metric, times in seconds.

    ``bad`` are the extra matchers of the bad part of a ratio. ``violation`` None: twice the limit of a ratio, the next
    bucket of a latency. ``max_drift`` None: no comparison with stable. ``arm`` is the arm that a gauge or a count is
    read from, "any" for every series of the metric. ``expr`` is an opaque query in place of a metric. ``per_second``
    units of a latency metric make a second.
    """

    name: str
    kind: str
    limit: float
    metric: str = ""
    match: Matchers = field(default_factory=dict)
    bad: Matchers = field(default_factory=dict)
    quantile: float = 0.95
    violation: float | None = None
    max_drift: float | None = None
    on_limit: str = ROLLBACK
    on_drift: str = ROLLBACK
    for_s: float = 0.0
    arm: str = "canary"
    expr: str = ""
    per_second: float = 1.0

    @property
    def is_share(self) -> bool:
        """Whether it is judged by counts of bad and all requests, that is, by statistics."""
        return self.kind in ("ratio", "latency")

    @property
    def bound(self) -> float:
        """The share of bad requests that is just allowed."""
        return self.limit if self.kind == "ratio" else 1 - self.quantile

    @property
    def excluded(self) -> float:
        """The share of requests over the violation that a pass must exclude."""
        if self.kind == "latency":
            return 1 - self.quantile
        return min(0.99, 2 * self.limit) if self.violation is None else self.violation


@dataclass(frozen=True)
class Spec:
    """What one service is judged by in one stage. Times in seconds; ``alpha`` and ``beta`` are probabilities.

    ``alpha`` is the budget for a wrong rollback, shared by all objectives; ``beta`` the risk, for each of them, that a
    pass did not exclude its violation. ``settle_s`` is the part of the bake, at its start, that is not judged.
    ``strata`` is a label such as the route: canary is compared with stable for each of its values by itself.
    """

    slos: tuple[Slo, ...]
    arms: Mapping[str, Matchers]
    bake_s: float = 600.0
    settle_s: float = 0.0
    max_bake_s: float = 0.0
    scrape_s: float = 15.0
    alpha: float = 0.01
    beta: float = 0.05
    expect_pods: Mapping[str, int] = field(default_factory=dict)
    service: str = ""
    strata: str = ""
    # From when on it may pass before the end of the bake; None: not before.
    early_s: float | None = None

    @property
    def has_stable(self) -> bool:
        return "stable" in self.arms

    @property
    def share_alpha(self) -> float:
        """The part of alpha that each statistical objective may spend (Bonferroni); hard rules spend nothing."""
        return self.alpha / max(1, sum(slo.is_share for slo in self.slos))


class Tally(NamedTuple):
    """What happened between two scrapes, in requests.

    ``n`` all of the canary's; ``bad`` those that are certainly bad, ``high`` those that may be; ``over`` those that may
    be over the violation, ``under`` those that certainly are. For a ratio the four are the same number; for a latency
    they differ where a limit lies between two buckets. ``drift`` and ``base``: bad ones of canary and stable by the
    same measure; ``m`` all of stable's.
    """

    n: float = 0.0
    bad: float = 0.0
    high: float = 0.0
    over: float = 0.0
    under: float = 0.0
    drift: float = 0.0
    m: float = 0.0
    base: float = 0.0


NONE = Tally()


class Pair(NamedTuple):
    """One stratum of one scrape: ``x`` bad of ``n`` canary requests, ``y`` bad of ``m`` stable requests."""

    x: float
    n: float
    y: float
    m: float


@dataclass(frozen=True)
class Arm:
    """What is known about the samples of one arm. ``newest`` in seconds since the judgement began, None without one.

    ``interval`` is the shortest time seen between two samples of a series, 0 when unknown.
    """

    series: int = 0
    newest: float | None = None
    interval: float = 0.0

    def fresh(self, now: float, scrape_s: float) -> bool:
        """Whether the newest sample is at most three scrapes old, by the slower of asked and seen interval."""
        return self.newest is not None and now - self.newest <= FRESH_SCRAPES * max(scrape_s, self.interval)


class Around(NamedTuple):
    """The boundaries of buckets next to limit and violation of a latency, infinite where there is none.

    Where a value is a boundary itself, both are that one.
    """

    below_limit: float
    above_limit: float
    below_violation: float
    above_violation: float

    @property
    def exact(self) -> bool:
        return self.below_limit == self.above_limit


@dataclass(frozen=True)
class Reading:
    """All that was read for one objective up to now.

    ``tallies`` (shares), ``values`` (worst value per scrape, None where none came) or ``counts`` (increments per
    scrape); index 0 is the first scrape judged. ``changed`` is the first index that differs from the reading before.
    ``history`` are (bad, all) of stable per scrape before the bake. ``exact``: the latency limit is a bucket boundary;
    ``around``: those that are next to it.
    ``problem``: (reason, sentence) when the series cannot answer the question at all.
    """

    canary: Arm
    stable: Arm | None = None
    tallies: tuple[Tally, ...] | list[Tally] = ()
    values: tuple[float | None, ...] | list[float | None] = ()
    counts: tuple[float, ...] | list[float] = ()
    changed: int = 0
    history: tuple[tuple[float, float], ...] | list[tuple[float, float]] = ()
    exact: bool = True
    around: Around | None = None
    problem: tuple[str, str] | None = None
    # The same requests as in ``tallies``, told apart by stratum; empty without strata.
    strata: tuple[tuple[Pair, ...], ...] | list[tuple[Pair, ...]] = ()


@dataclass(frozen=True)
class Finding:
    """What stands for one objective now: verdict, stable reason, one sentence, and the numbers behind them.

    ``evidence`` "x : 1 against" as a decimal logarithm, ``needed`` the value that decides; ``certified`` and
    ``certify_needed`` the same for excluding the violation.
    """

    slo: str
    verdict: str
    reason: str
    text: str
    total: Tally = NONE
    worse: float = 0.0
    worse_needed: float = 0.0
    above: float = 0.0
    above_needed: float = 0.0
    certified: float = 0.0
    certify_needed: float = 0.0
