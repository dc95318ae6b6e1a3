# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load generator against a real server on the loopback: every kind of answer, kept and new connections, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from load_gateway import Gateway, closed_port, serving
from tarslab.load import Plan, Summary, run
from tarslab.load import outcome as oc
from tarslab.load.summary import FAILED, PASSED

LAB = Path(__file__).resolve().parents[2] / "lab"


pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with serving() as server:
        yield server


def load(url: str, out: Path | None = None, **changes: Any) -> Summary:
    wanted = {"services": {"api": 1.0}, "rps": 50, "duration": 0.5, "timeout": 10.0, "regions": ("us-west-2",)}
    return run(Plan(target=url, **{**wanted, **changes}), out)


def test_a_clean_run(gateway: Gateway, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    summary = load(gateway.url, out, services={"api": 2, "insight": 1}, new_share=0.3, rps=100, duration=1)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert summary.verdict == PASSED
    assert summary.total == len(lines) == len(gateway.seen) == 100
    assert {line["version"] for line in lines} == {"1.0.0"}
    assert sorted(line["t"] for line in lines) == pytest.approx([i / 100 for i in range(100)], abs=1e-3)
    assert {line["kind"] for line in lines} == {"kept", "new"}
    new = sum(line["kind"] == "new" for line in lines)
    # Each "new" request has a connection of its own; the kept ones share a few.
    assert new < len(gateway.connections) <= new + 10
    assert summary.kinds["new", oc.OK] == new


@pytest.mark.parametrize(
    ("service", "outcome"),
    [
        ("error", oc.HTTP_5XX),
        ("no-route", oc.HTTP_4XX),
        ("redirect", oc.HTTP_OTHER),
        ("reset", oc.RESET),
        ("half", oc.RESET),
        ("stranger", oc.NO_VERSION),
        ("wrong", oc.WRONG_SERVICE),
    ],
)
@pytest.mark.parametrize("new_share", [0.0, 1.0])
def test_what_a_bad_service_is_called(gateway: Gateway, service: str, outcome: str, new_share: float) -> None:
    summary = load(gateway.url, services={service: 1}, new_share=new_share, duration=0.2)
    assert dict(summary.outcomes) == {outcome: 10}
    assert summary.verdict == FAILED
    # Not one was repeated behind our back.
    assert len(gateway.seen) == 10


def test_a_reset_on_a_kept_connection_is_counted_not_repeated(gateway: Gateway) -> None:
    summary = load(gateway.url, services={"second-reset": 1}, rps=20, duration=0.5)
    # 5 and 5, unless a busy machine had two of them under way at once. A hidden repetition would make all 10 fine.
    assert set(summary.outcomes) == {oc.OK, oc.RESET}
    assert summary.total == len(gateway.seen) == 10


def test_nobody_listens() -> None:
    summary = load(f"http://127.0.0.1:{closed_port()}", duration=0.2)
    assert dict(summary.outcomes) == {oc.CONNECT_ERROR: 10}


def test_time_outs_do_not_slow_the_others_down(gateway: Gateway) -> None:
    summary = load(gateway.url, services={"hang": 1, "api": 1}, timeout=0.5, rps=40, duration=1)
    assert summary.total == 40
    assert set(summary.outcomes) == {oc.OK, oc.TIMEOUT}
    # One after the other, 20 time-outs would take 10 s.
    assert 1.0 <= summary.elapsed < 6
    assert 450 < summary.to_json()["latency_ms"]["from_send"]["max"] < 3000


def test_slow_answers_do_not_hold_the_schedule_up(gateway: Gateway) -> None:
    # Each answer takes 0.5 s; a closed loop on one connection would send 2 in this second.
    assert load(gateway.url, services={"slow": 1}, rps=50, duration=1).outcomes == {oc.OK: 50}


def test_in_flight_is_bounded_and_what_was_not_sent_is_counted(gateway: Gateway) -> None:
    summary = load(gateway.url, services={"hang": 1}, rps=50, duration=0.4, max_in_flight=5, timeout=2)
    assert summary.outcomes == {oc.TIMEOUT: 5, oc.UNSENT: 15}
    assert summary.verdict == FAILED


def _sockets(gateway: Gateway, out: Path, service: str, **changes: Any) -> tuple[Summary, list[dict[str, Any]]]:
    summary = load(gateway.url, out, services={service: 1}, websockets=2, rps=5, duration=1.5, **changes)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return summary, [line for line in lines if line["kind"] == "ws"]


def test_websockets_stay_open_until_the_end(gateway: Gateway, tmp_path: Path) -> None:
    summary, sockets = _sockets(gateway, tmp_path / "out", "api")
    assert summary.cuts == 0
    assert [(line["outcome"], line["version"], line["status"]) for line in sockets] == [("ok", "1.0.0", 101)] * 2
    assert all(3 < line["lines"] < 60 and line["open_s"] > 0.5 for line in sockets)


@pytest.mark.parametrize(("service", "code"), [("closing", "1001"), ("aborting", "1006")])
def test_every_cut_of_a_websocket_is_counted(gateway: Gateway, tmp_path: Path, service: str, code: str) -> None:
    summary, sockets = _sockets(gateway, tmp_path / "out", service)
    cut = [line for line in sockets if line["outcome"] == "cut"]
    # 0.15 s of lines, 0.2 s of pause: each of the two is cut about four times. A reset may overtake the last lines.
    assert summary.cuts == len(cut) >= 2
    assert all(code in line["detail"] and line["lines"] <= 4 for line in cut)
    assert summary.failed == 0


def test_a_silent_websocket_counts_as_cut(gateway: Gateway, tmp_path: Path) -> None:
    _requests, sockets = _sockets(gateway, tmp_path / "out", "silent", websocket_silence=0.3)
    assert any(line["outcome"] == "cut" and "silent for 0.3 s" in line["detail"] for line in sockets)


@pytest.mark.parametrize(("service", "outcome"), [("plain", oc.HTTP_OTHER), ("error", oc.HTTP_5XX)])
def test_a_websocket_that_cannot_be_opened_is_a_failure(
    gateway: Gateway, tmp_path: Path, service: str, outcome: str
) -> None:
    summary, sockets = _sockets(gateway, tmp_path / "out", service)
    assert {line["outcome"] for line in sockets} == {outcome}
    assert summary.failures[outcome] >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_summary_and_whole_file(gateway: Gateway, tmp_path: Path, number: int) -> None:
    out = tmp_path / "out.jsonl"
    process = _start(
        gateway.url,
        "--until-signal",
        "--services",
        "api",
        "--rps",
        "50",
        "--websockets",
        "1",
        "--out",
        str(out),
        "--json",
    )
    _until(lambda: len(gateway.seen) >= 20)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    shown = json.loads(stdout)
    assert process.returncode == 0, stderr
    assert shown["interrupted"]
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert shown["requests"] == len(gateway.seen) == sum(line["kind"] != "ws" for line in lines)
    assert sum(line["kind"] == "ws" for line in lines) == 1


def test_a_second_signal_does_not_wait_for_answers(gateway: Gateway, tmp_path: Path) -> None:
    process = _start(gateway.url, "--until-signal", "--services", "hang", "--timeout", "60", "--json")
    _until(lambda: len(gateway.seen) >= 3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "one signal waits for the answers that are out"
    process.send_signal(signal.SIGINT)
    stdout, _stderr = process.communicate(timeout=30)
    assert set(json.loads(stdout)["outcomes"]) == {oc.UNFINISHED}


def _start(url: str, *arguments: str) -> subprocess.Popen[str]:
    program = (
        "import argparse, sys; from tarslab.load import cli, summary; summary.LATE = 60;"
        "top = argparse.ArgumentParser(prog='lab'); cli.add_parser(top.add_subparsers());"
        "sys.exit(cli.main(top.parse_args(sys.argv[1:]), {'LAB_GATEWAY_URL': sys.argv[3], 'LAB_REGIONS': 'us_west_2'}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, "load", "--target", url, *arguments],
        env={**os.environ, "PYTHONPATH": str(LAB)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _until(condition: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
