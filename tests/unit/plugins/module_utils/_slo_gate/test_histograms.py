# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms that cannot answer: native ones, and those without a bucket where the limit is. What to write is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer
from ansible_collections.tars.rollout.plugins.module_utils._gate import explain
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Around, Slo, Tally
from fake_prometheus import GATE, START, Clock, FakePrometheus, judge, reply

P95 = {"latency": "seconds", "limit": "120ms", "violation": "300ms", "max_drift": "50%"}
NATIVE = {"count": "9", "sum": "1", "buckets": []}
# Answers a query by itself, or leaves it with None.
Before = Callable[[FakePrometheus, Mapping[str, Any]], Any]


def gate(**slos: Any) -> dict[str, Any]:
    return {**GATE, "slos": slos}


def answer(kind: str, *rows: Mapping[str, Any]) -> Answer:
    return reply({"status": "success", "data": {"resultType": kind, "result": list(rows)}})


def native_metric(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
    """A server whose only metric is the native histogram ``seconds``."""
    query = form.get("query", "")
    if query == "time()":
        return None
    labels = {"__name__": "seconds", "track": "canary", "pod": "c-0"}
    asked = '"seconds"' in query or '"seconds|' in query or query == "rate(seconds[5m])"
    if "[" in query and "rate" not in query:
        return answer("matrix", *([{"metric": labels, "histograms": [[START, NATIVE]]}] if asked else []))
    return answer("vector", *([{"metric": labels, "histogram": [START, NATIVE]}] if asked else []))


@pytest.mark.parametrize(
    ("slo", "seen", "instead"),
    [
        ({"expr": "rate(seconds[5m])", "limit": 1}, "the expression answers a native histogram", "histogram_quantile"),
        ({"gauge": "seconds", "limit": 1}, "seconds of canary is a native histogram", "name a counter or a gauge"),
        ({"count": "seconds", "limit": 1, "arm": "any"}, "seconds is a native histogram", "write an expr"),
        ({"ratio": "seconds", "limit": "2%"}, "seconds of canary is a native histogram", "name a counter"),
        (P95, "seconds of canary is a native histogram and has no buckets",
         "expr: 1 - histogram_fraction(0, 0.12, sum(rate(seconds[5m]))) with limit: 5%"),
    ],
)  # fmt: skip
def test_a_native_histogram_is_named_and_what_to_write_instead(slo: Any, seen: str, instead: str) -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = native_metric
    result = judge(prometheus, services=[gate(x=slo)], fail_on=[])
    assert (result["verdict"], result["reason"]) == ("hold", "NO_DATA")
    line = result["services"][0]["line"]
    assert seen in line and instead in line, line
    assert [text for text in result["forecast"]["findings"] if seen in text and instead in text]
    assert not any("does not exist" in text for text in result["forecast"]["findings"])


def buckets(bounds: tuple[str, ...], tracks: tuple[str, ...] = ("canary", "stable"), rate: float = 5.0) -> Before:
    """A server with the histogram ``seconds``: all requests are in the last bucket and above all others."""

    def before(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        query = form.get("query", "")
        if query == "time()" or "seconds_bucket" not in query:
            return None if query == "time()" else answer("vector")
        # What a poll asks for by le it gets; the first read asks for all of them.
        rows = []
        for track in tracks:
            for bound in bounds:
                times = [START - 300 + 15 * i for i in range(100) if START - 300 + 15 * i <= float(form["time"])]
                slow = bound not in ("+Inf", bounds[-2])
                labels = {"__name__": "seconds_bucket", "track": track, "pod": track, "le": bound}
                values = [[at, str(0 if slow else int((at - START + 300) * rate))] for at in times]
                if "le=~" not in query or bound.replace(".", "\\\\.").replace("+", "\\\\+") in query:
                    rows.append({"metric": labels, "values": values[-40:]})
        return answer("matrix", *rows)

    return before


@pytest.mark.parametrize(
    ("bounds", "tracks", "limit", "violation"),
    [
        (("0.1", "0.25", "1", "+Inf"), ("canary", "stable"),
         "no bucket ends at the limit of 120 ms, the nearest at 100 ms and 250 ms; move the limit to one that is there",
         "no bucket ends at the violation of 300 ms, the nearest at 250 ms and 1 s; move the violation to one"),
        # The canary is not there yet: it will have the buckets of stable.
        (("0.1", "0.25", "1", "+Inf"), ("stable",), "the nearest at 100 ms and 250 ms", "250 ms and 1 s"),
        (("0.05", "0.1", "+Inf"), ("canary", "stable"), "limit of 120 ms, the last one at 100 ms", "the last one at"),
        (("0.5", "1", "+Inf"), ("canary", "stable"), "limit of 120 ms, the first one at 500 ms", "the first one at"),
    ],
)  # fmt: skip
def test_a_limit_that_is_no_bucket_is_told_with_the_buckets_beside_it(
    bounds: tuple[str, ...], tracks: tuple[str, ...], limit: str, violation: str
) -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = buckets(bounds, tracks)
    findings = judge(prometheus, check=True, services=[gate(p95=P95)])["forecast"]["findings"]
    assert any(limit in text for text in findings), findings
    assert any(violation in text and "at the violation" in text for text in findings), findings


def test_only_a_bucket_of_everything_is_told() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = buckets(("+Inf", "+Inf"))
    findings = judge(prometheus, check=True, services=[gate(p95=P95)])["forecast"]["findings"]
    assert "api: p95: no bucket ends at the limit of 120 ms, there is none but +Inf; add buckets around it" in findings


def test_a_limit_and_a_violation_that_are_buckets_are_no_finding() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = buckets(("0.12", "0.3", "1", "+Inf"))
    findings = judge(prometheus, check=True, services=[gate(p95=P95)])["forecast"]["findings"]
    assert not any("no bucket" in text for text in findings), findings


def test_a_hold_for_coarse_buckets_names_them() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = buckets(("0.1", "0.5", "+Inf"))
    service = judge(prometheus, services=[gate(p95=P95)], fail_on=[])["services"][0]
    assert service["reason"] == "BUCKETS_TOO_COARSE"
    assert "the limit of 120 ms, the nearest at 100 ms and 500 ms; move the limit to one" in service["line"]


def test_where_the_limit_is_a_bucket_it_is_the_violation_that_lies_between_two() -> None:
    slo = Slo("p95", "latency", 0.1, "seconds", violation=0.3)
    text = explain.coarse(slo, Tally(1000, 10, 10, 60, 20), Around(0.1, 0.1, 0.25, 0.5))
    assert text.startswith("of 1,000 canary requests 60 may have taken longer than 300 ms, 20 surely did: no bucket")
    assert "at the violation of 300 ms, the nearest at 250 ms and 500 ms" in text


@pytest.mark.parametrize(
    ("le", "near"),
    [
        ("0\\.12", "0.1 and 0.25"),
        ("0.12", "0.1 and 0.25"),
        ("60", "0.25 and +Inf"),
        ("1.2.3", "0.1 and 0.25 and +Inf"),
        ("0.01", "0.1"),
        ("0.1.*", "0.1 and 0.25 and +Inf"),
    ],
)
def test_a_bucket_that_is_named_by_hand_and_not_there_is_told_with_those_next_to_it(le: str, near: str) -> None:
    def before(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        if form.get("query", "").startswith("count by (le) (seconds_bucket)"):
            return answer("vector", *({"metric": {"le": b}, "value": [START, "2"]} for b in ("0.25", "0.1", "+Inf")))
        if "match[]" in form:
            return reply({"status": "success", "data": ["__name__", "le", "track"]})
        return None if form.get("query") == "time()" else answer("matrix" if "ms]" in form["query"] else "vector")

    prometheus = FakePrometheus(Clock())
    prometheus.before = before
    slo = {"count": "seconds_bucket", "match": {"le": le}, "limit": 3}
    findings = judge(prometheus, check=True, services=[gate(slow=slo)])["forecast"]["findings"]
    assert any(f'no bucket has le="{le}", the nearest have {near})' in text for text in findings), findings
