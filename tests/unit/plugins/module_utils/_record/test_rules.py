# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enter a release, what a step changes, and whose fence counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record import entry
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._record.guard import Answer, Guard, GuardLost, RecordFence
from ansible_collections.tars.rollout.plugins.module_utils._record.steps import Step, step

WANTED = entry.Release("tars", "us-west-2", "2.1.0", "sha256:1", "run-2", "2.0.0")
RECORD = Record("tars", "us-west-2", "2.1.0", "sha256:1", "run-1", fence=3, phase_since="2026-01-31T12:00:00.000Z")


def refused(record: Record, *, supersede: bool = False, wanted: entry.Release = WANTED) -> RolloutError:
    with pytest.raises(RolloutError) as caught:
        entry.enter(record, wanted, 0, supersede=supersede)
    return caught.value


def test_new() -> None:
    found = entry.enter(None, WANTED, 0)
    assert (found.decision, found.record.phase, found.record.release) == ("new", "planned", "2.1.0")
    assert found.record.phase_since == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize("phase", ["planned", "canary", "soaking", "promoting", "holding", "rolling_back"])
def test_the_same_release_and_plan_goes_on(phase: str) -> None:
    found = entry.enter(replace(RECORD, phase=phase, stage=2), WANTED, 0)
    assert (found.decision, found.record.phase, found.record.stage) == ("continue", phase, 2)
    assert found.record.run_id == "run-2"


def test_promoted_is_done() -> None:
    record = replace(RECORD, phase="promoted")
    assert entry.enter(record, WANTED, 0) == entry.Entry("done", record)


@pytest.mark.parametrize("phase", ["promoted", "rolled_back"])
def test_a_new_release_after_the_end_of_another(phase: str) -> None:
    record = replace(RECORD, phase=phase, history=({"at": "x"},), pinned={"hpa": 2})
    found = entry.enter(record, replace(WANTED, release="2.2.0"), 0)
    assert (found.decision, found.record.phase, found.record.fence) == ("new", "planned", 3)
    assert found.record.history and found.record.pinned == {"hpa": 2}


def test_another_plan_in_mid_rollout() -> None:
    error = refused(replace(RECORD, phase="canary"), wanted=replace(WANTED, plan_hash="sha256:2"))
    assert error.reason == "plan_changed"
    assert "Release 2.1.0 is canary in us-west-2 since 2026-01-31T12:00:00.000Z by another plan" in error.msg


def test_another_release_in_mid_rollout() -> None:
    error = refused(replace(RECORD, phase="soaking"), wanted=replace(WANTED, release="2.2.0"))
    assert error.reason == "other_release"


def test_rolled_back_begins_again_only_when_the_controller_was_lost() -> None:
    record = replace(RECORD, phase="rolled_back", reason="controller_lost", stage=2)
    found = entry.enter(record, WANTED, 0)
    assert (found.decision, found.record.phase, found.record.stage, found.record.reason) == (
        "again",
        "planned",
        None,
        "",
    )
    assert refused(replace(record, reason="slo_violated")).reason == "already_rolled_back"
    assert entry.enter(replace(record, reason="slo_violated"), WANTED, 0, supersede=True).decision == "new"


@pytest.mark.parametrize("phase", ["canary", "soaking", "promoting", "holding", "rolling_back"])
def test_superseding_restores_stable_first(phase: str) -> None:
    wanted = replace(WANTED, release="2.2.0")
    assert refused(replace(RECORD, phase=phase), supersede=True, wanted=wanted).reason == "restore_first"
    assert entry.enter(replace(RECORD, phase="migrated"), wanted, 0, supersede=True).decision == "new"


def test_intent_and_outcome() -> None:
    begun = step(RECORD, Step(phase="preflight", intent={"act": "look"}, by="run-2"), 10)
    assert begun.intent == {"act": "look", "fence": 3}
    assert begun.history[-1] == {
        "at": "1970-01-01T00:00:10.000Z", "phase": "preflight", "act": "look", "by": "run-2", "fence": 3,
    }  # fmt: skip
    done = step(begun, Step(result="ok"), 12)
    assert done.intent is None and done.history[-1]["result"] == "ok"
    assert done.phase_since == begun.phase_since == "1970-01-01T00:00:10.000Z"


def test_weights_by_service_and_a_stage_of_their_own_time() -> None:
    record = replace(RECORD, phase="migrated")
    first = step(record, Step(phase="canary", cohort="backend", stage=0, weights={"api": 25}), 10)
    second = step(first, Step(stage=1, weights={"evaluation": 50}), 20)
    assert (second.weights, second.cohort, second.stage) == ({"api": 25, "evaluation": 50}, "backend", 1)
    assert (second.phase_since, second.stage_since) == ("1970-01-01T00:00:10.000Z", "1970-01-01T00:00:20.000Z")


def test_nothing_new_is_no_write() -> None:
    record = step(replace(RECORD, phase="migrated"), Step(phase="canary", stage=0), 10)
    assert step(record, Step(phase="canary", stage=0), 99) is record


def test_a_hold_knows_its_end_and_what_it_holds() -> None:
    record = replace(RECORD, phase="soaking")
    with pytest.raises(RolloutError, match="A hold needs the moment"):
        step(record, Step(phase="holding"), 10)
    held = step(record, Step(phase="holding", hold_until="1970-01-01T01:00:00.000Z", reason="too_few"), 10)
    assert (held.held, held.reason, held.on_hold) == ("soaking", "too_few", "restore")
    assert step(held, Step(phase="promoting"), 20).hold_until == ""


def test_intent_and_result_in_one_step() -> None:
    with pytest.raises(RolloutError, match="one is written before the act and one after"):
        step(RECORD, Step(intent={"act": "x"}, result="ok"), 10)


def test_fences_only_grow() -> None:
    assert entry.next_fence() == 1
    assert entry.next_fence(3, None, 7) == 8
    assert entry.take(RECORD, 9).fence == 10
    entry.check_fence(RECORD, 3)
    record = RECORD.remember({"at": "12:00", "phase": "rolling_back", "by": "alice"})
    with pytest.raises(
        RolloutError, match=r"has the fence 3 and this run holds 2 \(last: alice at 12:00, rolling_back"
    ):
        entry.check_fence(record, 2)


def test_the_guard_asks_every_source() -> None:
    class Lease:
        may = True

        def ask(self) -> Answer:
            return Answer(self.may, "the lease of us-west-2 ran out", "lease_lost")

    found: list[Record | None] = [RECORD]
    lease = Lease()
    guard = Guard([lease, RecordFence(lambda: found[0], 3)])
    guard.check("moving weights")
    lease.may = False
    with pytest.raises(GuardLost) as caught:
        guard.check("moving weights")
    assert caught.value.reason == "lease_lost"
    assert caught.value.msg == "Stopped before moving weights: the lease of us-west-2 ran out"
    lease.may = True
    for record, reason in ((replace(RECORD, fence=4), "fence_lost"), (None, "record_gone")):
        found[0] = record
        with pytest.raises(GuardLost) as caught:
            guard.check("moving weights")
        assert caught.value.reason == reason
