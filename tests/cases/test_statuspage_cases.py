# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Statuspage case is one test, with its id as its name. None is ever skipped: what is not known here fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import refused
from ansible_collections.tars.rollout.plugins.module_utils._status.words import reminders

from .statuspage_format import TERMINAL, Case, Double, Ran, contains, keys_within, load, seconds, unmet

HERE = Path(__file__).parent
OWN = HERE / "statuspage_cases.json"
EXPECTED = {
    "requests", "changed", "failed", "msg_regex", "returns", "diff", "incidents_created", "open_incidents",
    "forbidden_keys", "min_wait_s", "output_must_not_contain", "url_must_not_contain", "skipped",
}  # fmt: skip
ABOUT_THE_PAGE = {"incidents_created", "open_incidents"}
ABOUT_VALUES = {"reminder_intervals": reminders}


def _cases(config: pytest.Config) -> list[Case]:
    given = Path(config.getoption("--cases"))
    # The option is shared; its default is the file of another format.
    return load(OWN if given == HERE / "gate_cases.json" else given)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "status_case" in metafunc.fixturenames:
        cases = _cases(metafunc.config)
        metafunc.parametrize("status_case", cases, ids=[case["id"] for case in cases])


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Double]]:
    """The running doubles by page and key: fixtures of other files may have others."""
    running: dict[tuple[str, str], Double] = {}
    yield running
    for double in running.values():
        double.close()


@pytest.fixture
def double(
    status_case: Case, doubles: dict[tuple[str, str], Double], tmp_path_factory: pytest.TempPathFactory
) -> Double:
    fixtures = status_case["fixtures"]
    of_case = (fixtures["page_id"], fixtures["api_key"])
    if of_case not in doubles:
        doubles[of_case] = Double(tmp_path_factory.mktemp("double"), fixtures["api_key"], fixtures["page_id"])
    doubles[of_case].reset(status_case)
    return doubles[of_case]


def test_case(status_case: Case, double: Double) -> None:
    play(status_case, double)


def play(case: Case, double: Double) -> None:
    """The whole case on a page that is as it gives it."""
    played = [name for name in ("raw", "module", "steps", "table") if name in case]
    assert played, "the case has nothing that is known here"
    before = len(double.incidents())
    expect = case.get("expect", {})
    for step in case.get("raw", ()):
        _wire(double, step)
    runs = _runs(case)
    if "steps" in case:
        _check_whole(double, [_check(double, _module(double, *run), _of_step(run[1])) for run in runs], expect)
    elif runs:
        _check(double, _module(double, *runs[0]), expect)
    else:
        assert set(expect) <= ABOUT_THE_PAGE, f"the runner does not know {sorted(expect)} here"
    _check_page(double, expect, before)
    if "rerun" in case:
        before = len(double.incidents())
        # The same task again; of several the last one, on the state that all of them left.
        _check(double, _module(double, *runs[-1]), case["rerun"])
        _check_page(double, case["rerun"], before)
    for row in case.get("table", ()):
        _row(row, case)


def _runs(case: Case) -> list[tuple[str, Mapping[str, Any]]]:
    """The module runs of a case in their order, each with what stands for it."""
    named = case.get("module", "statuspage_incident")
    if "steps" in case:
        return [(step.get("module", named), step) for step in case["steps"]]
    return [(named, case)] if "module" in case else []


def _of_step(step: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: step[key] for key in EXPECTED if key in step}, **step.get("expect", {})}


def _check_whole(double: Double, ran: Sequence[Ran], expect: Mapping[str, Any]) -> None:
    """What is expected of all steps together: their requests in one row, changed when one of them changed something."""
    whole = {key: value for key, value in expect.items() if key not in ABOUT_THE_PAGE}
    if whole:
        last = dict(ran[-1].result, changed=any(bool(one.result.get("changed")) for one in ran))
        asked = [entry for one in ran for entry in one.requests]
        failed = {"failed": bool(last.get("failed"))}
        _check(double, Ran(last, "".join(one.output for one in ran), asked), {**failed, **whole})


def _module(double: Double, module: str, step: Mapping[str, Any]) -> Ran:
    return double.run(module, step["params"], check=step.get("check_mode", False))


def _check(double: Double, ran: Ran, expect: Mapping[str, Any]) -> Ran:
    assert not set(expect) - EXPECTED, f"the runner does not know {sorted(set(expect) - EXPECTED)}"
    result = ran.result
    told = json.dumps({key: value for key, value in result.items() if key != "invocation"})
    assert bool(result.get("failed")) == expect.get("failed", False), told
    if "changed" in expect:
        assert bool(result.get("changed")) == expect["changed"], told
    if "requests" in expect:
        _requests(expect["requests"], ran, double.token)
    if "msg_regex" in expect:
        assert re.search(expect["msg_regex"], result["msg"], re.DOTALL), result["msg"]
    for key in expect.get("returns", ()):
        assert result.get(key) is not None, told
    if expect.get("diff"):
        assert {"before", "after"} <= set(result["diff"]), told
    if "skipped" in expect:
        assert sorted(result["left_alone"]) == sorted(expect["skipped"]), told
    for key in expect.get("forbidden_keys", ()):
        assert not [entry for entry in ran.requests if key in keys_within(entry["body"])], ran.requests
    for secret in [double.token, *expect.get("output_must_not_contain", ())]:
        assert secret not in ran.output, f"{secret} is in the output"
    for text in expect.get("url_must_not_contain", ()):
        urls = [f"{entry['path']}?{'&'.join(map('='.join, entry['query']))}" for entry in ran.requests]
        assert not [url for url in urls if text in url], urls
    if "min_wait_s" in expect:
        _waited(expect["min_wait_s"], ran.requests)
    return ran


def _requests(wanted: Sequence[Mapping[str, Any]], ran: Ran, token: str) -> None:
    seen = [f"{entry['method']} {entry['path']} {entry['query']} -> {entry['status']}" for entry in ran.requests]
    assert len(seen) == len(wanted), f"{seen}; {ran.result.get('msg')}"
    for want, entry in zip(wanted, ran.requests, strict=True):
        wrong = unmet(want, entry, token)
        assert not wrong, f"{wrong} in {seen}"


def _waited(least: float, entries: Sequence[Mapping[str, Any]]) -> None:
    rejected = [index for index, entry in enumerate(entries) if entry["status"] in (420, 429)]
    assert rejected and rejected[-1] + 1 < len(entries), "no rejected request was repeated"
    for index in rejected:
        pause = seconds(entries[index + 1]["at"]) - seconds(entries[index]["at"])
        assert pause >= least, f"it was repeated after {pause:.2f} s"


def _check_page(double: Double, expect: Mapping[str, Any], before: int) -> None:
    if "incidents_created" in expect:
        assert len(double.incidents()) - before == expect["incidents_created"]
    if "open_incidents" in expect:
        still_open = [item for item in double.incidents() if item["status"] not in TERMINAL]
        assert len(still_open) == expect["open_incidents"], still_open


def _wire(double: Double, step: Mapping[str, Any]) -> None:
    asked = step["request"]
    body: dict[str, Any] = {}
    if "json" in asked:
        body["data"] = json.dumps(asked["json"])
    elif "form" in asked:
        body["data"] = [tuple(pair) for pair in asked["form"]]
    elif "text" in asked:
        body["data"] = asked["text"].encode()
    answer = double.session.request(
        asked["method"], double.root + asked["path"], params=asked.get("query"), headers=asked.get("headers"),
        timeout=10, **body,
    )  # fmt: skip
    wanted = step.get("response", {})
    assert not set(wanted) - {"status", "json", "text"}, f"the runner does not know {sorted(wanted)}"
    if "status" in wanted:
        assert answer.status_code == wanted["status"], answer.text
    if "json" in wanted:
        assert answer.json() == wanted["json"]
    if "text" in wanted:
        assert answer.text == wanted["text"]
    if "response_subset" in step:
        assert contains(answer.json(), step["response_subset"]), answer.text
    for name, value in step.get("response_headers", {}).items():
        assert answer.headers.get(name) == value, dict(answer.headers)
    unknown = [problem for problem in double.journal()[-1]["problems"] if problem.startswith("unknown key")]
    assert not unknown or not asked.get("spec_valid", True), unknown


def _row(row: Mapping[str, Any], case: Case) -> None:
    if "status" in row:
        _message(row)
        return
    assert "in" in row and ("out" in row) != bool(row.get("fail")), f"the runner does not know the row {row}"
    options = [name for name in ABOUT_VALUES if name in case["params"]]
    assert len(options) == 1, "the case's params do not say which value the rows are about"
    try:
        sent = ABOUT_VALUES[options[0]](row["in"])
    except RolloutError as error:
        assert row.get("fail"), f"{row}: {error}"
    else:
        assert not row.get("fail") and sent == row["out"], f"{row}: {sent!r}"


def _message(row: Mapping[str, Any]) -> None:
    text = json.dumps(row["body"]) if "body" in row else row.get("text", "")
    told = str(refused(Scrubber(), "GET", Answer(row["status"], {}, text.encode(), "/v1/pages/p/incidents")))
    assert row["msg_contains"] in told, told
