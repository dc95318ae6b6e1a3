# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One event to all receivers at once, under one budget. Nothing here ever raises for a receiver's sake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.sent import Sent
from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, digest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Bug, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError

Message = Mapping[str, Any]
Deliver = Callable[[Wire, Mapping[str, Any], Message, Mapping[str, Any]], Outcome]
# What ends an attempt in a region: a new start after it is told anew.
ENDS = ("rolled_back", "aborted")
# A message to be tried again that stays right, whatever was told after it.
LASTING = ("mail",)
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


class Batch:
    """Tells one event. ``wire`` has the budget's deadline; ``deliver`` says one message to one receiver."""

    def __init__(self, wire: Wire, sent: Sent, deliver: Deliver, may_speak: bool) -> None:
        self._wire = wire
        self._sent = sent
        self._deliver = deliver
        self._may_speak = may_speak
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
        for thread in threads:
            thread.join(self._wire.deadline.remaining + GRACE)
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
        public = (
            job.receiver["public"] if job.receiver.get("public") is not None else job.receiver["type"] == "statuspage"
        )
        if public and not self._may_speak:
            return _result(job, "withheld", msg="this run may not speak in public: it does not hold the run's lease")
        held = _begun_again(self._sent.of(job.name, job.key), job.event)
        told = dict(held.get("told", {}))
        mark = digest(job.message["content"])
        if job.again and job.receiver["type"] not in LASTING and held.get("last", "") != job.message.get("after", ""):
            if not self._wire.check_mode:
                self._sent.drop(job.name, job.key)
            return _result(job, "superseded", msg="something newer was told since")
        if job.event in told and (told[job.event] == mark or job.receiver["type"] != "slack"):
            return _result(job, "unchanged")
        outcome = self._deliver(self._wire, job.receiver, job.message, held.get("ids", {}))
        if not self._wire.check_mode:
            told[job.event] = mark
            self._sent.keep(job.name, job.key, {"ids": dict(outcome.ids), "told": told, "last": job.event})
        return _result(job, outcome.act, before=dict(outcome.before), after=dict(outcome.after))

    def _failed(self, job: Job, reason: str, msg: str, again: bool) -> dict[str, Any]:
        if again and not self._wire.check_mode:
            try:
                last = self._sent.of(job.name, job.key).get("last", "")
                kept = {"after": last, **job.message, "receiver": job.name}
                self._sent.wait(job.name, job.key, kept)
            except RolloutError as fault:
                msg = f"{msg}; and it cannot be kept for later: {fault}"
        return {**_result(job, "failed", msg=msg), "reason": reason, "waiting": again}


def waiting(sent: Sent, receivers: Sequence[Mapping[str, Any]]) -> list[Job]:
    """What waits to be tried again, for the receivers that are given."""
    by_name = {receiver["name"]: receiver for receiver in receivers}
    held = sent.read()["waiting"].values()
    return [Job(by_name[item["receiver"]], item, again=True) for item in held if item.get("receiver") in by_name]


def passing(fault: RolloutError) -> bool:
    """Whether the same message may be taken later: the receiver was silent, full or broken, and did not refuse it."""
    if isinstance(fault, HttpError):
        return fault.status in (0, 408, 420, 429) or fault.status >= 500 or fault.reason == "http_not_json"
    return fault.reason in ("mail_passing", "timeout", "outcome_unknown", "interrupted", "http_broken", "http_timeout")


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
