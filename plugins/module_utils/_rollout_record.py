# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_record: read, decide, write, tell. Ansible's options in, its result out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster, _guard
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record import entry, phases
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record, RecordError
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._record.steps import Step, step
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store, Stored
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, number

TRIES = 3
# Fields of the result that say nothing about the region.
_QUIET = ("history",)


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    params = call.params
    client = client or _cluster.connect(call)
    store = Store(client, params["namespace"], params["app"])
    # Who takes the fence asks nobody: a rollback waits for no lease.
    guard = _guard.guard_of(call, client) if params["fence"] is not None and not params["take_fence"] else None
    for tries in range(1, TRIES + 1):
        stored = store.read()
        if params["state"] == "absent":
            return _remove(call, store, stored)
        if _enters(params):
            # A step is never refused for that: a rollback must end whatever the clocks say.
            _cluster.refuse_skew(client, params["region"])
        decision, record = _decide(call, stored)
        if guard is not None and not call.check_mode:
            guard.check(f"writing that {params['region']} is {record.phase}")
        try:
            return _keep(call, store, stored, record, decision)
        except RecordError as error:
            # Somebody wrote in between: what is right now is decided from what stands there now.
            if error.reason != "record_changed" or tries == TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _keep(call: Call, store: Store, stored: Stored, record: Record, decision: str) -> Mapping[str, Any]:
    changed = record != stored.record
    if changed and not call.check_mode:
        call.stop.check("about to write the record")
        store.write(record, stored)
        _tell(call, stored.record, record)
    return {
        "changed": changed,
        "decision": decision,
        "record": asdict(record),
        "diff": {"before": _lines(stored.record), "after": _lines(record)},
    }


def _decide(call: Call, stored: Stored) -> tuple[str, Record]:
    """The record as it shall be: a run enters, or takes a step."""
    params, now = call.params, call.clock.now()
    if _enters(params):
        _need_to_enter(params)
        wanted = entry.Release(
            params["app"], params["region"], params["release"], params["plan_hash"], params["run_id"],
            params["stable_release"] or "", params["note"] or "",
        )  # fmt: skip
        found = entry.enter(stored.record, wanted, now, supersede=params["supersede"])
        record = found.record
        if params["routes"] and found.decision != "done":
            record = replace(record, routes=tuple(params["routes"]))
        if params["take_fence"] and found.decision != "done":
            record = entry.take(record, params["fence_floor"])
        return found.decision, record
    record = _of_this_release(params, stored.record)
    if params["fence"] is not None:
        entry.check_fence(record, params["fence"])
    if params["take_fence"]:
        record = entry.take(record, params["fence_floor"])
    change = Step(
        phase=params["phase"] or "",
        cohort=params["cohort"] or "",
        stage=params["stage"],
        weights=_weights(params["weights"] or {}),
        intent=params["intent"],
        result=params["result"] or "",
        reason=params["reason"] or "",
        evidence=params["evidence"] or {},
        pinned=params["pinned"] or {},
        before=_before(params["before"] or {}),
        routes=tuple(params["routes"] or ()),
        soak_until=_moment(params["soak_for"], now),
        hold_until=_moment(params["hold_for"], now),
        on_hold=params["on_hold"] or "",
        approval=params["approval"],
        by=params["by"] or params["run_id"] or "",
    )
    return "step", step(record, change, now)


def _enters(params: Mapping[str, Any]) -> bool:
    return all(params[name] is None for name in ("phase", "intent", "result", "approval"))


def _need_to_enter(params: Mapping[str, Any]) -> None:
    missing = [name for name in ("plan_hash", "run_id") if not params[name]]
    if missing:
        raise RecordError(
            f"Release {params['release']} cannot enter {params['region']} without {' and '.join(missing)}",
            reason="missing_option",
            hint="Give them, or give phase, intent or result when this is a step",
        )


def _of_this_release(params: Mapping[str, Any], record: Record | None) -> Record:
    if record is not None and record.release == params["release"]:
        return record
    there = f"release {record.release}, which is {record.phase}" if record else "no release at all"
    raise RecordError(
        f"A step of release {params['release']} was to be written for {params['region']}, and the record is of {there}",
        reason="other_release" if record else "no_record",
        hint="Enter the release first: call the module without phase, intent and result",
    )


def _before(found: Mapping[str, Any]) -> dict[str, Any]:
    """What stable was, the revision as a number; templates of ansible-core 2.18 make texts of them."""
    if "revision" not in found:
        return dict(found)
    return {**found, "revision": number("revision", found["revision"], 1, 2**31)}


def _weights(found: Mapping[str, Any]) -> dict[str, int]:
    """Weights as numbers; templates of ansible-core 2.18 make texts of them."""
    weights = {str(name): number("weights", value, 0, 100) for name, value in found.items()}
    return {name: value for name, value in weights.items() if value is not None}


def _moment(seconds: float | None, now: float) -> str:
    return "" if seconds is None else moment(now + seconds)


def _remove(call: Call, store: Store, stored: Stored) -> Mapping[str, Any]:
    record = stored.record
    if record is not None and record.phase in phases.TRAFFIC:
        raise RecordError(
            f"The record of {record.region} says that release {record.release} is {record.phase}: it is still needed",
            reason="record_in_use",
            hint="Let the rollout end or roll it back, then remove the record",
        )
    if record is not None and not call.check_mode:
        store.remove(stored)
    return {
        "changed": record is not None,
        "decision": "removed",
        "record": None,
        "diff": {"before": _lines(record), "after": ""},
    }


def _tell(call: Call, before: Record | None, after: Record) -> None:
    where = " ".join(filter(None, (after.phase, after.cohort, "" if after.stage is None else f"[{after.stage}]")))
    act = str((after.intent or {}).get("act", ""))
    at = moment(call.clock.now())
    # A line per step, for whoever reads along or later: when, where, which phase, because of what.
    call.progress.line(Line(after.region, where, f"{at[:19]}Z", _evidence(call, after), act or after.phase.upper()))
    ledger = Ledger(call.params["ledger"] or "", call.scrubber.data)
    kind = "phase" if before is None or before.phase != after.phase else "step"
    data = {key: value for key, value in asdict(replace(after, history=())).items() if value not in ("", None, {}, ())}
    ledger.add(Event(at, after.region, after.release, kind, where, act, data))
    if ledger.problem:
        call.warn(ledger.problem)


def _evidence(call: Call, record: Record) -> str:
    """What a step was for: the reason of a hold or a rollback, what the gate saw, else the weights."""
    found = [str(call.params["reason"] or ""), str(call.params["result"] or "")]
    lines = (call.params["evidence"] or {}).get("lines")
    found += [str(line) for line in lines] if isinstance(lines, list) else []
    if approval := call.params["approval"]:
        found.append(_approved(approval))
    if not any(found):
        found = [f"{service} {weight} %" for service, weight in record.weights.items()]
    return "; ".join(filter(None, found)) or record.release


def _approved(approval: Mapping[str, Any]) -> str:
    if "decision" in approval:
        return f"{approval['decision']} by {approval.get('who')}: {approval.get('why')}"
    names = [str(item.get("principal")) for key in ("approvals", "overrides") for item in approval.get(key) or ()]
    return f"permitted by {', '.join(dict.fromkeys(names)) or 'nobody, as nothing was asked for'}"


def _lines(record: Record | None) -> str:
    if record is None:
        return ""
    return "".join(f"{key}: {value}\n" for key, value in asdict(record).items() if key not in _QUIET)
