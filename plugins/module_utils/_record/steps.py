# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How one step changes the record. Pure: the time is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._record import phases
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record, refused
from ansible_collections.tars.rollout.plugins.module_utils._values import moment

# Those of one release; like the history they must not grow without end.
APPROVALS = 50


@dataclass(frozen=True)
class Step:
    """One step. Empty and None fields stay as they are in the record; ``intent`` is begun, ``result`` ends it."""

    phase: str = ""
    cohort: str = ""
    stage: int | None = None
    weights: Mapping[str, int] = field(default_factory=dict)
    intent: Mapping[str, Any] | None = None
    result: str = ""
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    pinned: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    routes: tuple[Mapping[str, Any], ...] = ()
    soak_until: str = ""
    hold_until: str = ""
    on_hold: str = ""
    approval: Mapping[str, Any] | None = None
    by: str = ""


def step(record: Record, change: Step, now: float) -> Record:
    """The record after a step; the very same one when nothing is new. PhaseError or RecordError when not allowed."""
    phase = change.phase or record.phase
    phases.check(record.phase, phase, record.held)
    if phase == phases.HOLDING and not (change.hold_until or record.hold_until):
        raise refused(record, "A hold needs the moment at which it ends", "hold_without_end", "Give hold_until")
    if change.intent is not None and change.result:
        raise refused(
            record,
            "An intent and a result were given in one step, but one is written before the act and one after",
            "intent_and_result",
            "Write two steps, with the act between them",
        )
    moved = phase != record.phase
    staged = moved or (change.cohort or record.cohort) != record.cohort or change.stage not in (None, record.stage)
    at = moment(now)
    after = replace(
        record,
        phase=phase,
        held=_held(record, phase),
        cohort=change.cohort or record.cohort,
        stage=record.stage if change.stage is None else change.stage,
        weights={**record.weights, **change.weights},
        intent=None if change.result else record.intent if change.intent is None else _begun(record, change.intent),
        phase_since=at if moved else record.phase_since,
        stage_since=at if staged else record.stage_since,
        soak_until=change.soak_until or record.soak_until,
        hold_until=change.hold_until or ("" if moved else record.hold_until),
        on_hold=change.on_hold or record.on_hold,
        reason=change.reason or record.reason,
        evidence=change.evidence or record.evidence,
        pinned={**record.pinned, **change.pinned},
        # A run that goes on finds stable half replaced: only the first one saw what it was.
        before=record.before or change.before,
        routes=change.routes or record.routes,
        approvals=(*record.approvals, _decided(record, change.approval, at))[-APPROVALS:]
        if change.approval
        else record.approvals,
    )
    if after == record:
        return record
    return after.remember(_entry(after, change, at))


def _decided(record: Record, approval: Mapping[str, Any], at: str) -> Mapping[str, Any]:
    """Who decided what, and for which cohort and stage: it means nothing for another one."""
    return {"at": at, "cohort": record.cohort, "stage": record.stage, "held": record.held, **approval}


def _begun(record: Record, intent: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**intent, "fence": record.fence}


def _held(record: Record, phase: str) -> str:
    if phase != phases.HOLDING:
        return ""
    return record.held if record.phase == phases.HOLDING else record.phase


def _entry(record: Record, change: Step, at: str) -> Mapping[str, Any]:
    entry = {
        "at": at,
        "phase": record.phase,
        "cohort": record.cohort,
        "stage": record.stage,
        "act": str((change.intent or {}).get("act", "")),
        "result": change.result,
        "reason": change.reason,
        "by": change.by,
        "fence": record.fence,
    }
    return {key: value for key, value in entry.items() if value not in ("", None)}
