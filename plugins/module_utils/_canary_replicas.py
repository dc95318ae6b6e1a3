# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of canary_replicas: read all, plan all, let grow what grows, then shrink what shrinks, tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._tracks import sharing
from ansible_collections.tars.rollout.plugins.module_utils._tracks.making import Step, Writer
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, Service, TrackError, name_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import names_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.reading import Reader
from ansible_collections.tars.rollout.plugins.module_utils._tracks.sharing import Ask, Worker
from ansible_collections.tars.rollout.plugins.module_utils._tracks.watching import Canary, Patience, Watch
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, number
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

NOT_YET = "not yet"


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    params, whole = call.params, Deadline(call.clock, 0)
    services = [Service(name, "worker") for name in names_of(params["services"])]
    ask = _ask(params)
    client = client or _cluster.connect(call)
    world = Reader(client, call.clock, params["namespace"]).world(("deployments",))
    workers = sharing.plan(world, services, ask)
    for sentence in sharing.doubts(workers, ask.weight):
        call.warn(sentence)
    first, second = _order(workers, ask)
    call.stop.check("about to share the work")
    written = _write(call, client, first, ask)
    if not ask.cut:
        # What shall take the work stands before what has it goes: a shrinking worker waits for nobody.
        _wait(call, client, first, ask)
    written += _write(call, client, second, ask)
    _settle(call, client, [*first, *second], ask)
    changed = {step.name for step in written if step.action != "unchanged"}
    return {
        "changed": bool(changed),
        "services": [_entry(worker, changed, call.check_mode) for worker in workers],
        "diff": [_difference(step) for step in written if step.action != "unchanged"],
        "moved_at": moment(call.clock.now()),
        "elapsed": round(whole.elapsed, 3),
    }


def _ask(params: Mapping[str, Any]) -> Ask:
    weight, cut, whole = number("weight", params["weight"], 0, 100), params["cut"], params["whole"]
    if [weight is not None, cut, whole].count(True) != 1:
        raise TrackError(
            "Exactly one of weight, cut and whole is needed",
            reason="weight_missing",
            hint="Give a weight from 0 to 100",
        )
    return Ask(None if whole else weight or 0, number("fence", params["fence"], 1, 2**53), cut)


def _order(workers: Sequence[Worker], ask: Ask) -> tuple[list[Step], list[Step]]:
    """What grows, and then what shrinks; a cut does both at once: a bad canary works no longer for want of a pod."""
    grows: list[Step] = []
    shrinks: list[Step] = []
    for worker in workers:
        for live, before, wanted in worker.parts:
            (shrinks if wanted < before and not ask.cut else grows).append(_step(worker, live, wanted))
    return grows, shrinks


def _step(worker: Worker, live: Document, replicas: int) -> Step:
    def again(now: Document) -> Sequence[Mapping[str, Any]]:
        return worker.operations(now, replicas)

    body = {**live, "spec": {**live["spec"], "replicas": replicas}}
    return Step("deployments", name_of(live), live, body, again(live), again)


def _write(call: Call, client: Any, steps: Sequence[Step], ask: Ask) -> list[Step]:
    params = call.params
    ledger = Ledger(params["ledger"] or "", call.scrubber.data)

    def tell(step: Step) -> None:
        if step.action == "unchanged" or call.check_mode:
            return
        pods = (step.body or {})["spec"]["replicas"]
        before = (step.live or {})["spec"].get("replicas")
        text = f"{before} -> {pods} pods"
        call.progress.line(Line(params["region"], "workers", step.name, text, "CUT" if ask.cut else "WRITTEN"))
        at = moment(call.clock.now())
        ledger.add(Event(at, params["region"], params["release"] or "", "workers", step.name, text, {}))

    writer = Writer(client, call.clock, params["namespace"], ask.fence, dry_run=call.check_mode)
    done = writer.write(steps, tell)
    if ledger.problem:
        call.warn(ledger.problem)
    return done


def _wait(call: Call, client: Any, steps: Sequence[Step], ask: Ask) -> None:
    params = call.params
    if call.check_mode or params["wait_timeout"] <= 0 or not steps:
        return
    patience = Patience(params["wait_timeout"], params["interval"], params["fault_patience"])
    watch = Watch(client, call.clock, params["namespace"], patience, ask.fence, mark="")

    def say(name: str, seen: str, result: str) -> None:
        call.progress.line(Line(params["region"], "workers", name, seen, result))

    watch.ready([Canary(step.name, step.body or {}) for step in steps], params["track_label"], say)


def _settle(call: Call, client: Any, steps: Sequence[Step], ask: Ask) -> None:
    """All as many as wanted. After a cut a stable that is late is a warning: the canary has no pods in any case."""
    try:
        _wait(call, client, steps, ask)
    except RolloutError as error:
        if not ask.cut or error.reason == "fence_lost":
            raise
        call.warn(f"The canaries have no work any more; {error.msg}")


def _entry(worker: Worker, changed: set[str], dry: bool) -> dict[str, Any]:
    share = worker.wanted.share
    return {
        "service": worker.service.name,
        "whole": worker.whole,
        "before": asdict(worker.before),
        "wanted": asdict(worker.wanted),
        "after": NOT_YET if dry else asdict(worker.wanted),
        "share": None if share is None else round(share, 1),
        "fence": worker.fence,
        "changed": bool({worker.service.name, worker.service.canary} & changed),
    }


def _difference(step: Step) -> dict[str, str]:
    before, after = ((item or {})["spec"].get("replicas") for item in (step.live, step.body))
    return {
        "before_header": str(step), "after_header": str(step),
        "before": f"replicas: {before}\n", "after": f"replicas: {after}\n",
    }  # fmt: skip
