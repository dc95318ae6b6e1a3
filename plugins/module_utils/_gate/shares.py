# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from collections.abc import Sequence

from ansible_collections.tars.rollout.plugins.module_utils._gate import explain, laws
from ansible_collections.tars.rollout.plugins.module_utils._gate.process import Evidence, restarts
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import (
    FRESH_SCRAPES,
    HOLD,
    PASS,
    ROLLBACK,
    Finding,
    Pair,
    Reading,
    Slo,
    Spec,
    Tally,
)

QUARTERS = 4
# A canary that got traffic and gets none any more was cut off, unless that silence is luck: fewer than so many requests
# would have been due in it.
SILENCE_REQUESTS = 20


class ShareJudge:
    """Judges one ratio or latency objective through a whole stage; it may be asked after every scrape.

    The evidence is that of section "How it decides" of docs/gates.md: relative to stable, absolute against the limit,
    one exact test at the end of the bake, and a positive proof against the violation before anything passes.
    """

    def __init__(self, slo: Slo, spec: Spec) -> None:
        self.slo = slo
        self._spec = spec
        starts = restarts(spec.bake_s - spec.settle_s, spec.scrape_s)
        self._worse = Evidence(starts, laws.STAKES)
        self._above = Evidence(starts, laws.STAKES)
        self._certified = Evidence()
        self._compared = spec.has_stable and slo.max_drift is not None
        alpha = spec.share_alpha
        # Pooled over strata the last test would see another mix of requests as a worse canary: there the running
        # evidence, which adds up strata, gets its part of the budget.
        self._last_test = self._compared and not spec.strata
        relative = laws.RELATIVE + (laws.FINAL if spec.strata else 0.0)
        self._worse_needed = laws.threshold(relative * alpha)
        self._above_needed = laws.threshold((laws.ABSOLUTE if self._compared else 1.0) * alpha)
        self._alone_needed = laws.threshold(alpha)
        self._final = laws.FINAL * alpha
        self._certify_needed = laws.threshold(spec.beta)
        self._rho: float | None = None
        # Sums over the scrapes, one row more than scrapes; and in how many of them something was bad.
        self._sums: list[Tally] = [Tally()]
        self._hits: list[tuple[int, int]] = [(0, 0)]
        self._kept: list[Pair] = []
        # What was proven once stays proven: the guarantee is about "ever".
        self._proven: dict[str, str] = {}
        self._final_done = False
        # The first scrape for which it is not known yet how stable did meanwhile.
        self._waiting = 0

    @property
    def rho(self) -> float:
        """Burstiness by which counts are discounted."""
        return self._rho or 0.0

    def look(self, reading: Reading, now: float, *, end: bool) -> Finding:
        """What stands at ``now`` seconds; ``end`` from the end of the bake on, when the exact test is due (once)."""
        self._absorb(reading)
        self._prove(reading, end)
        policy = {"WORSE_THAN_STABLE": self.slo.on_drift, "ABOVE_LIMIT": self.slo.on_limit}
        for verdict in (ROLLBACK, HOLD):
            for reason, text in self._proven.items():
                if policy[reason] == verdict:
                    return self._finding(verdict, reason, text)
        reason, text = self._doubt(reading, now)
        if reason:
            return self._finding(HOLD, reason, text)
        return self._finding(PASS, "OK", explain.certified(self.slo, self._sums[-1], self._spec.beta))

    def _absorb(self, reading: Reading) -> None:
        if self._rho is None:
            # Measured once: evidence must not change its rules while it grows.
            self._rho = laws.burstiness(reading.history)
        first = min(reading.changed, len(self._sums) - 1, self._waiting)
        meanwhile = self._meanwhile(reading, first)
        self._waiting = first + next((i for i, tally in enumerate(meanwhile) if tally is None), len(meanwhile))
        del self._sums[first + 1 :], self._hits[first + 1 :], self._kept[first:]
        for index in range(first, len(reading.tallies)):
            tally = reading.tallies[index]
            self._sums.append(Tally(*(a + b for a, b in zip(self._sums[index], tally, strict=True))))
            bad, drift = self._hits[index]
            self._hits.append((bad + (tally.bad > 0), drift + (tally.drift > 0)))
            strata = reading.strata[index] if reading.strata else ()
            self._weigh(
                index, tally, strata or (Pair(tally.drift, tally.n, tally.base, tally.m),), meanwhile[index - first]
            )

    def _meanwhile(self, reading: Reading, first: int) -> list[Tally | None]:
        """For each scrape from ``first`` on the one that tells how stable did meanwhile; None while it may still come.

        Stable may be scraped less often than the canary, and lose scrapes: its requests are in what is seen next.
        """
        tallies, stable = reading.tallies, reading.stable
        if stable is None or stable.newest is None:
            return list(tallies[first:])
        patience = FRESH_SCRAPES * max(1.0, stable.interval / self._spec.scrape_s)
        seen = math.ceil(stable.newest / self._spec.scrape_s) - 1
        found: list[Tally | None] = []
        after = -1
        for index in range(len(tallies) - 1, first - 1, -1):
            if tallies[index].m > 0:
                after = index
            if after < 0 and index > seen and len(tallies) - index <= patience:
                found.append(None)
            else:
                # One that comes too late is of another time.
                found.append(tallies[after if 0 <= after - index <= patience else index])
        return found[::-1]

    def _weigh(self, index: int, tally: Tally, strata: Sequence[Pair], meanwhile: Tally | None) -> None:
        slo, rho = self.slo, self.rho
        own = laws.discount(tally.n, rho)
        n = tally.n / own
        nothing = laws.NOTHING
        # A scrape in which stable itself is over the limit says nothing about the canary alone.
        shared = self._spec.has_stable and (meanwhile is None or meanwhile.base > slo.bound * meanwhile.m)
        above = nothing if shared else laws.absolute_increments(tally.bad / own, n, slo.bound)
        self._above.put(index, laws.capped(above))
        self._certified.put(index, laws.exclusion_increments(tally.over / own, n, slo.excluded))
        worse, keep = nothing, Pair(0.0, 0.0, 0.0, 0.0)
        if self._compared:
            pairs = [_discounted(pair, rho) for pair in strata]
            worse = laws.stratified(laws.relative_increments(*pair, self._ratio) for pair in pairs)
            # The last test leaves out scrapes that stick out, as the cap does for the others.
            if self._last_test and laws.average(worse) <= laws.CAP:
                keep = pairs[0]
        self._worse.put(index, laws.capped(worse))
        self._kept.append(keep)

    @property
    def _ratio(self) -> float:
        return 1 + (self.slo.max_drift or 0.0)

    def _prove(self, reading: Reading, end: bool) -> None:
        total, (bad_scrapes, drift_scrapes) = self._sums[-1], self._hits[-1]
        slo = self.slo
        if self._compared and total.drift >= laws.MIN_BAD and drift_scrapes >= laws.MIN_SCRAPES:
            if self._worse.log >= self._worse_needed:
                text = explain.worse(slo, total, self._worse.log, self._worse_needed)
                self._proven["WORSE_THAN_STABLE"] = text
            if end and self._last_test and not self._final_done:
                x, n, y, m = (sum(column) for column in zip(*self._kept, strict=True))
                p = laws.exact_conditional_p(x, n, y, m, self._ratio)
                if p <= self._final:
                    text = explain.worse_at_end(slo, total, p, self._final)
                    self._proven["WORSE_THAN_STABLE"] = text
        # Without a single baseline request in the whole bake the absolute test is the only one that ran.
        needed = self._alone_needed if end and total.m <= 0 else self._above_needed
        enough = total.bad >= laws.MIN_BAD and bad_scrapes >= laws.MIN_SCRAPES
        if enough and self._above.log >= needed:
            self._proven["ABOVE_LIMIT"] = explain.above(slo, total, self._above.log, needed)
        self._final_done |= end

    def _doubt(self, reading: Reading, now: float) -> tuple[str, str]:
        """Why it cannot pass now: (reason, sentence), or two empty texts."""
        slo, total = self.slo, self._sums[-1]
        if missing := self._missing(reading, now, total):
            return missing
        certified = self._certified.log >= self._certify_needed
        if self._incident_lasts():
            return "BASELINE_UNHEALTHY", explain.unhealthy(slo, total)
        if certified and (reading.exact or total.high <= slo.bound * total.n):
            return "", ""
        both_bad = total.base > slo.bound * total.m and total.bad > slo.bound * total.n
        if both_bad:
            return "BASELINE_UNHEALTHY", explain.unhealthy(slo, total)
        if certified or self._finer_buckets_would_do(total):
            return "BUCKETS_TOO_COARSE", explain.coarse(slo, total, reading.around)
        return "THIN_DATA", explain.thin(slo, total, now, self._spec.beta)

    def _missing(self, reading: Reading, now: float, total: Tally) -> tuple[str, str] | None:
        slo, scrape_s = self.slo, self._spec.scrape_s
        canary, stable = reading.canary, reading.stable
        if canary.newest is None:
            known = reading.problem if reading.problem and reading.problem[0] == "NO_DATA" else None
            return known or ("NO_DATA", explain.no_data(slo, "canary"))
        if not canary.fresh(now, scrape_s):
            return "STALE_DATA", explain.stale(slo, "canary", now - canary.newest)
        if reading.problem:
            return reading.problem
        if total.n <= 0:
            return "NO_TRAFFIC", explain.no_traffic(slo, canary.series)
        if silence := self._silence(reading):
            return "NO_TRAFFIC", explain.silent(slo, silence * scrape_s)
        if self._compared:
            if stable is None or stable.newest is None:
                return "BASELINE_MISSING", explain.no_data(slo, "stable")
            if not stable.fresh(now, scrape_s):
                return "STALE_DATA", explain.stale(slo, "stable", now - stable.newest)
            if total.m <= 0:
                return "BASELINE_MISSING", explain.no_baseline_traffic(slo)
        return None

    def _silence(self, reading: Reading) -> int:
        """Scrapes since the last request where that cannot be chance and is a quarter of the bake or more; else 0."""
        length = len(reading.tallies)
        last = next((i for i in range(length, 0, -1) if reading.tallies[i - 1].n > 0), 0)
        silent = length - last
        if silent * QUARTERS < length or silent <= QUARTERS:
            return 0
        due = self._sums[-1].n / max(last, 1) * silent
        return silent if due >= SILENCE_REQUESTS else 0

    def _incident_lasts(self) -> bool:
        """Whether both arms are over the limit in three quarters of the bake or more.

        A shared incident that ends says nothing against the canary, and the proof against the violation still counts
        it. A baseline that is over the limit throughout leaves nothing to compare with.
        """
        length = len(self._sums) - 1
        if not self._spec.has_stable or length < QUARTERS:
            return False
        bad = 0
        for quarter in range(QUARTERS):
            old = self._sums[length * quarter // QUARTERS]
            new = self._sums[length * (quarter + 1) // QUARTERS]
            bad += new.base - old.base > self.slo.bound * (new.m - old.m)
        total = self._sums[-1]
        return bad >= QUARTERS - 1 and total.bad > self.slo.bound * total.n

    def _finer_buckets_would_do(self, total: Tally) -> bool:
        """Whether the violation would be excluded if every request that may be under it were."""
        if total.under >= total.over:
            return False
        best = laws.average(laws.exclusion_increments(total.under, total.n, self.slo.excluded))
        return best >= self._certify_needed

    def _finding(self, verdict: str, reason: str, text: str) -> Finding:
        return Finding(
            self.slo.name,
            verdict,
            reason,
            text,
            self._sums[-1],
            self._worse.log,
            self._worse_needed if self._compared else 0.0,
            self._above.log,
            self._above_needed,
            self._certified.log,
            self._certify_needed,
        )


def _discounted(pair: Pair, rho: float) -> Pair:
    own, base = laws.discount(pair.n, rho), laws.discount(pair.m, rho)
    return Pair(pair.x / own, pair.n / own, pair.y / base, pair.m / base)
