# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that cannot be meant are refused with a sentence, before anything is asked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate import options
from fake_prometheus import GATE, Clock, FakePrometheus, judge
from hypothesis import given
from hypothesis import strategies as st

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"strata": "the route"}, "no name of a label"),
    ({"strata": "status"}, "tells bad requests from good ones"),
    ({"services": []}, "no service is named"),
    ({"services": [GATE, GATE]}, "is there twice"),
    ({"stage": {"weight": 101}}, "0 to 100"),
    ({"stage": {"weight": True}}, "0 to 100"),
    ({"stage": {"wait": "1m"}}, "'wait' is not known"),
    ({"bake": "600"}, "write it with its unit"),
    ({"prometheus": {}}, "no address is named"),
    ({"prometheus": {"url": "prometheus:9090"}}, "no URL"),
    ({"prometheus": {"url": "http://x", "timeout": "-20s"}}, "negative"),
    ({"replay": {"start": "yesterday", "end": "now"}}, "no moment"),
    ({"replay": {"start": "2026-01-31T12:00:00", "end": "2026-01-31T12:10:00"}}, "no moment"),
    ({"replay": {"start": "20", "end": "10"}}, "not after its start"),
    ({"prometheus": {"url": "http://x:99999"}}, "no URL"),
    ({"prometheus": {"url": "http://[x"}}, "no URL"),
    ({"prometheus": {"url": "http://x", "timeout": "0s"}}, "no time to answer"),
    ({"services": [{**GATE, "prometheus": "http://x"}]}, "is no mapping"),
    ({"since": "nan"}, "no moment"),
    ({"since": "-1e12"}, "no moment"),
    ({"replay": {"start": "0", "end": "inf"}}, "no moment"),
    ({"replay": {"start": "0", "end": "1e9"}}, "at most 30,000 scrapes"),
    ({"plan_stages": 0}, "no number of stages"),
    ({"since": "noon"}, "no moment"),
    ({"since": "10", "replay": {"start": "10", "end": "20"}}, "replay is given too"),
    ({"services": [{**GATE, "prometheus": {"url": "http://other"}}]}, "2 different addresses"),
    ({"services": [{**GATE, "prometheus": {"partial_response": True}}]}, "Half an answer"),
]


@pytest.mark.parametrize(("params", "sentence"), REFUSED)
def test_options_that_cannot_be_meant_are_refused(params: dict[str, Any], sentence: str) -> None:
    prometheus = FakePrometheus(Clock())
    with pytest.raises(RolloutError, match=re.escape(sentence)):
        judge(prometheus, **params)
    assert not prometheus.seen


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["10m", "1e9s", "5%", "nan", "inf", "http://x", "http://[x", "2026-01-31T12:00:00Z", "10", "²"])
)  # fmt: skip
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(SCALARS.filter(lambda key: str(key) != "nan"), inner, max_size=3)
    ),
    max_leaves=6,
)
SERVICE = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("gate", "service", "arms", "expect_pods", "defaults", "slos", "stages"), DATA),
        "prometheus": DATA | st.fixed_dictionaries({"url": SCALARS}, optional={"timeout": SCALARS}),
    },
)
TEXTS = SCALARS.map(str)
PARAMS = st.fixed_dictionaries(
    {"services": st.lists(SERVICE.map(lambda some: {**GATE, **some}), min_size=1, max_size=2)},
    optional={
        **dict.fromkeys((*options.stages.TIMES, "since", "strata", "baseline_history"), TEXTS),
        "stage": st.dictionaries(st.sampled_from(sorted(options.stages.KEYS)) | SCALARS, DATA, max_size=3),
        "replay": st.fixed_dictionaries({"start": TEXTS, "end": TEXTS}),
        "plan_stages": st.integers(),
        "prometheus": st.fixed_dictionaries({"url": TEXTS}, optional={"timeout": TEXTS, "headers": st.just({"a": 1})}),
    },
)


@given(PARAMS)
def test_any_options_at_all_are_read_or_refused(params: dict[str, Any]) -> None:
    whole = {"fail_on": [], "baseline_history": "1h", **params}
    for read in (lambda: options.read(whole), lambda: options.http(whole, 15.0)):
        try:
            read()
        except RolloutError as error:
            assert str(error) and error.reason in ("bad_options", "bad_gate_file")
