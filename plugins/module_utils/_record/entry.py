# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Who may begin or go on with a release in a region, and with which fence. Pure: the time is handed in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.tars.rollout.plugins.module_utils._record import phases
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record, refused
from ansible_collections.tars.rollout.plugins.module_utils._values import moment

CONTROLLER_LOST = "controller_lost"


@dataclass(frozen=True)
class Release:
    """What a run wants to roll out where. ``plan_hash`` stands for stages and services."""

    app: str
    region: str
    release: str
    plan_hash: str
    run_id: str
    stable_release: str = ""
    note: str = ""
    """Why it was taken over by force; kept in the history."""


@dataclass(frozen=True)
class Entry:
    """How a run enters: ``decision`` is new, continue, again (after the loss of a controller) or done."""

    decision: str
    record: Record


def next_fence(*found: int | None) -> int:
    """One more than the largest number in record, lease and routes, so that no two holders ever have the same."""
    return 1 + max((number for number in found if number is not None), default=0)


def enter(record: Record | None, wanted: Release, now: float, *, supersede: bool = False) -> Entry:
    """Decide whether the release may be rolled out here; RecordError with who is in the way."""
    if record is None:
        return Entry("new", _fresh(wanted, 0, now))
    same = record.release == wanted.release
    if same and record.phase == phases.PROMOTED:
        return Entry("done", record)
    if same and not record.final:
        if record.plan_hash == wanted.plan_hash:
            if record.run_id == wanted.run_id:
                return Entry("continue", record)
            return Entry("continue", _entered(replace(record, run_id=wanted.run_id), wanted, "continue", now))
        if not supersede:
            raise refused(
                record,
                f"{_is(record)} by another plan ({record.plan_hash}) than the one given ({wanted.plan_hash})",
                "plan_changed",
                "Run it with the plan that it began with, or roll it back first",
            )
    elif same and record.phase == phases.ROLLED_BACK:
        if record.reason == CONTROLLER_LOST:
            return Entry("again", _entered(_fresh(wanted, record.fence, now, before=record), wanted, "again", now))
        if not supersede:
            raise refused(
                record,
                f"{_is(record)}, because of {record.reason or 'an unknown reason'}",
                "already_rolled_back",
                "Roll a new release out, or set rollout_supersede when the reason is gone",
            )
    elif not record.final and not supersede:
        raise refused(
            record,
            f"{_is(record)}, so {wanted.release} cannot begin",
            "other_release",
            "Let it end or roll it back first, or set rollout_supersede to restore stable and begin",
        )
    if record.phase in phases.TRAFFIC:
        raise refused(
            record,
            f"{_is(record)} and its canary may have traffic, so it cannot be superseded yet",
            "restore_first",
            "Run rollback.yml for this region, then the same command again",
        )
    return Entry("new", _fresh(wanted, record.fence, now, before=record))


def take(record: Record, *found: int | None) -> Record:
    """The record with a new fence, above all that were found elsewhere."""
    return replace(record, fence=next_fence(record.fence, *found))


def check_fence(record: Record, ours: int) -> None:
    """RecordError when somebody newer acts in this region."""
    if record.fence > ours:
        last = record.history[-1] if record.history else {}
        who = f" (last: {last.get('by') or 'somebody'} at {last.get('at')}, {last.get('phase')})" if last else ""
        raise refused(
            record,
            f"The region {record.region} has the fence {record.fence} and this run holds {ours}{who}",
            "fence_lost",
            "Stop: a newer run or a rollback acts here. status.yml shows who",
        )


def _fresh(wanted: Release, fence: int, now: float, before: Record | None = None) -> Record:
    at = moment(now)
    record = Record(
        wanted.app, wanted.region, wanted.release, wanted.plan_hash, wanted.run_id, wanted.stable_release,
        fence=fence, phase_since=at, stage_since=at,
    )  # fmt: skip
    if before is None:
        return record
    # What was before stays readable; what is pinned in the cluster must not be forgotten.
    return replace(record, history=before.history, pinned=before.pinned)


def _entered(record: Record, wanted: Release, how: str, now: float) -> Record:
    """With the entry of another run in the history: who, when, and by force because of what."""
    found = {
        "at": moment(now), "phase": record.phase, "cohort": record.cohort, "stage": record.stage, "act": "enter",
        "result": how, "reason": wanted.note, "by": wanted.run_id,
    }  # fmt: skip
    return record.remember({key: value for key, value in found.items() if value not in ("", None)})


def _is(record: Record) -> str:
    since = f" since {record.phase_since}" if record.phase_since else ""
    return f"Release {record.release} is {record.phase} in {record.region}{since}"
