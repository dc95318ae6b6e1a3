# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests over a boundary, counted from buckets that are not read in one moment."""

from __future__ import annotations

from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Pair, Slo, Spec
from ansible_collections.tars.rollout.plugins.module_utils._metrics.buckets import Over
from ansible_collections.tars.rollout.plugins.module_utils._metrics.series import RawSeries
from ansible_collections.tars.rollout.plugins.module_utils._metrics.store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

ARMS = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}
ROWS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=30)


def test_a_request_that_reaches_its_bucket_late_is_no_slow_one() -> None:
    over = Over()
    rows = [(10, 9), (10, 11), (10, 9), (10, 11)]
    assert [over.put(i, {0.1: fast}, n, 0.1) for i, (n, fast) in enumerate(rows, 1)] == [1, 0, 0, 0]


@settings(deadline=None)
@given(ROWS)
def test_what_is_over_is_never_negative_never_more_than_came_and_all_of_what_is_consistent(
    rows: list[tuple[int, int]],
) -> None:
    over = Over()
    found = [over.put(index, {0.1: fast}, total, 0.1) for index, (total, fast) in enumerate(rows, 1)]
    assert all(0 <= value <= total for value, (total, _fast) in zip(found, rows, strict=True))
    consistent = [(max(row), min(row)) for row in rows]
    over = Over()
    assert [over.put(i, {0.1: fast}, n, 0.1) for i, (n, fast) in enumerate(consistent, 1)] == [
        n - fast for n, fast in consistent
    ]


@settings(deadline=None)
@given(ROWS, st.integers(1, 30))
def test_a_scrape_that_is_counted_again_counts_once(rows: list[tuple[int, int]], again: int) -> None:
    once, twice = Over(), Over()
    first = [once.put(index, {0.1: fast}, total, 0.1) for index, (total, fast) in enumerate(rows, 1)]
    for index, (total, fast) in enumerate(rows, 1):
        twice.put(index, {0.1: fast}, total, 0.1)
    again = min(again, len(rows))
    assert [twice.put(i, {0.1: rows[i - 1][1]}, rows[i - 1][0], 0.1) for i in range(again, len(rows) + 1)] == first[
        again - 1 :
    ]


def test_strata_tell_the_same_requests_apart_for_ratios_and_latencies() -> None:
    slos = (Slo("e", "ratio", 0.1, "r", bad={"status": "5.."}), Slo("p", "latency", 0.1, "d", violation=0.5))
    store = Store([Spec(slos, ARMS, strata="route")], 1000.0)
    found = []
    for track, factor in (("canary", 1), ("stable", 10)):
        for route, bad in (("a", 3), ("b", 1)):
            own = {"track": track, "pod": track, "route": route}
            for name, label, text, grown in (
                ("r", "status", "200", 9), ("r", "status", "500", bad), ("d_bucket", "le", "0.1", 9),
                ("d_bucket", "le", "0.5", 9 + bad), ("d_bucket", "le", "+Inf", 9 + bad),
            ):  # fmt: skip
                found.append(RawSeries(name, {**own, label: text}, [(1000, 5), (1015, 5 + grown * factor)]))
    store.add(found)
    for name in ("e", "p"):
        reading = store.readings(0, 1015)[name]
        assert sorted(reading.strata[0]) == [Pair(1, 10, 10, 100), Pair(3, 12, 30, 120)]
        assert (reading.tallies[0].n, reading.tallies[0].m, reading.tallies[0].drift) == (22, 220, 4)
