# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_announce: messages in, what came of each out. Ansible's options in, its result out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _statuspage_incident
from ansible_collections.tars.rollout.plugins.module_utils._announce import batch, receivers
from ansible_collections.tars.rollout.plugins.module_utils._announce.right import right
from ansible_collections.tars.rollout.plugins.module_utils._announce.sent import Sent
from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, refuse
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline


def run(call: Call) -> Mapping[str, Any]:
    """What ``run`` of the module does. Only input that cannot be meant is an error; a receiver's silence is
    a result.
    """
    params = call.params
    if not 0.1 <= params["budget"] <= 300:
        raise refuse(f"budget is {params['budget']:g} s", "Give seconds from 0.1 to 300", reason="budget_invalid")
    known = _by_name(params["receivers"])
    jobs = [_job(known, message) for message in params["messages"]]
    sent = Sent(params["sent_file"] or "")
    if params["retry"]:
        jobs = [*batch.waiting(sent, params["receivers"]), *jobs]
    wire = Wire(call.clock, call.scrubber, Deadline(call.clock, params["budget"]), call.check_mode)

    def deliver(
        wire: Wire, receiver: Mapping[str, Any], message: Mapping[str, Any], held: Mapping[str, Any]
    ) -> Outcome:
        own = replace(wire, ca=receiver.get("ca"), validate_certs=receiver["validate_certs"])
        return receivers.deliver(own, receiver, message, held, work)

    def work(options: Mapping[str, Any]) -> Mapping[str, Any]:
        return _statuspage_incident.run(replace(call, params=options))

    results = batch.Batch(wire, sent, deliver, right(call, wire.deadline)).run(jobs)
    if not call.check_mode:
        _tell(call, results, wire.deadline.elapsed)
    failed = [item for item in results if item["act"] == "failed"]
    for item in results:
        # What was withheld because somebody else holds the lease is no trouble; not to know it is.
        if item["act"] == "failed" or (item["act"] == "withheld" and item["waiting"]):
            call.warn(f"{item['event']} was not announced to {item['receiver']}: {item['msg']}")
    return {
        "changed": any(item["changed"] for item in results),
        "results": [
            {name: value for name, value in item.items() if name not in ("before", "after")} for item in results
        ],
        "not_told": [item["receiver"] for item in failed],
        "waiting": sum(item["waiting"] for item in results),
        "elapsed": round(wire.deadline.elapsed, 3),
        "diff": _diff(results),
    }


def _by_name(given: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for receiver in given:
        if receiver["name"] in found:
            raise refuse(
                f"Two receivers have the name {receiver['name']}", "Give each its own", reason="receiver_invalid"
            )
        found[receiver["name"]] = receiver
    return found


def _job(known: Mapping[str, Mapping[str, Any]], message: Mapping[str, Any]) -> batch.Job:
    receiver = known.get(message["to"])
    if receiver is None:
        raise refuse(
            f"A message is for {message['to']}, and there is no such receiver",
            f"The receivers are {', '.join(known) or 'none'}",
        )
    receivers.check(receiver, message["content"])
    return batch.Job(receiver, {name: message[name] for name in ("key", "event", "content")})


def _tell(call: Call, results: list[dict[str, Any]], elapsed: float) -> None:
    told = [item for item in results if item["act"] not in ("unchanged",)]
    for item in told:
        seen = item["act"] if item["act"] != "failed" else f"failed: {item['msg']}"
        call.progress.line(
            Line(call.params["region"] or "rollout", f"announce {item['event']}", item["receiver"], seen)
        )
    if not told:
        return
    names = ("receiver", "key", "event", "act", "reason", "waiting", "elapsed")
    data = {"results": [{name: item[name] for name in names} for item in told], "elapsed": round(elapsed, 3)}
    text = ", ".join(f"{item['receiver']} {item['act']}" for item in told)
    ledger = Ledger(call.params["ledger"] or "", call.scrubber.data)
    event = told[-1]["event"]
    at = moment(call.clock.now())
    ledger.add(Event(at, call.params["region"] or "", call.params["release"] or "", "announced", event, text, data))
    if ledger.problem:
        call.warn(ledger.problem)


def _diff(results: list[dict[str, Any]]) -> dict[str, Any]:
    changed = [item for item in results if item["changed"]]
    return {side: {f"{item['receiver']} {item['key']}": item[side] for item in changed} for side in ("before", "after")}
