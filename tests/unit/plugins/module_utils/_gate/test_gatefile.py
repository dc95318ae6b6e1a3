# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gate files: typed values, and a sentence for everything that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._gate import gatefile, keys, units
from ansible_collections.tars.rollout.plugins.module_utils._gate.gatefile import GateFileError
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import HOLD_REASONS
from hypothesis import given
from hypothesis import strategies as st

ARMS = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}
ERRORS = {"ratio": "http_requests_total", "limit": "2%", "violation": "5%", "max_drift": "10%"}
P95 = {"latency": "http_request_duration_seconds", "limit": "100ms"}


def gate(**changes: Any) -> dict[str, Any]:
    return {"gate": "v1", "service": "api", "arms": ARMS, "slos": {"errors": ERRORS}, **changes}


def one(**slo: Any) -> dict[str, Any]:
    return gate(slos={"it": slo})


def test_a_gate_file_is_read_with_its_defaults() -> None:
    spec = gatefile.parse(gate(defaults={"bake": "5m", "alpha": "2%"}, expect_pods={"canary": "3"}))
    errors = spec.slos[0]
    assert (spec.bake_s, spec.max_bake_s, spec.scrape_s, spec.alpha, spec.beta) == (300, 300, 15, 0.02, 0.05)
    assert (errors.limit, errors.violation, errors.max_drift, errors.bad) == (0.02, 0.05, 0.1, {"status": "5.."})
    assert (errors.on_limit, errors.on_drift) == ("rollback", "rollback")
    assert spec.expect_pods == {"canary": 3}


def test_what_the_stage_says_wins() -> None:
    stage = {"limits": {"errors": "1%"}, "max_drift": "none", "bake": "15s", "scrape": "5s"}
    spec = gatefile.parse(gate(defaults={"bake": "10m"}), stage)
    assert (spec.slos[0].limit, spec.slos[0].max_drift, spec.bake_s, spec.scrape_s) == (0.01, None, 15, 5)


def test_the_entry_of_the_gate_files_own_stages_holds_where_the_stage_says_nothing() -> None:
    stages = [{"weight": 10, "limits": {"errors": "1%", "more": "3%"}, "bake": "5m"}, {"weight": 100, "bake": "1m"}]
    data = gate(stages=stages, slos={"errors": ERRORS, "more": ERRORS}, defaults={"bake": "10m", "early_pass": "2m"})
    spec = gatefile.parse(data, {"weight": 10.0})
    assert ([slo.limit for slo in spec.slos], spec.bake_s, spec.early_s) == ([0.01, 0.03], 300, 120)
    spec = gatefile.parse(data, {"weight": "10", "limits": {"errors": "1.5%"}, "bake": "7m", "max_drift": None})
    assert ([slo.limit for slo in spec.slos], spec.bake_s) == ([0.015, 0.03], 420)
    assert gatefile.parse(data, {"weight": 100}).bake_s == 60
    assert gatefile.parse(data, {"weight": 50}).bake_s == gatefile.parse(data).bake_s == 600


def test_a_latency_is_in_the_unit_of_its_metric() -> None:
    assert gatefile.parse(one(**P95)).slos[0].limit == 0.1
    assert gatefile.parse(one(latency="latency_ms", limit="0.1s")).slos[0].limit == 100
    assert gatefile.parse(one(latency="d_seconds", quantile="p99.9", limit="5m")).slos[0].quantile == 0.999
    assert gatefile.parse(one(latency="envoy_cluster_upstream_rq_time", limit="50ms")).slos[0].limit == 50
    assert gatefile.parse(one(latency="odd_time", unit="ms", limit="50ms")).slos[0].limit == 50


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a bucket by hand", one(**P95, match={"le": "0.1"}), "Leave le out of match"),
    ("a bare latency", one(**{**P95, "limit": 50}), "write it with its unit"),
    ("a bare share", one(**{**ERRORS, "limit": 0.02}), "write it with its unit"),
    ("a bare bake", gate(defaults={"bake": 600}), "write it with its unit"),
    ("a violation below the limit", one(**{**ERRORS, "violation": "1%"}), "below the limit"),
    ("an unknown kind", one(median="x", limit="1%"), "exactly one of"),
    ("two kinds", one(ratio="a", gauge="b", limit="1%"), "exactly one of"),
    ("no limit", one(ratio="a"), "no limit"),
    ("no objective", gate(slos={}), "no objective"),
    ("slos as a list", gate(slos=[ERRORS]), "no mapping"),
    ("alpha of one half", gate(defaults={"alpha": "50%"}), "between 0 and 50"),
    ("alpha zero", gate(defaults={"alpha": "0%"}), "between 0 and 50"),
    ("a key that is not known", one(**ERRORS, treshold="1%"), "'treshold' is not known"),
    ("a default that is not known", gate(defaults={"baek": "1m"}), "'baek' is not known"),
    ("a limit of nothing", one(**{**ERRORS, "limit": "0%"}), "nothing to prove"),
    ("a limit of everything", one(**{**ERRORS, "limit": "100%"}), "nothing to prove"),
    ("no canary", gate(arms={"stable": {"a": "b"}}), "no labels for canary"),
    ("one arm twice", gate(arms={"canary": {"a": "b"}, "stable": {"a": "b"}}), "do not tell it"),
    ("a broken regex", one(**ERRORS, bad={"status": "5(("}), "no regular expression"),
    ("a label with a dash", one(**ERRORS, bad={"status-code": "5.."}), "no name of a label"),
    ("a metric with a selector", one(**{**ERRORS, "ratio": 'x{a="b"}'}), "no name of a metric"),
    ("an unknown policy", one(**ERRORS, on_limit="stop"), "Use rollback or hold"),
    ("a pass by default", gate(defaults={"on_inconclusive": "pass"}), "only hold is possible"),
    ("a typo in an interval", gate(defaults={"bake": "60s-typo"}), "no duration"),
    ("a bake shorter than a scrape", gate(defaults={"bake": "10s"}), "shorter than one scrape"),
    ("max_bake below bake", gate(defaults={"max_bake": "1m"}), "shorter than bake"),
    ("pods that are no number", gate(expect_pods={"canary": "-1"}), "number of pods"),
    ("an unknown version", gate(gate="v2"), "not known"),
    ("an unknown arm", one(gauge="x", limit=1, arm="blue"), "no arm"),
    ("stages that are no list", gate(stages=5), "is no list"),
    ("a stage that is no mapping", gate(stages=["10%"]), "stages[0]: '10%' is no mapping"),
    ("a stage without a weight", gate(stages=[{"bake": "10m"}]), "stages[0]: weight: None is no weight"),
    ("a weight over 100", gate(stages=[{"weight": 10}, {"weight": 150}]), "stages[1]: weight: 150 is no weight"),
    ("a weight twice", gate(stages=[{"weight": 10}, {"weight": "10.0"}]), "the weight 10 is there twice"),
    ("a stage with a typo", gate(stages=[{"weight": 10, "baek": "1m"}]), "stages[0]: the key 'baek' is not known"),
    ("a stage's bare bake", gate(stages=[{"weight": 10, "bake": 600}]), "stages[0]: bake: 600 is no duration"),
    ("a stage's unknown limit", gate(stages=[{"weight": 10, "limits": {"nope": "1%"}}]), "no objective named nope"),
    ("a negative early_pass", gate(defaults={"early_pass": "-1s"}), "negative"),
    ("an empty query", one(expr=" ", limit=1), "no query"),
    ("a query that is none", one(expr=None, limit=1), "no query"),
    ("a negative time", one(gauge="x", limit=1, **{"for": "-5s"}), "negative"),
    ("a name twice", gate(slos={1: ERRORS, "1": ERRORS}), "as a number and as a text"),
    ("pods in superscript", gate(expect_pods={"canary": "²"}), "number of pods"),
    ("more pods than there are", gate(expect_pods={"canary": "9" * 5000}), "number of pods"),
    ("a bake without an end", gate(defaults={"bake": "1e9s"}), "66,666,667 scrapes of 15 s"),
    ("a deep regex", one(**ERRORS, match={"a": "(" * 9000 + ")" * 9000}), "no regular expression"),
    ("a word that YAML takes for false", one(**ERRORS, bad={"success": False}), "Quote it"),
    ("several values as a list", one(**ERRORS, bad={"status": [500, 503]}), "Quote it"),
    ("nothing at all", one(**ERRORS, match={"route": None}), "Quote it"),
    ("an arm by a number with a point", gate(arms={"canary": {"version": 1.1}}), "Quote it"),
    ("a count below none", one(count="x", limit=-1), "negative"),
    ("the buckets of a latency", one(**{**P95, "latency": "x_seconds_bucket"}), "Name the histogram, x_seconds"),
    ("a stage's bare drift of none", gate(stages=[{"weight": 10, "max_drift": 0}]), "write it with its unit"),
    ("a negative drift", one(**{**ERRORS, "max_drift": "-5%"}), "negative"),
]


@pytest.mark.parametrize(("data", "sentence"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_meant_is_refused(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GateFileError) as caught:
        gatefile.parse(data)
    assert sentence in str(caught.value)
    assert "The gate file cannot be used" in str(caught.value)


def test_a_limit_for_an_objective_that_is_not_there_is_refused() -> None:
    with pytest.raises(GateFileError, match="no objective named typo"):
        gatefile.parse(gate(), {"limits": {"typo": "1%"}})


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_at_all_is_read_or_refused(anything: Any) -> None:
    for data in (
        gate(slos=anything),
        gate(arms=anything),
        gate(stages=anything),
        gate(defaults=anything),
        one(ratio="a", limit=anything),
    ):
        try:
            gatefile.parse(data)
        except GateFileError as error:
            assert str(error)


@given(st.floats(0.001, 99))
def test_percent_reads_what_is_written(value: float) -> None:
    assert units.percent(f"{value!r}%") == pytest.approx(value / 100)
    assert units.percent(f" {value!r} % ") == pytest.approx(value / 100)


def test_numbers_of_gauges_may_have_a_unit() -> None:
    assert [units.number(text) for text in (0, "95%", "10s", "2.5")] == [0, 0.95, 10, 2.5]


def test_the_table_of_keys_is_one_to_one_and_in_the_docs() -> None:
    text = (Path(__file__).parents[5] / "docs" / "gates.md").read_text(encoding="utf-8").replace("\\|", "|")
    for table in (keys.GATE, keys.SLO):
        assert len(set(table.values())) == len(table)
        for ours, theirs in table.items():
            assert f"| `{ours}` | `{theirs}` |" in text, ours
    for reason in ("OK", "HARD_RULE", *HOLD_REASONS):
        assert f"| `{reason}` |" in text, reason
