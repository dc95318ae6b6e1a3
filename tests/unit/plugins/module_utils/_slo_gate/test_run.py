# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module from options to result, against a Prometheus that lives in the test and a clock that nobody waits for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError
from ansible_collections.tars.rollout.plugins.module_utils._metrics.prometheus import Prometheus
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate import options
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.watch import Watch
from fake_prometheus import GATE, SLOS, START, Clock, FakeFuse, FakePrometheus, judge, reply


def test_a_good_canary_passes_after_the_bake_with_one_request_per_poll() -> None:
    prometheus = FakePrometheus(Clock())
    result = judge(prometheus, fail_on=["rollback", "hold"])
    assert (result["verdict"], result["reason"]) == ("pass", "OK")
    assert result["decided_after_s"] == pytest.approx(300, abs=1)
    # The clock, the first values, two parts of history, and one request per scrape.
    assert result["cost"]["requests"] - result["cost"]["polls"] <= 5
    assert "failed" not in result and result["changed"] is False
    reads = [float(form["time"]) for form in prometheus.seen if "time" in form]
    assert reads == sorted(reads) or reads[2:] == sorted(reads[2:])


def test_a_bad_canary_is_rolled_back_early_and_fails_the_task() -> None:
    fuse = FakeFuse()
    result = judge(FakePrometheus(Clock(), bad=0.08), fuse=fuse)
    assert result["verdict"] == "rollback" and result["failed"] is True
    assert result["decided_after_s"] <= 90
    assert fuse.blown == [result["reason"]]
    assert result["cut"]["done"] and result["changed"] is True
    assert re.match(r"api: ROLLBACK errors at \d+ s: \d+ of \d+ canary requests failed", result["msg"])
    assert result["evidence"][-1]["x"] >= 5


@pytest.mark.parametrize("settle", [7, 15, 20, 30, 45, 60, 90])
def test_what_settles_is_not_judged(settle: int) -> None:
    good = judge(FakePrometheus(Clock()), settle=f"{settle}s", fail_on=["rollback", "hold"])
    assert (good["verdict"], good["decided_after_s"]) == ("pass", pytest.approx(300, abs=1))
    # 5 requests a second, of those of the settled part.
    assert good["evidence"][-1]["n"] == pytest.approx(5 * (300 - settle), abs=5 * 15)
    bad = judge(FakePrometheus(Clock(), bad=0.08), settle=f"{settle}s")
    assert bad["verdict"] == "rollback" and settle < bad["decided_after_s"] <= settle + 90


def test_rollback_and_hold_are_results_where_they_are_not_to_fail() -> None:
    result = judge(FakePrometheus(Clock(), bad=0.08), fail_on=[])
    assert result["verdict"] == "rollback" and "failed" not in result


def test_a_cut_that_fails_is_loud_and_the_verdict_stands() -> None:
    result = judge(FakePrometheus(Clock(), bad=0.08), fuse=FakeFuse(done=False), fail_on=[])
    assert result["verdict"] == "rollback" and result["failed"] is True
    assert "NOT cut" in result["msg"]
    assert any("could not be cut" in text for text in result["warned"])


def test_check_mode_reads_once_and_claims_nothing() -> None:
    prometheus = FakePrometheus(Clock(), bad=0.5)
    live, check = judge(FakePrometheus(Clock(), bad=0.5)), judge(prometheus, check=True)
    assert check["verdict"] == "not yet" and check["services"][0]["verdict"] == "not yet"
    assert live.keys() - check.keys() <= {"failed", "msg"}
    assert check["cost"]["polls"] == 0 and prometheus.clock.time == START
    assert check["forecast"]["slos"][0]["decidable"] is True


def test_the_forecast_says_when_a_stage_cannot_be_decided() -> None:
    result = judge(FakePrometheus(Clock()), check=True, stage={"weight": 0.1})
    forecast = result["forecast"]
    assert forecast["decidable"] is False
    assert "cannot be decided" in forecast["slos"][0]["text"] and "would do" in forecast["slos"][0]["text"]


def test_the_bound_on_wrong_rollbacks_is_that_of_the_whole_plan() -> None:
    forecast = judge(FakePrometheus(Clock()), check=True, plan_stages=6, services=[GATE, {**GATE, "service": "b"}])[
        "forecast"
    ]
    assert forecast["false_rollback_at_most"] == pytest.approx(0.12)
    assert forecast["text"] == (
        "a healthy release is rolled back with a chance of at most 12 % over 2 services and 6 stages"
    )
    stages = [{"weight": 10}, {"weight": 50}, {"weight": 100}]
    forecast = judge(FakePrometheus(Clock()), check=True, services=[{**GATE, "stages": stages}])["forecast"]
    assert forecast["false_rollback_at_most"] == pytest.approx(0.03)


def test_an_arm_that_is_not_there_reads_not_yet() -> None:
    gate = {**GATE, "arms": {"canary": {"track": "canary", "colour": "blue"}, "stable": {"track": "stable"}}}
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda self, form: reply(no_series()) if "[" in form.get("query", "") else None
    findings = judge(prometheus, check=True, services=[gate])["forecast"]["findings"]
    assert any("not yet" in text and "no label colour" in text for text in findings)


def test_a_limit_that_stable_did_not_keep_over_the_last_day_is_told_before_the_stage() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.day = 0.034
    findings = judge(prometheus, check=True)["forecast"]["findings"]
    assert any("stable was at 3.4 % over the last day" in text for text in findings)
    asked = [form["query"] for form in prometheus.seen if "[1d]" in form.get("query", "")]
    bad = 'sum(increase({__name__=~"requests_total",status=~"5..",track=~"stable"}[1d]))'
    told = 'sum(increase({__name__=~"requests_total",status=~".+",track=~"stable"}[1d]))'
    assert asked == [f'{bad} / ({told} > {bad} or sum(increase({{__name__=~"requests_total",track=~"stable"}}[1d])))']
    # A live run does not wait for such questions.
    live = FakePrometheus(Clock())
    judge(live, bake="15s")
    assert not [form for form in live.seen if "[1d]" in form.get("query", "")]


def test_a_range_of_less_than_four_scrapes_is_told() -> None:
    one = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [START, "0"]}]}}
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda _self, form: reply(one) if form.get("query", "").startswith("max(") else None
    slos = {
        **SLOS,
        "short": {"expr": "max(rate(x[45s]))", "limit": 1},
        "fine": {"expr": "max(rate(x[1m]))", "limit": 1},
    }
    findings = judge(prometheus, check=True, services=[{**GATE, "slos": slos}])["forecast"]["findings"]
    assert [text for text in findings if "four scrapes" in text] == [
        "api: short: the range [45s] is shorter than four scrapes of 15 s"
    ]


def no_series() -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": []}}


def test_silence_is_a_hold() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda self, form: reply(no_series()) if "[" in form.get("query", "") else None
    result = judge(prometheus)
    assert (result["verdict"], result["reason"], result["slo"]) == ("hold", "NO_DATA", "errors")


def test_warnings_are_a_hold_however_bad_the_data_look() -> None:
    prometheus = FakePrometheus(Clock(), bad=0.5)
    prometheus.before = lambda self, form: (
        reply({**self.body("query", form), "warnings": ["a store is down"]}) if "[" in form.get("query", "") else None
    )
    result = judge(prometheus)
    assert (result["verdict"], result["reason"]) == ("hold", "PARTIAL_DATA")
    assert "a store is down" in result["services"][0]["line"]


def test_a_server_that_is_away_for_a_minute_costs_nothing() -> None:
    def away(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        if self.clock.time < START + 60:
            raise HttpError("503", reason="http_status", hint="", url="http://prometheus")
        return None

    for bad, verdict in ((0.01, "pass"), (0.08, "rollback")):
        prometheus = FakePrometheus(Clock(), bad=bad)
        prometheus.before = away
        result = judge(prometheus)
        assert result["verdict"] == verdict
        assert any("could not be read before the stage" in text for text in result["warned"])


def test_a_server_that_stays_away_is_a_hold() -> None:
    def away(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        raise HttpError("no answer", reason="http_timeout", hint="", url="http://prometheus")

    prometheus = FakePrometheus(Clock())
    prometheus.before = away
    assert judge(prometheus)["reason"] == "QUERY_ERROR"


def test_too_many_samples_are_read_in_halves() -> None:
    def narrow(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        found = re.search(r"\[([0-9]+)ms\]$", form.get("query", ""))
        if found and int(found[1]) > 40_000:
            return reply(
                {"status": "error", "errorType": "execution", "error": "... too many samples into memory"}, 422
            )
        return None

    prometheus = FakePrometheus(Clock())
    prometheus.before = narrow
    assert judge(prometheus)["verdict"] == "pass"


def test_clocks_that_differ_by_minutes_are_a_hold_and_by_seconds_are_not() -> None:
    assert judge(FakePrometheus(Clock(), ahead=-600))["reason"] == "CLOCK_SKEW"
    assert judge(FakePrometheus(Clock(), ahead=-20))["verdict"] == "pass"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (reply(b"<html><title>Sign in</title></html>"), "HTML page"),
        (reply({"status": "error", "error": "parse error"}, 400), "parse error"),
        (reply(b"[]"), "no JSON object"),
    ],
)
def test_what_waiting_cannot_heal_is_refused_before_the_bake(answer: Answer, sentence: str) -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda _self, _form: answer
    with pytest.raises(RolloutError, match=sentence):
        judge(prometheus)
    assert prometheus.clock.time == START


def value(number: str = "0", **beside: Any) -> Answer:
    rows = [{"metric": {}, "value": [START, number]}]
    return reply({"status": "success", "data": {"resultType": "vector", "result": rows}, **beside})


CUSTOM = {**GATE, "slos": {**SLOS, "custom": {"expr": "rate(x[5m])", "limit": "2%"}}}
INFO = "PromQL info: metric might not be a counter: x"


def test_what_prometheus_says_about_an_expression_is_shown_before_the_stage_and_in_the_result() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda _self, form: value(infos=[INFO]) if form.get("query") == "rate(x[5m])" else None
    check = judge(prometheus, check=True, services=[CUSTOM])
    assert INFO in check["forecast"]["findings"] and check["notes"] == [INFO]
    result = judge(prometheus, services=[CUSTOM])
    assert result["verdict"] == "pass" and result["notes"] == [INFO]
    assert result["warned"].count(f"slo_gate: {INFO}") == 1


def test_what_prometheus_says_only_later_is_shown_in_the_result_and_bounded() -> None:
    def later(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        if form.get("query") != "rate(x[5m])":
            return None
        said = [f"{INFO} {number} {form['time']}" for number in range(8)]
        return value(infos=said if self.clock.time > START + 60 else [])

    prometheus = FakePrometheus(Clock())
    prometheus.before = later
    result = judge(prometheus, services=[CUSTOM])
    assert not any(INFO in text for text in result["forecast"]["findings"])
    assert len(result["notes"]) == 50 and f"slo_gate: {result['notes'][0]}" in result["warned"]


def test_a_warning_about_an_expression_is_told_before_the_stage() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda _self, form: value(warnings=["a store is down"]) if "rate" in form["query"] else None
    findings = judge(prometheus, check=True, services=[CUSTOM])["forecast"]["findings"]
    assert findings == ["Prometheus could not be read before the stage: a store is down"]


@pytest.mark.parametrize(
    ("name", "asked"), [("app:errors:ratio_5m", True), ('app:errors:ratio_5m{svc="api"}', True), ("max(x)", False)]
)
def test_a_recorded_value_is_as_old_as_its_rule_though_prometheus_still_shows_it(name: str, asked: bool) -> None:
    def rule(self: FakePrometheus, form: Mapping[str, Any]) -> Answer | None:
        """A rule that is evaluated every 15 s until it dies in the third minute of the bake."""
        if form.get("query") == name:
            return value("0.001")
        if form.get("query") == f"timestamp({name})":
            return value(f"{min(self.clock.time // 15 * 15, START + 130)}")
        return None

    prometheus = FakePrometheus(Clock())
    prometheus.before = rule
    gate = {**GATE, "slos": {**SLOS, "recorded": {"expr": name, "limit": "2%"}}}
    result = judge(prometheus, services=[gate], fail_on=[])
    expected = ("hold", "STALE_DATA", "recorded") if asked else ("pass", "OK", "")
    assert (result["verdict"], result["reason"], result["slo"]) == expected
    assert any(form.get("query") == f"timestamp({name})" for form in prometheus.seen) is asked


def test_a_recorded_value_that_comes_every_minute_is_not_stale() -> None:
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda self, form: {
        "app:errors:ratio_5m": lambda: value("0.001"),
        "timestamp(app:errors:ratio_5m)": lambda: value(f"{self.clock.time // 60 * 60}"),
    }.get(form.get("query", ""), lambda: None)()
    gate = {**GATE, "slos": {**SLOS, "recorded": {"expr": "app:errors:ratio_5m", "limit": "2%"}}}
    assert judge(prometheus, services=[gate])["verdict"] == "pass"


def test_an_expression_that_answers_two_series_is_refused() -> None:
    two = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0"]}] * 2}}
    prometheus = FakePrometheus(Clock())
    prometheus.before = lambda _self, form: reply(two) if form.get("query") == "rate(x)" else None
    gate = {**GATE, "slos": {**SLOS, "custom": {"expr": "rate(x)", "limit": "2%"}}}
    with pytest.raises(RolloutError, match="answers 2 series"):
        judge(prometheus, services=[gate])


def test_the_bake_begins_when_the_weight_came_into_force_and_what_was_missed_is_judged_scrape_by_scrape() -> None:
    prometheus = FakePrometheus(Clock(), ahead=40.0)
    result = judge(prometheus, since=str(START - 100))
    assert result["verdict"] == "pass" and result["decided_after_s"] == pytest.approx(300, abs=1)
    # By the clock of this machine, though that of Prometheus is ahead.
    assert prometheus.clock.time == pytest.approx(START + 200, abs=1)
    moments = [row["t"] for row in result["evidence"]]
    assert moments[0] <= 30 and max(b - a for a, b in pairwise(moments)) == pytest.approx(15)


def test_a_breach_that_was_there_before_the_call_is_told_at_once() -> None:
    fuse = FakeFuse()
    prometheus = FakePrometheus(Clock(), bad=0.08)
    result = judge(prometheus, fuse=fuse, since=str(START - 100))
    assert result["verdict"] == "rollback" and fuse.blown
    assert result["decided_after_s"] <= 90 and prometheus.clock.time == START


def test_a_replay_decides_as_the_live_run_did_and_waits_for_nothing() -> None:
    live = judge(FakePrometheus(Clock(), bad=0.08))
    clock = Clock()
    clock.time = START + 900
    window = {"start": str(START), "end": str(START + 300)}
    replayed = judge(FakePrometheus(clock, bad=0.08), replay=window)
    assert (replayed["verdict"], replayed["reason"]) == (live["verdict"], live["reason"])
    assert abs(replayed["decided_after_s"] - live["decided_after_s"]) <= 15
    assert clock.time == START + 900


def test_a_replay_ends_with_its_window_though_a_live_run_would_have_gone_on() -> None:
    clock = Clock()
    clock.time = START + 900
    prometheus = FakePrometheus(clock)
    prometheus.before = lambda self, form: reply(no_series()) if "[" in form.get("query", "") else None
    gate = {**GATE, "defaults": {"max_bake": "20m"}}
    result = judge(prometheus, services=[gate], replay={"start": str(START), "end": str(START + 300)})
    assert (result["verdict"], result["decided_after_s"]) == ("hold", 300)


def test_an_early_pass_is_that_of_its_service() -> None:
    early = {**GATE, "service": "early", "defaults": {"early_pass": "2m"}}
    result = judge(FakePrometheus(Clock()), services=[early, GATE])
    assert result["verdict"] == "pass" and result["decided_after_s"] == pytest.approx(300, abs=1)
    assert judge(FakePrometheus(Clock()), services=[early])["decided_after_s"] == pytest.approx(125, abs=10)


def test_an_early_pass_that_is_not_early_is_told() -> None:
    findings = judge(FakePrometheus(Clock()), check=True, early_pass="5m")["forecast"]["findings"]
    assert "api: early_pass of 5 min is not before the end of the bake of 5 min: nothing passes earlier" in findings


def test_a_stage_of_the_gate_file_is_what_is_judged_under_its_weight() -> None:
    gate = {**GATE, "stages": [{"weight": 10, "bake": "10m", "limits": {"errors": "3%"}}]}
    result = judge(FakePrometheus(Clock()), services=[gate], bake=None)
    assert result["decided_after_s"] == pytest.approx(600, abs=1)


def test_a_bake_that_begins_in_the_future_is_refused() -> None:
    with pytest.raises(RolloutError, match="in the future"):
        judge(FakePrometheus(Clock()), since=str(START + 60))


def test_asking_whether_this_run_still_may_act_delays_no_poll() -> None:
    prometheus, late = FakePrometheus(Clock()), []

    def may(_doing: str) -> None:
        prometheus.clock.time += 0.3

    def asked(self: FakePrometheus, form: Mapping[str, Any]) -> None:
        late.append(self.clock.time - float(form["time"]))

    plan = options.read({"services": [GATE], "bake": "2m", "baseline_history": "5m", "fail_on": []})
    reader = Prometheus(prometheus, prometheus.clock, 10.0)
    watch = Watch(reader, plan, prometheus.clock, lambda _watch: None, may=may)
    watch.begin()
    prometheus.before = asked
    watch.run()
    assert len(late) == watch.polls > 5 and max(late) == pytest.approx(0, abs=0.01)
