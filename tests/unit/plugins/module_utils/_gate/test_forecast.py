# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a forecast says would do, does: whoever takes its advice is told no second time."""

from __future__ import annotations

import re

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._gate.forecast import forecast
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Slo, Spec

RATIO = Slo("errors", "ratio", 0.04, "requests_total", violation=0.1, max_drift=0.1)
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def spec(bake: float) -> Spec:
    return Spec((RATIO,), arms={"canary": {"track": "canary"}, "stable": {"track": "stable"}}, bake_s=bake, settle_s=0)


@pytest.mark.parametrize("rps", [0.0053, 0.05, 0.31, 1.7, 4.76])
def test_the_bake_that_would_do_does(rps: float) -> None:
    told = forecast(RATIO, spec(8), rps, 100, 0)
    assert told.decidable is False
    length, unit = re.findall(r"a bake of ([\d.]+) (s|min|h)", told.text)[0]
    assert forecast(RATIO, spec(float(length) * UNITS[unit]), rps, 100, 0).decidable is True


@pytest.mark.parametrize("rps", [4.99, 5.0])
def test_the_requests_expected_are_as_many_as_needed_only_where_they_do(rps: float) -> None:
    told = forecast(RATIO, spec(8), rps, 100, 0)
    expected, needed = (int(n) for n in re.findall(r"(\d+) requests", told.text)[:2])
    assert (expected >= needed) is told.decidable
