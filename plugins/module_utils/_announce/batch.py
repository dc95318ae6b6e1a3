# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One event to all receivers at once, under one budget. Nothing here ever raises for a receiver's sake."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.sent import Sent, name
from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, digest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Bug, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError

Message = Mapping[str, Any]
Deliver = Callable[[Wire, Mapping[str, Any], Message, Mapping[str, Any]], Outcome]
Right = Callable[[], str]
"""Why this run may not speak in public, empty when it may. A RolloutError means: not known, and then it does not."""
# What ends an attempt in a region: a new start after it is told anew.
ENDS = ("rolled_back", "aborted")
# A message to be tried again that stays right, whatever was told after it.
LASTING = ("mail",)
# Each event is a line of its own there, and each waits; elsewhere a region's newest message takes the place of others.
LINES = ("slack",)
# Seconds that a thread gets beyond the budget to come back by itself.
GRACE = 0.3


@dataclass(frozen=True)
class Job:
    """One message to one receiver."""

    receiver: Mapping[str, Any]
    message: Message
    again: bool = False
    """Whether it waited from an event before."""

    @property
    def name(self) -> str:
        return str(self.receiver["name"])

    @property
    def key(self) -> str:
        return str(self.message["key"])

    @property
    def event(self) -> str:
        return str(self.message.get("event") or "")

    @property
    def region(self) -> str:
        return self.event.partition("/")[0]

    @property
    def slot(self) -> str:
        """Where it waits. Regions share a thread and a window, and none takes the place of another one's message."""
        return f"{name(self.name, self.key)} {self.event if self.receiver['type'] in LINES else self.region}"

    @property
    def ends(self) -> bool:
        return self.event.split("/")[1:2] in ([end] for end in ENDS)


class Batch:
    """Tells one event. ``wire`` has the budget's deadline; ``deliver`` says one message to one receiver."""

    def __init__(self, wire: Wire, sent: Sent, deliver: Deliver, right: Right) -> None:
        self._wire = wire
        self._sent = sent
        self._deliver = deliver
        self._right = right
        self._began = wire.clock.now()
        self._lock = threading.Lock()
        self._results: dict[int, dict[str, Any]] = {}
        self._over = False

    def run(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Every job's result, in the order of the jobs; receivers at once, messages of one receiver in order."""
        by_receiver: dict[str, list[tuple[int, Job]]] = {}
        for number, job in enumerate(jobs):
            by_receiver.setdefault(job.name, []).append((number, job))
        # Daemons: a receiver that never answers must not keep the process.
        threads = [
            threading.Thread(target=self._work, args=(part,), name=f"announce-{name}", daemon=True)
            for name, part in by_receiver.items()
        ]
        for thread in threads:
            thread.start()
        # One end for all of them, however many hang.
        clock = self._wire.clock
        end = clock.monotonic() + self._wire.deadline.remaining + GRACE
        for thread in threads:
            thread.join(max(0.0, end - clock.monotonic()))
        with self._lock:
            self._over = True
            missing = [number for number in range(len(jobs)) if number not in self._results]
        for number in missing:
            budget = self._wire.deadline.budget
            self._results[number] = self._failed(
                jobs[number],
                "budget_spent",
                f"{jobs[number].name} gave no answer in the {budget:g} s of the event",
                True,
            )
        return [self._results[number] for number in range(len(jobs))]

    def _work(self, part: Sequence[tuple[int, Job]]) -> None:
        for number, job in part:
            result = self._one(job)
            with self._lock:
                if self._over:
                    return
                self._results[number] = result

    def _one(self, job: Job) -> dict[str, Any]:
        start = self._wire.clock.monotonic()
        try:
            result = self._told(job)
        except RolloutError as fault:
            result = self._failed(job, fault.reason, self._wire.scrubber.text(str(fault)), passing(fault))
        except Exception as error:
            # One receiver's surprise is not the others'.
            bug = Bug(error)
            result = self._failed(job, bug.reason, self._wire.scrubber.text(f"{bug} {bug.details}"), False)
        return {**result, "elapsed": round(self._wire.clock.monotonic() - start, 3)}

    def _told(self, job: Job) -> dict[str, Any]:
        clock, deadline = self._wire.clock, self._wire.deadline
        alone = self._sent.turn(job.name, job.key, deadline, clock)
        with alone if not self._wire.check_mode else contextlib.nullcontext():
            return self._in_turn(job)

    def _in_turn(self, job: Job) -> dict[str, Any]:
        held = _begun_again(self._sent.of(job.name, job.key), job.event)
        told, last = dict(held.get("told", {})), _moments(held)
        at = float(job.message.get("at") or self._began)
        mark = digest(job.message["content"])
        if job.event in told and (told[job.event] == mark or job.receiver["type"] not in LINES):
            self._forget(job)
            return _result(job, "unchanged")
        late = job.again and max(last.values(), default=0.0) > at
        if job.again and self._overtaken(job, last.get(job.region, 0.0) > at, late):
            self._forget(job)
            return _result(job, "superseded", msg="something newer was told since")
        if _public(job.receiver) and (silence := self._silence(job)):
            return silence
        ids = held.get("ids", {})
        wire = replace(self._wire, keep=lambda found: self._sent.keep_ids(job.name, job.key, found))
        outcome = self._deliver(wire, job.receiver, {**job.message, "late": late}, ids)
        if not self._wire.check_mode:
            told[job.event] = mark
            last[job.region] = max(at, last.get(job.region, 0.0))
            entry = {"ids": dict(outcome.ids), "told": told, "last": last}
            self._sent.keep(job.name, job.key, entry, job.slot)
        return _result(job, outcome.act, before=dict(outcome.before), after=dict(outcome.after))

    @staticmethod
    def _overtaken(job: Job, in_region: bool, anywhere: bool) -> bool:
        """Whether it would take back something newer. An end stays true, whatever another region told since."""
        if job.receiver["type"] in LASTING:
            return False
        return in_region or (anywhere and job.receiver["type"] not in LINES and not job.ends)

    def _silence(self, job: Job) -> dict[str, Any] | None:
        """The result of a public message that this run may not send; None when it may."""
        try:
            why = self._right()
        except RolloutError as fault:
            why = self._wire.scrubber.text(f"whether this run may speak in public is not known: {fault}")
            self._wait(job)
            return {**_result(job, "withheld", msg=why), "reason": fault.reason, "waiting": True}
        return _result(job, "withheld", msg=why) if why else None

    def _failed(self, job: Job, reason: str, msg: str, again: bool) -> dict[str, Any]:
        try:
            if again:
                self._wait(job)
            else:
                self._forget(job)
        except RolloutError as fault:
            msg = f"{msg}; and it cannot be kept for later: {fault}"
        return {**_result(job, "failed", msg=msg), "reason": reason, "waiting": again}

    def _wait(self, job: Job) -> None:
        if not self._wire.check_mode:
            self._sent.wait(job.slot, {"at": self._began, **job.message, "receiver": job.name})

    def _forget(self, job: Job) -> None:
        """What had waited waits no longer: it was told, overtaken, or refused for good."""
        if job.again and not self._wire.check_mode:
            self._sent.drop(str(job.message.get("slot") or job.slot))


def waiting(sent: Sent, receivers: Sequence[Mapping[str, Any]]) -> list[Job]:
    """What waits to be tried again, for the receivers that are given."""
    by_name = {receiver["name"]: receiver for receiver in receivers}
    return [
        Job(by_name[item["receiver"]], item, again=True) for item in sent.waiting() if item.get("receiver") in by_name
    ]


def _public(receiver: Mapping[str, Any]) -> bool:
    given = receiver.get("public")
    return bool(given) if given is not None else receiver["type"] == "statuspage"


def _moments(held: Mapping[str, Any]) -> dict[str, float]:
    """When each region was told of last."""
    found = held.get("last")
    return dict(found) if isinstance(found, Mapping) else {}


def passing(fault: RolloutError) -> bool:
    """Whether the same message may be taken later: the receiver was silent, full or broken, and did not refuse it."""
    if isinstance(fault, HttpError):
        return fault.status in (0, 408, 420, 429) or fault.status >= 500 or fault.reason == "http_not_json"
    return fault.reason in ("mail_passing", "timeout", "outcome_unknown", "interrupted", "http_broken", "http_timeout",
                            "sent_busy")  # fmt: skip


def _begun_again(held: Mapping[str, Any], event: str) -> dict[str, Any]:
    """What is known, without what an ended attempt in the same region told when a new one begins."""
    region, _slash, kind = event.partition("/")
    told = dict(held.get("told", {}))
    if kind != "started" or not any(f"{region}/{end}" in told for end in ENDS):
        return dict(held)
    ids = dict(held.get("ids", {}))
    if "replies" in ids:
        ids["replies"] = {name: item for name, item in ids["replies"].items() if not name.startswith(f"{region}/")}
    return {
        **held,
        "ids": ids,
        "told": {name: mark for name, mark in told.items() if not name.startswith(f"{region}/")},
    }


def _result(job: Job, act: str, *, msg: str = "", before: Any = None, after: Any = None) -> dict[str, Any]:
    return {
        "receiver": job.name,
        "key": job.key,
        "event": job.event,
        "act": act,
        "changed": act in ("sent", "updated", "resolved", "removed"),
        "msg": msg,
        "reason": "",
        "waiting": False,
        "again": job.again,
        "before": before or {},
        "after": after or {},
        "elapsed": 0.0,
    }
