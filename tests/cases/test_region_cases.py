# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions one after the other, as others do it or were asked to: the cases of region_cases.json."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._record import order
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._values import moment

DAY = datetime(2026, 1, 31, tzinfo=UTC).timestamp()
GOOD = Record("tars", "us-west-2", "2", "h", "alice-1", phase="promoted", phase_since=moment(DAY))


def cases() -> list[Any]:
    """The peer cases of kind region."""
    path = Path(__file__).with_name("region_cases.json")
    return [pytest.param(case, id=case["id"]) for case in json.loads(path.read_text(encoding="utf-8"))["cases"]]


@pytest.mark.parametrize("case", cases())
def test_peer_case(case: Any) -> None:
    """Regions one after the other: each begins when ``turn`` says so, and ends after its minutes."""
    given, expected = case["input"], case["expected"]
    if "order" in given:
        begins, before, now = [], [], DAY + given["start_minute"] * 60
        for name, minutes in zip(given["order"], given["deploy_minutes"], strict=True):
            found = order.turn(before, "2", "h", now, gap=given["gap_minutes"] * 60)
            assert found.begins is not None
            begins.append((found.begins - DAY) / 60)
            now = found.begins + minutes * 60
            before.append((name, replace(GOOD, phase_since=moment(now))))
        assert begins == expected["region_start_minutes"]
        return
    before, now = [], DAY + given["now_hour"] * 3600
    seen = {}
    for region in given["stagger"]:
        gap = {"1 h": 3600.0, "": 0.0}[before[-1][2] if before else ""]
        found = order.turn([item[:2] for item in before], "2", "h", now, gap, region["hours"])
        assert found.begins is not None
        seen[region["region"]] = (found.begins - DAY) / 3600
        # Each takes five hours and a half, so that every window is met or missed once.
        now = found.begins + 5.5 * 3600
        before.append((region["region"], replace(GOOD, phase_since=moment(now)), region.get("pause", "")))
    assert seen["A"] == 10.0 and expected["A_starts"] == "10:00"
    assert 14 <= seen["B"] < 18 and seen["B"] >= seen["A"] + 5.5 + 1
    assert seen["C"] % 24 >= 20 or seen["C"] % 24 < 2
