# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The formulas of the gate, one function each, with where they come from. Logarithms are natural.

Notation of one scrape: ``x`` bad of ``n`` canary requests, ``y`` bad of ``m`` stable requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

# How much worse than allowed the alternatives are that the evidence bets on. Any mixture of them is a valid bet.
WORSE = (1.4, 2.0, 3.0, 5.0, 10.0)
# How the stake against a true claim is spread over them: most on what breaks releases, two to five times worse.
STAKES = (1 / 11, 2 / 11, 3 / 11, 3 / 11, 2 / 11)
# No single scrape counts for more than 20 : 1, so that none decides alone.
CAP = math.log(20)
# How the budget for a wrong rollback is spent when there is a baseline; without one the absolute test has all of it.
RELATIVE, ABSOLUTE, FINAL = 0.6, 0.1, 0.3
# Rollback needs at least so many bad requests, in at least so many scrapes.
MIN_BAD, MIN_SCRAPES = 5, 2
# Burstiness is measured from at least so many scrapes of history.
MIN_HISTORY = 60
MAX_BURSTINESS = 0.5

Increments = tuple[float, ...]
NOTHING: Increments = (0.0,) * len(WORSE)


def burstiness(history: Sequence[tuple[float, float]]) -> float:
    """Within-scrape correlation of bad requests, 0..0.5, from (bad, all) per scrape of stable alone.

    One-way ANOVA moment estimator (Ridout, Demetrio, Firth, Biometrics 1999, section 2), clipped. 0 means that requests
    fail independently of each other.
    """
    scrapes = [(y, m) for y, m in history if m > 0]
    k = len(scrapes)
    if k < MIN_HISTORY:
        return 0.0
    total = sum(m for y, m in scrapes)
    share = sum(y for y, m in scrapes) / total
    between = sum(m * (y / m - share) ** 2 for y, m in scrapes) / (k - 1)
    within = sum(y * (1 - y / m) for y, m in scrapes) / max(total - k, 1.0)
    size = (total - sum(m * m for y, m in scrapes) / total) / (k - 1)
    scale = between + (size - 1) * within
    if scale <= 0:
        return 0.0
    return min(MAX_BURSTINESS, max(0.0, (between - within) / scale))


def discount(total: float, rho: float) -> float:
    """The design effect 1 + (n - 1) rho (Kish, Survey Sampling, 1965): n bursty requests tell as much as n / this.

    Dividing by it keeps the bound of every law below: e^(u/d) - 1 <= (e^u - 1) / d for d >= 1.
    """
    return 1 + max(total - 1, 0.0) * rho


def relative_increments(x: float, n: float, y: float, m: float, ratio: float) -> Increments:
    """Log evidence of one scrape against "the canary's bad share is at most ``ratio`` times stable's".

    Given x + y, x is binomial with the share of the expected bad requests that fall on the canary; the likelihood ratio
    of "k times worse still" (WORSE) to "just allowed" is a bet with expectation at most 1, whatever stable's share is
    in this scrape (Lindon, Malek, arXiv 2011.03567; Turner, Ly, Gruenwald, JSPI 2024). So shared incidents cancel.
    """
    if n <= 0 or m <= 0:
        return NOTHING
    null = ratio * n / (ratio * n + m)
    increments = []
    for k in WORSE:
        share = ratio * k * n / (ratio * k * n + m)
        increments.append(x * math.log(share / null) + y * math.log((1 - share) / (1 - null)))
    return tuple(increments)


def stratified(strata: Iterable[Increments]) -> Increments:
    """Log evidence of one scrape over its strata, such as routes.

    Each stratum is a comparison of its own, so a canary that gets another mix of requests than stable is not taken for
    a worse one; the product of independent bets is a bet (Turner, Gruenwald, arXiv 2302.11401).
    """
    return tuple(map(sum, zip(*strata, strict=True)))


def absolute_increments(x: float, n: float, limit: float) -> Increments:
    """Log evidence of one scrape against "the canary's bad share is at most ``limit``".

    Bernoulli likelihood ratio of k times the limit to the limit (Wald 1945; as a bet: Waudby-Smith, Ramdas, arXiv
    2010.09686).
    """
    if n <= 0:
        return NOTHING
    limit = min(max(limit, 1e-9), 1 - 1e-9)
    increments = []
    for k in WORSE:
        worse = min(k * limit, 0.9)
        if worse <= limit:  # A limit of 90 % or more.
            worse = (1 + limit) / 2
        increments.append(x * math.log(worse / limit) + (n - x) * math.log((1 - worse) / (1 - limit)))
    return tuple(increments)


def exclusion_increments(x: float, n: float, violation: float) -> Increments:
    """Log evidence of one scrape against "the canary's bad share is ``violation`` or more".

    The mirror image of ``absolute_increments``: the alternatives are violation / k. Without a bad request
    4.2 / violation requests reach 20 : 1.
    """
    if n <= 0:
        return NOTHING
    violation = min(max(violation, 1e-9), 1 - 1e-9)
    increments = []
    for k in WORSE:
        better = violation / k
        increments.append(x * math.log(better / violation) + (n - x) * math.log((1 - better) / (1 - violation)))
    return tuple(increments)


def capped(increments: Increments) -> Increments:
    """At most CAP for each alternative. It only lowers the evidence, so its bound stays."""
    return tuple(min(value, CAP) for value in increments)


def average(logs: Iterable[float]) -> float:
    """Logarithm of the mean of exp(log): a mixture of bets is a bet (Howard, Ramdas, McAuliffe, Sekhon, AoS 2021)."""
    values = list(logs)
    return log_sum(values) - math.log(len(values))


def log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(sum([math.exp(value - top) for value in logs]))


def threshold(budget: float) -> float:
    """Log evidence that decides: under the null it is ever reached with probability ``budget`` at most (Ville)."""
    return -math.log(budget)


def exact_conditional_p(x: float, n: float, y: float, m: float, ratio: float) -> float:
    """P-value, once, of "the canary's bad share is at most ``ratio`` times stable's".

    Given x + y bad ones in all, x is binomial with share rN / (rN + M) at the edge of the null (Przyborowski, Wilenski,
    Biometrika 1940). Discounted counts are rounded.
    """
    bad, base = round(x), round(y)
    if bad <= 0 or n <= 0 or m <= 0:
        return 1.0
    trials, share = bad + base, ratio * n / (ratio * n + m)
    log_choose = math.lgamma(trials + 1) - math.lgamma(bad + 1) - math.lgamma(trials - bad + 1)
    term = math.exp(log_choose + bad * math.log(share) + (trials - bad) * math.log1p(-share))
    p = 0.0
    for k in range(bad, trials + 1):
        p += term
        term *= (trials - k) / (k + 1) * share / (1 - share)
        # Behind the peak the rest is smaller than what is summed up already can show.
        if term < 1e-18 * p and k > trials * share:
            break
    return min(1.0, p) if p > 0 or bad > trials * share else 1.0
