# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What chaos draws, and what it reads from the audit log and the fences."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from tars_chaos.plan import SIGNALS, Write, draw, two_actors, writes


def test_the_same_seed_draws_the_same_and_every_part_of_the_way_is_met() -> None:
    trials = draw(20, 7, 100, 10)
    assert trials == draw(20, 7, 100, 10) and trials != draw(20, 8, 100, 10)
    assert {trial.signal for trial in trials} == set(SIGNALS)
    assert sum(not trial.good for trial in trials) == 5
    moments = sorted(trial.after_s for trial in trials)
    assert moments[0] >= 2 and moments[-1] <= 100
    assert max(after - before for before, after in pairwise(moments)) <= 2 * 98 / 20
    # Always longer than a lease lasts.
    assert all(11 <= trial.away_s <= 18 for trial in trials)


def test_two_actors_are_seen_where_an_older_fence_comes_after_a_newer_one() -> None:
    good = [(1.0, "a", 3), (2.0, "b", 4), (3.0, "a", 4), (4.0, "a", 9), (5.0, "b", 9)]
    assert two_actors(good) == 0
    assert two_actors([*good, (6.0, "a", 8), (7.0, "a", 10)]) == 1


def line(**fields: Any) -> str:
    about = {"namespace": "tars-x", "resource": "virtualservices", "name": "api"}
    base = {
        "stage": "ResponseComplete", "stageTimestamp": "2026-01-31T12:00:00.000000Z", "userAgent": "tars.rollout",
        "objectRef": about, "responseStatus": {"code": 200},
    }  # fmt: skip
    return json.dumps({**base, **fields})


def test_the_audit_log() -> None:
    other = {"namespace": "tars-x", "resource": "pods", "name": "api"}
    lines = [
        line(), line(responseStatus={"code": 422}), line(objectRef=other), line(stageTimestamp="2026-01-31T11:00:00Z"),
        '{"tars-x": cut off', line(objectRef={**other, "namespace": "tars-y"}),
    ]  # fmt: skip
    at = 1769860800.0
    found = list(writes(lines, "tars-x", at - 1))
    assert found == [Write(at, "tars.rollout", "api", 200), Write(at, "tars.rollout", "api", 422)]
