# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever Prometheus answers is series or a fault."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._metrics.answer import BadAnswer, decode
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {
        "status": st.just("success") | JSON,
        "data": st.fixed_dictionaries(
            {
                "resultType": st.sampled_from(["matrix", "vector", "scalar", "string", "streams"]),
                "result": JSON
                | st.lists(
                    st.fixed_dictionaries({"metric": st.dictionaries(st.text(), st.text()) | JSON, "values": JSON})
                ),
            }
        ),
    },
    optional={"warnings": JSON, "infos": JSON},
)


@given(JSON | NEARLY)
def test_any_json_is_a_result_or_a_fault(body: Any) -> None:
    try:
        result = decode(body)
    except BadAnswer as error:
        assert str(error)
    else:
        assert result.samples >= 0


def test_values_are_numbers_even_where_they_are_none() -> None:
    item = {"metric": {"__name__": "x", "le": "+Inf"}, "values": [[2, "NaN"], [1.5, "+Inf"]]}
    result = decode({"status": "success", "data": {"resultType": "matrix", "result": [item]}})
    series = result.series[0]
    assert (series.name, dict(series.labels)) == ("x", {"le": "+Inf"})
    assert series.samples[0] == (1.5, math.inf) and math.isnan(series.samples[1][1])


def test_native_histograms_are_told_and_left_out() -> None:
    item = {"metric": {"__name__": "x"}, "histograms": [[1, {"count": "3"}]]}
    result = decode({"status": "success", "data": {"resultType": "matrix", "result": [item]}})
    assert not result.series and "native" in result.infos[0]
    assert [(one.name, one.native, one.samples) for one in result.native] == [("x", True, [])]


@pytest.mark.parametrize("body", [[], {"status": "error", "error": "no"}, {"status": "success"}, "<html>"])
def test_what_is_no_answer_is_said(body: Any) -> None:
    with pytest.raises(BadAnswer):
        decode(body)
