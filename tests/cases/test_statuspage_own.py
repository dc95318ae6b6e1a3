# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about every case that changes something, and about the double that plays them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .statuspage_format import Case, Double, load
from .test_statuspage_cases import play

OWN = load(Path(__file__).parent / "statuspage_more_cases.json")
FIXTURES = OWN[0]["fixtures"]
PAGE = f"/v1/pages/{FIXTURES['page_id']}"
CHANGING = (
    "the next status with its text",
    "another text in the same status",
    "a deletion",
    "a realtime incident with statuses",
    "all components",
)


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    running = Double(tmp_path_factory.mktemp("double"), FIXTURES["api_key"], FIXTURES["page_id"])
    yield running
    running.close()


@pytest.mark.parametrize("title", CHANGING)
def test_check_mode_reads_the_same_and_writes_nothing(title: str, double: Double) -> None:
    found: Case = next(case for case in OWN if case["title"] == title)
    reads = [asked for asked in found["expect"]["requests"] if asked["method"] == "GET"]
    case = {**found, "check_mode": True, "expect": {"requests": reads, "changed": True, "diff": True}}
    case.pop("rerun", None)
    double.reset(case)
    play(case, double)


def test_the_limit_of_calls_is_a_rolling_window(double: Double) -> None:
    double.reset({"fixtures": {**FIXTURES, "rate_limit": {"requests": 2, "window_s": 1, "status": 429}}})
    headers = {"Authorization": f"OAuth {FIXTURES['api_key']}"}
    answers = [double.session.get(f"{double.root}{PAGE}/incidents", headers=headers, timeout=10) for _turn in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"
    new = {"kind": "realtime", "key": "k", "name": "x", "status": "investigating"}
    ran = double.run("statuspage_incident", new)
    assert ran.result["changed"] is True and ran.requests[-1]["status"] == 201
