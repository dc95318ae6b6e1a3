# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""helm_rollback: which revision is gone back to, and what is waited for. The real Helm is in the tests on the lab."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._helm import Revision, history
from ansible_collections.tars.rollout.plugins.module_utils._helm_rollback import last_good, run
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop

NOW = 1_800_000_000.0
PARAMS = {
    "name": "tars", "namespace": "ns", "revision": None, "only_pending": True, "stale_after": 20.0, "wait": True,
    "wait_timeout": 600.0, "kubeconfig": "/k", "binary_path": "helm",
}  # fmt: skip


class Clock:
    """Time goes on only by sleeping."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def now(self) -> float:
        return NOW + self.passed

    def sleep(self, seconds: float, doing: str) -> None:
        self.passed += seconds


class Helm:
    """Answers as helm 3 does; ``revisions`` are (number, status, seconds ago)."""

    def __init__(self, *revisions: tuple[int, str, float]) -> None:
        self.revisions = list(revisions)
        self.asked: list[list[str]] = []
        self.error = ""
        self.described: dict[int, str] = {}

    def __call__(self, words: Sequence[str]) -> tuple[int, str, str]:
        self.asked.append(list(words))
        if self.error:
            return 1, "", f"some warning\nError: {self.error}\n"
        if words[1] == "rollback":
            return 0, "Rollback was a success! Happy Helming!\n", ""
        entries = [
            {
                "revision": n,
                "status": status,
                "updated": moment(NOW - ago).replace("Z", "456789Z"),
                "chart": "tars-1",
                "description": self.described.get(n, "Upgrade complete"),
            }
            for n, status, ago in self.revisions
        ]
        return 0, json.dumps(entries), ""

    @property
    def rolled_back_to(self) -> list[str]:
        return [words[3] for words in self.asked if words[1] == "rollback"]


def play(helm: Helm, check_mode: bool = False, **params: Any) -> tuple[Any, Clock]:
    clock: Any = Clock()
    call = Call({**PARAMS, **params}, check_mode, lambda text: None, clock, Stop(), Progress(), Scrubber())
    return run(call, helm), clock


def test_the_history_is_read_with_its_nanoseconds_and_zones() -> None:
    text = json.dumps(
        [
            {"revision": 2, "status": "deployed", "updated": "2026-11-26T14:04:39.331923182+01:00"},
            {"revision": 1, "status": "superseded", "updated": "2026-11-26T13:04:39Z"},
        ]
    )
    first, second = history(text)
    assert (first.number, second.number) == (1, 2)
    assert second.updated - first.updated == pytest.approx(0.331923)


@pytest.mark.parametrize(
    ("statuses", "good"),
    [
        (["deployed", "pending-upgrade"], 1),
        (["superseded", "deployed", "failed"], 2),
        (["superseded", "superseded", "failed", "pending-rollback"], 2),
        (["failed", "pending-install"], None),
    ],
)
def test_the_last_good_revision(statuses: list[str], good: int | None) -> None:
    found = last_good([Revision(number, status, 0.0) for number, status in enumerate(statuses, start=1)])
    assert (found.number if found else None) == good


def test_a_stale_upgrade_is_taken_back() -> None:
    helm = Helm((1, "deployed", 900), (2, "pending-upgrade", 60))
    result, clock = play(helm)
    assert (result["changed"], result["to"], result["status"]) == (True, 1, "pending-upgrade")
    assert helm.rolled_back_to == ["1"]
    assert clock.passed == 0


def test_check_mode_says_the_same_and_does_nothing() -> None:
    helm = Helm((1, "deployed", 900), (2, "pending-upgrade", 60))
    result, _clock = play(helm, check_mode=True)
    assert (result["changed"], result["to"]) == (True, 1)
    assert helm.rolled_back_to == []


def test_an_upgrade_that_may_still_run_is_waited_for() -> None:
    helm = Helm((1, "deployed", 900), (2, "pending-upgrade", 5))
    result, clock = play(helm)
    assert result["to"] == 1
    assert 15 <= clock.passed <= 22


def test_a_whole_release_is_left_alone() -> None:
    helm = Helm((1, "superseded", 900), (2, "deployed", 60))
    assert play(helm)[0] == {"changed": False, "revision": 2, "status": "deployed", "to": None, "good": 2}
    assert helm.rolled_back_to == []


def test_a_revision_by_name() -> None:
    helm = Helm((1, "superseded", 900), (2, "deployed", 60))
    assert play(helm, only_pending=False, revision=1)[0]["to"] == 1
    assert play(helm, only_pending=False, revision=2)[0]["changed"] is False
    with pytest.raises(RolloutError, match="has no revision 7 to go back to") as caught:
        play(helm, only_pending=False, revision=7)
    assert caught.value.reason == "no_revision"
    assert helm.rolled_back_to == ["1"]


def test_a_release_that_never_was_whole_is_not_touched() -> None:
    helm = Helm((1, "pending-install", 900))
    with pytest.raises(RolloutError, match="no revision that was ever whole"):
        play(helm)
    assert helm.rolled_back_to == []


def test_what_helm_says_is_the_sentence() -> None:
    helm = Helm()
    helm.error = "release: not found"
    with pytest.raises(
        RolloutError, match="`helm history` of the release tars in ns failed: Error: release: not found"
    ):
        play(helm)


def test_a_way_back_that_is_done_is_not_gone_again() -> None:
    helm = Helm((3, "superseded", 900), (4, "superseded", 300), (5, "deployed", 60))
    helm.described = {5: "Rollback to 3"}
    result, _clock = play(helm, only_pending=False, revision=3)
    assert (result["changed"], result["to"], helm.rolled_back_to) == (False, None, [])
    # Somebody has upgraded since: that is not what was brought back.
    helm.revisions.append((6, "deployed", 10))
    assert play(helm, only_pending=False, revision=3)[0]["to"] == 3


@pytest.mark.parametrize(
    ("revisions", "good"),
    [
        ([(3, "superseded", 900), (4, "deployed", 300)], 4),
        ([(3, "deployed", 900), (4, "failed", 300)], 3),
        ([(3, "failed", 900)], None),
    ],
)
def test_what_a_rollback_would_bring_back(revisions: list[tuple[int, str, float]], good: int | None) -> None:
    assert play(Helm(*revisions), check_mode=True)[0]["good"] == good


@pytest.mark.parametrize("given", [600.0, "600", "10m"])
def test_the_time_may_carry_its_unit(given: Any) -> None:
    helm = Helm((1, "superseded", 900), (2, "deployed", 60))
    play(helm, only_pending=False, revision=1, wait_timeout=given)
    assert "600s" in next(words for words in helm.asked if words[1] == "rollback")


def test_what_is_brought_back_already_needs_no_revision_any_more() -> None:
    helm = Helm((5, "deployed", 60))
    helm.described = {5: "Rollback to 3"}
    assert play(helm, only_pending=False, revision=3)[0]["changed"] is False
    helm.described = {}
    with pytest.raises(RolloutError) as caught:
        play(helm, only_pending=False, revision=3)
    assert caught.value.reason == "no_revision"
