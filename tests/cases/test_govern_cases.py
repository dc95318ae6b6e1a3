# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of peer systems about freezes and approvals, as ours decides them. None is ever skipped.

``--cases`` takes any file with a list ``cases`` of that format; cases of other kinds in it are not for this runner.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._govern import permit, policy, windows
from ansible_collections.tars.rollout.plugins.module_utils._govern.permit import Answer, Place
from ansible_collections.tars.rollout.plugins.module_utils._govern.policy import Asked, Policy, Signed, Verdict
from ansible_collections.tars.rollout.plugins.module_utils._govern.statement import Statement
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, seconds_of

HERE = Path(__file__).parent
OWN = HERE / "govern_cases.json"
PLAN = "sha256:" + "1" * 64
NOW = seconds_of("2026-11-24T15:00:00Z")
DAY = 86400.0
REASON = "a repair that cannot wait"
Case = Mapping[str, Any]


def _cases(config: pytest.Config) -> list[Case]:
    given = Path(config.getoption("--cases"))
    # The option is shared; its default is the file of another format.
    found = json.loads((OWN if given == HERE / "gate_cases.json" else given).read_text())["cases"]
    return [case for case in found if case.get("kind") in ("freeze", "approval")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "govern_case" in metafunc.fixturenames:
        cases = _cases(metafunc.config)
        metafunc.parametrize("govern_case", cases, ids=[case["id"] for case in cases])


def test_case(govern_case: Case) -> None:
    expected = dict(govern_case["expected"])
    if govern_case["kind"] == "freeze":
        seen = _freeze(govern_case["input"])
    else:
        seen = _approval(govern_case["input"])
        # What the peer is seen to do is its fault in these; what its users want is what ours does.
        expected.pop("observed", None)
    unknown = set(expected) - set(seen)
    assert not unknown, f"the runner does not know {sorted(unknown)}"
    assert {key: seen[key] for key in expected} == expected


def _said(kind: str, age: float, **more: str) -> Signed:
    at = moment(NOW - age)
    statement = Statement(kind, "tars", "1.0.1", PLAN, "", ("r",), "sre", "bob@x", at, "0" * 32, **more)
    return Signed(f"{kind}.json", statement, "SHA256:key")


def _verdict(found: Sequence[Signed], wanted: Mapping[str, str], max_age: float = DAY, needed: int = 0) -> Verdict:
    rules = Policy(
        {"sre": frozenset({"bob@x"})}, {"sre": needed} if needed else {}, max_age, "erin", override_roles=("sre",)
    )
    return policy.judge(rules, Asked("tars", "1.0.1", PLAN, "", ("r",), NOW), found, wanted)


def _decide(raw: Sequence[Mapping[str, Any]], now: float, override: str = "", under_way: bool = False) -> Answer:
    parsed = windows.parse(raw, "deny_wins", now)
    found = [_said("override", 60, check=override, reason=REASON)] if override else []
    verdict = _verdict(found, {override: REASON} if override else {})
    return permit.decide([Place("r", parsed, under_way)], verdict, [], now)[0]


def _freeze(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new region asks; where a window opens later, one that is under way asks as well."""
    unknown = set(given) - {"mode", "windows", "now", "inside_window", "override", "window_opens"}
    assert not unknown and given["mode"] in ("allow", "deny"), (
        f"the runner does not know {sorted(unknown) or given['mode']}"
    )
    now = seconds_of(given["now"]) if "now" in given else NOW
    if "windows" in given:
        raw = [{"effect": given["mode"], **window} for window in given["windows"]]
    else:
        inside = given.get("inside_window", True)
        start = now - 3600 if inside else now + 3600
        times = {"from": moment(start), "until": moment(start + 7200), "time_zone": "Etc/UTC"}
        raw = [{"name": "window", "effect": given["mode"], **times}]
    override = {"allow": "window", "deny": "freeze"}[given["mode"]] if given.get("override") else ""
    new = _decide(raw, now, override)
    seen: dict[str, Any] = {"may_promote": new.allowed, "rollout_created": new.allowed}
    if "window_opens" in given:
        assert given["window_opens"] == "while a pipeline runs"
        current = _decide(raw, now, under_way=True)
        seen["current_stage"] = "finishes" if current.allowed else "stopped"
        seen["pipeline"] = "then ended as aborted by freeze" if new.code == "frozen" else "goes on"
    return seen


def _approval(given: Mapping[str, Any]) -> dict[str, Any]:
    """An approval is needed and not there, or was given too long ago: the answer comes at once, nobody waits."""
    unknown = set(given) - {"pause", "kind", "timeout_days", "elapsed", "answered"}
    assert not unknown, f"the runner does not know {sorted(unknown)}"
    if "pause" in given:
        needed = 1 if "without duration" in given["pause"] else 0
        return {"needs_person": bool(_verdict([], {}, needed=needed).missing)}
    max_age = given["timeout_days"] * DAY
    age = max_age + 1 if given["elapsed"] == "past the limit" else 60
    verdict = _verdict([_said("approval", age)], {}, max_age, needed=1)
    if not given["answered"]:
        assert [finding.code for finding in _verdict([], {}, max_age, needed=1).missing] == ["approval_missing"]
    codes = [finding.code for finding in verdict.missing]
    return {"wanted": "promoted" if not codes else codes[0].removeprefix("approval_")}
