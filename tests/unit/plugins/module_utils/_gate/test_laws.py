# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formulas keep their promises: a bet against a true claim never has an expectation above 1."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._gate import laws
from ansible_collections.tars.rollout.plugins.module_utils._gate.process import Evidence, restarts
from hypothesis import given, settings
from hypothesis import strategies as st

COUNTS = st.integers(1, 2000)
SHARES = st.floats(0.0005, 0.4)
TOLERANCE = 1e-9


def expectation(n: int, p: float, bad: float, good: float) -> float:
    """Log of E exp(x bad + (n - x) good) for x ~ Binomial(n, p)."""
    return n * math.log((1 - p) * math.exp(good) + p * math.exp(bad))


@given(n=COUNTS, m=COUNTS, base=SHARES, part=st.floats(0, 1), drift=st.floats(0, 1), rho=st.floats(0, 0.5))
def test_relative_evidence_is_a_fair_bet(n: int, m: int, base: float, part: float, drift: float, rho: float) -> None:
    ratio = 1 + drift
    own, other = laws.discount(n, rho), laws.discount(m, rho)
    for index in range(len(laws.WORSE)):
        bad = laws.relative_increments(1, n / own, 0, m / other, ratio)[index]
        good = laws.relative_increments(0, n / own, 1, m / other, ratio)[index]
        # The canary is at worst at the edge of what is allowed, and a share is at most 1.
        p = min(1.0, part * ratio * base)
        log = expectation(n, p, bad / own, 0.0) + expectation(m, base, good / other, 0.0)
        assert log <= TOLERANCE


@given(n=COUNTS, limit=SHARES, part=st.floats(0, 1), rho=st.floats(0, 0.5))
def test_absolute_evidence_is_a_fair_bet(n: int, limit: float, part: float, rho: float) -> None:
    own = laws.discount(n, rho)
    for index in range(len(laws.WORSE)):
        bad = laws.absolute_increments(1, 1, limit)[index] / own
        good = laws.absolute_increments(0, 1, limit)[index] / own
        assert expectation(n, part * limit, bad, good) <= TOLERANCE


@given(n=COUNTS, violation=SHARES, more=st.floats(0, 1))
def test_exclusion_is_a_fair_bet(n: int, violation: float, more: float) -> None:
    for index in range(len(laws.WORSE)):
        bad = laws.exclusion_increments(1, 1, violation)[index]
        good = laws.exclusion_increments(0, 1, violation)[index]
        assert expectation(n, violation + more * (1 - violation), bad, good) <= TOLERANCE


@given(st.lists(st.floats(-50, 50), min_size=5, max_size=5))
def test_a_cap_only_lowers(values: list[float]) -> None:
    assert all(a <= b and a <= laws.CAP for a, b in zip(laws.capped(tuple(values)), values, strict=True))


@pytest.mark.parametrize("limit", [1e-6, 0.02, 0.5, 0.9, 0.95, 0.999])
def test_any_limit_has_alternatives_above_it(limit: float) -> None:
    assert all(value > 0 for value in laws.absolute_increments(1, 1, limit))


@given(x=st.integers(0, 40), y=st.integers(0, 60), n=st.integers(50, 500), m=st.integers(50, 900))
def test_the_exact_test_is_exact(x: int, y: int, n: int, m: int) -> None:
    share = 1.1 * n / (1.1 * n + m)
    total = x + y
    brute = sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(x, total + 1))
    assert laws.exact_conditional_p(x, n, y, m, 1.1) == pytest.approx(brute if x else 1.0, rel=1e-6)


def test_the_exact_test_stands_huge_counts() -> None:
    assert laws.exact_conditional_p(3e5, 1e7, 1e5, 1e7, 1.1) == 0.0
    assert laws.exact_conditional_p(1e5, 1e7, 3e5, 1e7, 1.1) == 1.0


def _bursts(rng: random.Random, icc: float, scrapes: int = 240, n: int = 400) -> list[tuple[float, float]]:
    k = 1 / icc - 1 if icc else 0
    shares = [rng.betavariate(0.02 * k, 0.98 * k) if icc else 0.02 for _scrape in range(scrapes)]
    return [(float(sum(rng.random() < p for _request in range(n))), float(n)) for p in shares]


def test_burstiness_is_found_and_not_invented() -> None:
    rng = random.Random(4)
    assert laws.burstiness(_bursts(rng, 0.0)) < 0.002
    assert 0.01 < laws.burstiness(_bursts(rng, 0.02)) < 0.035
    assert laws.burstiness(_bursts(rng, 0.02, scrapes=59)) == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=80))
def test_burstiness_is_a_share(cells: list[tuple[int, int]]) -> None:
    history = [(float(min(y, m)), float(m)) for y, m in cells]
    assert 0 <= laws.burstiness(history) <= laws.MAX_BURSTINESS


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), base=st.sampled_from([0.005, 0.02, 0.1]))
def test_evidence_under_the_null_stays_within_its_bound(seed: int, base: float) -> None:
    """Looked at after every scrape, at the very edge of what is allowed, with a baseline that drifts."""
    rng, budget, runs, hits = random.Random(seed), 0.05, 150, 0
    for _run in range(runs):
        evidence = Evidence(restarts(600, 15))
        for index in range(40):
            share = base * (1 + (index % 10) / 5)
            x = sum(rng.random() < 1.1 * share for _request in range(60))
            y = sum(rng.random() < share for _request in range(120))
            evidence.put(index, laws.capped(laws.relative_increments(x, 60, y, 120, 1.1)))
            if evidence.log >= laws.threshold(budget):
                hits += 1
                break
    # Four standard errors above the bound: a broken law would be far beyond.
    assert hits <= runs * budget + 4 * math.sqrt(runs * budget)


@given(st.lists(st.lists(st.floats(-3, 3), min_size=5, max_size=5), min_size=1, max_size=30), st.integers(0, 29))
def test_a_scrape_that_is_set_again_counts_once(rows: list[list[float]], again: int) -> None:
    once, twice = Evidence(restarts(300, 15)), Evidence(restarts(300, 15))
    for index, row in enumerate(rows):
        once.put(index, tuple(row))
        twice.put(index, tuple(row))
    again = min(again, len(rows) - 1)
    for index in range(again, len(rows)):
        twice.put(index, tuple(rows[index]))
    assert twice.log == pytest.approx(once.log)


# Streams of scrapes with 50 requests each, at the very boundary of a claim; looked at after every one of them.
STREAMS, SCRAPES, REQUESTS = 400, 40, 50
Increments = Callable[[float, float, float], laws.Increments]


def _binomial(n: int, p: float) -> list[float]:
    """P(X <= 0), P(X <= 1), ...: drawing is then one look into the list."""
    return list(accumulate(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)))


def _chance_of(hits: int, runs: int, budget: float) -> float:
    """P(X >= hits) for as many streams, each of which crosses with probability ``budget``."""
    return 1 - _binomial(runs, budget)[hits - 1] if hits else 1.0


def _crossing(seed: int, share: float, budget: float, evidence: Callable[[], Evidence], law: Increments) -> int:
    """How many streams whose bad share is ``share`` have evidence of 1 / budget at any time."""
    rng, drawn = random.Random(seed), _binomial(REQUESTS, share)
    count = 0
    for _stream in range(STREAMS):
        grown = evidence()
        for index in range(SCRAPES):
            x = bisect_left(drawn, rng.random())
            grown.put(index, law(float(min(x, REQUESTS)), float(REQUESTS), share))
            if grown.log >= laws.threshold(budget):
                count += 1
                break
    return count


def _above(x: float, n: float, limit: float) -> laws.Increments:
    return laws.capped(laws.absolute_increments(x, n, limit))


def _running() -> Evidence:
    return Evidence(restarts(15 * SCRAPES, 15), laws.STAKES)


# An honest law ends beyond this in one of a million tries, a broken one always: see the last test here.
CREDIBLE = 1e-6


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), limit=st.sampled_from([0.01, 0.02, 0.05, 0.2]), budget=st.sampled_from([0.05, 0.2]))
def test_absolute_evidence_at_the_limit_stays_within_its_bound(seed: int, limit: float, budget: float) -> None:
    hits = _crossing(seed, limit, budget, _running, _above)
    assert _chance_of(hits, STREAMS, budget) > CREDIBLE


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), bound=st.sampled_from([0.02, 0.05, 0.2]), budget=st.sampled_from([0.05, 0.2]))
def test_a_violation_that_is_there_is_excluded_as_rarely_as_promised(seed: int, bound: float, budget: float) -> None:
    hits = _crossing(seed, bound, budget, Evidence, laws.exclusion_increments)
    assert _chance_of(hits, STREAMS, budget) > CREDIBLE


@pytest.mark.parametrize(
    ("evidence", "law"), [(_running, _above), (Evidence, laws.exclusion_increments)], ids=["above", "excluded"]
)
def test_a_law_that_claims_thrice_as_much_is_found(evidence: Callable[[], Evidence], law: Increments) -> None:
    hits = _crossing(1, 0.05, 0.05, evidence, lambda x, n, share: tuple(3 * part for part in law(x, n, share)))
    assert _chance_of(hits, STREAMS, 0.05) < CREDIBLE


@given(bake=st.integers(15, 7200), scrape=st.sampled_from([1, 5, 15, 60]))
def test_the_stakes_of_all_alternatives_and_all_starts_are_one_whole(bake: int, scrape: int) -> None:
    assert len(laws.STAKES) == len(laws.WORSE)
    assert math.fsum(laws.STAKES) == pytest.approx(1, abs=1e-12) and min(laws.STAKES) > 0
    # Before anything was seen every stake is what it was: together 1:1.
    assert Evidence(restarts(bake, scrape), laws.STAKES).log == pytest.approx(0, abs=1e-9)
    assert Evidence().log == pytest.approx(0, abs=1e-12)


def test_the_parts_of_the_budget_are_the_budget() -> None:
    assert pytest.approx(1, abs=1e-12) == laws.RELATIVE + laws.ABSOLUTE + laws.FINAL
