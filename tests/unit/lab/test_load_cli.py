# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and exit codes of `lab load`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from load_gateway import closed_port, serving
from tarslab.load import PlanError, cli
from tarslab.load.plan import ROUTED

pytestmark = pytest.mark.usefixtures("unhurried")

ENV = {
    "LAB_GATEWAY_URL": "http://127.0.0.1:20001",
    "LAB_GATEWAY_API_URL": "http://127.0.0.1:20002",
    "LAB_REGIONS": "staging,us_west_2",
}


def parse(*words: str) -> argparse.Namespace:
    top = argparse.ArgumentParser(prog="lab")
    cli.add_parser(top.add_subparsers())
    return top.parse_args(["load", *words])


def test_defaults_follow_from_the_lab() -> None:
    plan = cli.make_plan(parse(), ENV)
    assert (plan.target, plan.regions, tuple(plan.services)) == (
        ENV["LAB_GATEWAY_URL"],
        ("staging", "us_west_2"),
        ROUTED,
    )
    assert (plan.rps, plan.duration, plan.new_share, plan.websockets) == (100, 60, 0, 0)


def test_the_other_gateway_has_its_own_services() -> None:
    plan = cli.make_plan(parse("--gateway", "gateway_api"), ENV)
    assert (plan.target, dict(plan.services)) == (ENV["LAB_GATEWAY_API_URL"], {"insight": 1.0})


def test_everything_given() -> None:
    words = ["--rps=10", "--duration=5", "--services=api=2,ppo", "--region=us-west-2", "--new-connections=.5"]
    words += ["--websockets=3", "--header=x-canary=true", "--timeout=1", "--seed=9"]
    plan = cli.make_plan(parse(*words), ENV)
    assert dict(plan.services) == {"api": 2.0, "ppo": 1.0}
    assert (plan.regions, plan.headers, plan.seed, plan.timeout) == (("us-west-2",), {"x-canary": "true"}, 9, 1)


def test_until_signal_is_bounded_too() -> None:
    assert cli.make_plan(parse("--until-signal"), ENV).duration == 7200
    assert cli.make_plan(parse("--until-signal", "--duration", "5"), ENV).duration == 5


@pytest.mark.parametrize(("words", "seen"), [("--region=mars", "region mars"), ("--services=nope", "service nope")])
def test_what_the_lab_does_not_have_is_refused(words: str, seen: str) -> None:
    with pytest.raises(PlanError, match=f"{seen} .*it has"):
        cli.make_plan(parse(words), ENV)


def test_without_a_lab_it_says_what_to_do() -> None:
    with pytest.raises(PlanError, match="lab up"):
        cli.make_plan(parse(), {})


@pytest.mark.parametrize("header", ["x-canary", "=true", "a=b\nc: d"])
def test_headers_that_make_no_sense_are_refused(header: str) -> None:
    with pytest.raises(PlanError, match="NAME=VALUE"):
        cli.make_plan(parse("--header", header), ENV)


@pytest.mark.parametrize(
    "words",
    [("--rps", "2000"), ("--duration", "8000"), ("--target", "http://192.0.2.1:80"), ("--out", "/nonexistent/out")],
)
def test_refusals_are_one_sentence_and_code_2(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(parse(*words), ENV) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("lab load: ")
    assert shown.err.count("\n") == 1


def test_failures_are_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--target", f"http://127.0.0.1:{closed_port()}", "--duration", "0.1", "--json")
    assert cli.main(parse(*words), ENV) == 3
    assert json.loads(capsys.readouterr().out)["failures"] == {"connect_error": 10}


def test_success_is_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as gateway:
        words = ("--target", gateway.url, "--duration", "0.2", "--services", "api", "--out", str(tmp_path / "o"))
        assert cli.main(parse(*words), ENV) == 0
    assert capsys.readouterr().out.strip().endswith("passed: no request failed")
    assert len((tmp_path / "o").read_text().splitlines()) == 20
