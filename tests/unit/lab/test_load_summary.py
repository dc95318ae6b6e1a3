# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of a run's counts, percentiles and verdict."""

from __future__ import annotations

import errno
import random
from collections import Counter

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tarslab.load import outcome as oc
from tarslab.load.report import progress_line, summary_lines, verdict_line
from tarslab.load.summary import FAILED, LATE, PASSED, TOO_SLOW, Histogram, Summary


@given(st.lists(st.floats(1e-5, 100), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_percentiles_are_within_half_a_percent(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    rank = max(1, -int(-round(share * len(values), 9) // 1))
    assert histogram.percentile(share) == pytest.approx(sorted(values)[rank - 1], rel=0.0051)
    assert histogram.max == max(values)


def test_an_empty_histogram_has_only_zeros() -> None:
    assert set(Histogram().to_json().values()) == {0.0}


def test_a_histogram_stays_small() -> None:
    histogram = Histogram()
    rng = random.Random(1)
    for _round in range(20_000):
        histogram.add(rng.lognormvariate(-5, 2))
    assert len(histogram._buckets) < 2000


def _filled(*outcomes: str, lag: float = 0.0) -> Summary:
    summary = Summary()
    for name in outcomes:
        version = "1.0.0" if name == oc.OK else ""
        summary.request("us-west-2", "api", "kept", oc.Result(name, version, 200 if version else 0), lag, 0.01)
    return summary


def test_counts_by_service_version_and_kind() -> None:
    summary = _filled(oc.OK, oc.OK, oc.RESET)
    summary.request("us-east-1", "insight", "new", oc.Result(oc.HTTP_5XX, "1.0.1", 503), 0.0, 0.2)
    shown = summary.to_json()
    assert shown["requests"] == 4
    assert shown["failed"] == 2
    assert shown["failures"] == {"reset": 1, "http_5xx": 1}
    assert shown["services"] == {"api": {"-": {"reset": 1}, "1.0.0": {"ok": 2}}, "insight": {"1.0.1": {"http_5xx": 1}}}
    assert shown["regions"]["us-east-1"] == {"1.0.1": {"http_5xx": 1}}
    assert shown["kinds"] == {"kept": {"ok": 2, "reset": 1}, "new": {"http_5xx": 1}}
    assert shown["versions"] == {"-": 1, "1.0.0": 2, "1.0.1": 1}
    assert shown["statuses"] == {"200": 2, "503": 1}
    assert shown["latency_ms"]["from_send"]["max"] == 200


@pytest.mark.parametrize("name", oc.FAILURES)
def test_each_kind_of_failure_fails_the_run(name: str) -> None:
    assert _filled(oc.OK, name).verdict == FAILED


@pytest.mark.parametrize("name", [oc.OK, oc.UNFINISHED])
def test_what_is_no_failure_passes(name: str) -> None:
    assert _filled(oc.OK, name).verdict == PASSED


def test_late_requests_make_the_generator_too_slow_whatever_failed() -> None:
    summary = _filled(*[oc.OK] * 95)
    for _round in range(5):
        summary.request("r", "api", "kept", oc.Result(oc.TIMEOUT), LATE + 0.001, 10)
    assert (summary.late, summary.verdict) == (5, FAILED)
    summary.request("r", "api", "kept", oc.Result(oc.OK, "1"), LATE + 0.001, 0.01)
    assert (summary.late, summary.verdict) == (6, TOO_SLOW)
    assert "6 of 101 requests left more than 50 ms late" in verdict_line(summary)


def test_one_lag_of_half_the_time_out_is_too_slow_as_well() -> None:
    summary = _filled(*[oc.OK] * 1000)
    summary.request("r", "api", "kept", oc.Result(oc.OK, "1"), 5.5, 0.01)
    assert "5.5 s late" in summary.too_slow


def test_ports_or_files_of_our_own_running_out_is_no_fault_of_the_system() -> None:
    assert _filled(oc.OK, oc.OWN_LIMIT).verdict == TOO_SLOW


def test_latency_from_due_contains_the_lag() -> None:
    shown = _filled(oc.OK, lag=0.03).to_json()["latency_ms"]
    assert (shown["from_due"]["max"], shown["from_send"]["max"]) == (40, 10)


def test_unsent_requests_have_no_latency() -> None:
    summary = _filled(oc.UNSENT)
    assert summary.from_send.count == 0
    assert summary.failed == 1


def test_cut_websockets_are_counted_and_are_no_failures() -> None:
    summary = _filled(oc.OK)
    summary.websocket("api", oc.Result(oc.CUT, "1.0.0", 101), 12)
    summary.websocket("api", oc.Result(oc.OK, "1.0.1", 101), 30)
    shown = summary.to_json()["ws"]
    assert (summary.cuts, summary.verdict) == (1, PASSED)
    assert shown["lines"] == {"api": {"1.0.0": 12, "1.0.1": 30}}
    summary.websocket("api", oc.Result(oc.HTTP_5XX, "", 503), 0)
    assert (summary.failures, summary.verdict) == ({"http_5xx": 1}, FAILED)


def test_lines_for_people() -> None:
    summary = _filled(oc.OK, oc.HTTP_5XX)
    summary.websocket("api", oc.Result(oc.CUT, "1.0.0", 101), 12)
    text = "\n".join(summary_lines(summary))
    assert "2 requests in 0.0 s, 1 failed (http_5xx 1)" in text
    assert "WebSockets: 1 cut" in text
    assert text.endswith("failed: 1 failed (http_5xx 1)")
    new = {
        "outcomes": Counter({"ok": 499, "reset": 1}),
        "versions": Counter({"": 1, "1.0.0": 449, "1.0.1": 50}),
        "beside": Counter({"late": 2, "cuts": 0}),
    }
    line = " ".join(progress_line(15, new, 3).split())
    assert line == "15 s 499 ok 1 failed (reset 1) 3 in flight 2 late 1.0.0 90 %, 1.0.1 10 %"


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {"x-version": "1", "x-service": "api"}, oc.OK),
        (204, {"x-version": "1"}, oc.OK),
        (200, {}, oc.NO_VERSION),
        (200, {"x-version": "1", "x-service": "ppo"}, oc.WRONG_SERVICE),
        (302, {}, oc.HTTP_OTHER),
        (404, {}, oc.HTTP_4XX),
        (499, {"x-version": "1"}, oc.HTTP_4XX),
        (500, {"x-version": "1"}, oc.HTTP_5XX),
        (503, {}, oc.HTTP_5XX),
    ],
)
def test_answers_are_named(status: int, headers: dict[str, str], outcome: str) -> None:
    assert oc.of_answer(status, headers, "api").outcome == outcome


def test_the_words_of_an_error_are_kept_on_one_short_line() -> None:
    assert oc.of_answer(503, {}, "api", b"no healthy\n upstream\n").detail == "no healthy upstream"
    assert len(oc.of_answer(500, {}, "api", b"x" * 1000 + b"\xff").detail) == 120
    assert oc.of_answer(200, {"x-version": "1"}, "api", b"fine").detail == ""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError(), oc.TIMEOUT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), oc.RESET),
        (aiohttp.ServerDisconnectedError(), oc.RESET),
        (aiohttp.ClientPayloadError("half"), oc.RESET),
        (aiohttp.ClientOSError(errno.EPIPE, "broken pipe"), oc.RESET),
        (aiohttp.ClientOSError(errno.EMFILE, "too many open files"), oc.OWN_LIMIT),
        (OSError(errno.EADDRNOTAVAIL, "no port"), oc.OWN_LIMIT),
        (aiohttp.InvalidURL("x"), oc.HTTP_OTHER),
    ],
)
def test_errors_are_named(error: BaseException, outcome: str) -> None:
    assert oc.of_error(error).outcome == outcome


def test_a_bug_is_no_outcome() -> None:
    with pytest.raises(KeyError):
        oc.of_error(KeyError("x"))
