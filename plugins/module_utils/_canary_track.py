# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of canary_track: make the canaries of services and wait for them, or take them away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._tracks import making, pinning, removing
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import BESIDE, KINDS, NAMES, ROUTES
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service, TrackError, World, name_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import services
from ansible_collections.tars.rollout.plugins.module_utils._tracks.reading import Objects, Reader
from ansible_collections.tars.rollout.plugins.module_utils._tracks.report import difference, entry
from ansible_collections.tars.rollout.plugins.module_utils._tracks.watching import Canary, Gone, Patience, Watch
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, number
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

NEEDED = ("deployments", "statefulsets", "services", "destination_rules", *ROUTES, *BESIDE)


class Work:
    """The ports of one call. ``client`` is a Kubernetes client, or what a test gives instead."""

    def __init__(self, call: Call, client: Any) -> None:
        self.call = call
        self.objects: Objects = client
        self.namespace: str = call.params["namespace"]
        self.fence = number("fence", call.params["fence"], 1, 2**53)
        self.services = services(call.params)
        self.whole = Deadline(call.clock, 0)
        self.ledger = Ledger(call.params["ledger"] or "", call.scrubber.data)

    def say(self, subject: str, seen: str, result: str) -> None:
        self.call.progress.line(Line(self.call.params["region"], "canary track", subject, seen, result))

    def note(self, act: str, subject: str, seen: str) -> None:
        params = self.call.params
        at = moment(self.call.clock.now())
        self.ledger.add(Event(at, params["region"], params["release"] or "", act, subject, seen, {}))


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    present = call.params["state"] == "present"
    if present and not call.params["release"]:
        raise TrackError(
            "A canary without a release cannot be told from another one", reason="release_missing", hint="Give release"
        )
    work = Work(call, client or _cluster.connect(call))
    world = Reader(work.objects, call.clock, work.namespace).world(NEEDED)
    result = _present(work, world) if present else _absent(work, world)
    if work.ledger.problem:
        call.warn(work.ledger.problem)
    return {**result, "elapsed": round(work.whole.elapsed, 3)}


def _present(work: Work, world: World) -> dict[str, Any]:
    call, params = work.call, work.call.params
    weight = number("weight", params["weight"], 1, 100) or 100
    steps = making.plan(world, work.services, making.Ask(params["track_label"], params["release"], weight, work.fence))
    call.stop.check("about to make the canaries")
    writer = making.Writer(work.objects, call.clock, work.namespace, work.fence, dry_run=call.check_mode)
    done = writer.write(steps, lambda step: None if call.check_mode else _tell_written(work, step))
    canaries = [Canary(name_of(step.body), step.body) for step in done if step.key == "deployments" and step.body]
    ready: Mapping[str, Any] = {}
    if not call.check_mode and params["wait_timeout"] > 0:
        patience = Patience(params["wait_timeout"], params["interval"], params["fault_patience"])
        watch = Watch(work.objects, call.clock, work.namespace, patience, work.fence)
        ready = watch.ready(canaries, params["track_label"], work.say)
    entries = [entry(service, done, ready, waited=bool(ready)) for service in work.services]
    pins = {pin.name: pin.before for pin in pinning.pins(world, work.services)}
    return {
        "changed": any(step.action != "unchanged" for step in done),
        "services": entries,
        "objects": [{"object": str(step), "action": step.action} for step in done],
        "pins": pins,
        "diff": [difference(step) for step in done if step.action != "unchanged"],
    }


def _tell_written(work: Work, step: making.Step) -> None:
    if step.action != "unchanged":
        work.say(step.name, str(step), step.action.upper())
        work.note("track", step.name, f"{step} {step.action}")


def _absent(work: Work, world: World) -> dict[str, Any]:
    call, params = work.call, work.call.params
    going = removing.plan(world, work.services, params["track_label"], work.fence)
    recorded = {name: number("pins", value, 0, 2**31 - 1) or 0 for name, value in params["pins"].items()}
    released, left = pinning.released(world, work.services, recorded)
    call.stop.check("about to take the canaries away")
    _delete(work, [("deployments", item) for item in going.deployments])
    gone = Gone(work.objects, call.clock, work.namespace, Patience(params["wait_timeout"], params["interval"]))
    if not call.check_mode and params["wait_timeout"] > 0:
        gone.wait([(name_of(item), removing.labels(item)) for item in going.deployments], work.say)
    # Until the last pod has ended its policies and its autoscaler are still about something.
    _delete(work, going.beside)
    for scaler, ops in released:
        work.objects.json_patch(KINDS["autoscalers"], work.namespace, name_of(scaler), ops, dry_run=call.check_mode)
    for sentence in left:
        call.warn(sentence)
    objects = [
        f"{NAMES[key]} {name_of(item)}"
        for key, item in [*(("deployments", item) for item in going.deployments), *going.beside]
    ]
    unpinned = [f"HorizontalPodAutoscaler {name_of(scaler)}" for scaler, _ops in released]
    names = {name_of(item) for item in going.deployments}
    return {
        "changed": bool(objects or unpinned),
        "services": [_left(service, names, call.check_mode) for service in work.services],
        "objects": [
            *({"object": name, "action": "deleted"} for name in objects),
            *({"object": name, "action": "patched"} for name in unpinned),
        ],
        "pins": {},
        "diff": [{"before_header": name, "after_header": name, "before": f"{name}\n", "after": ""} for name in objects],
    }  # fmt: skip


def _delete(work: Work, items: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    def delete(pair: tuple[str, Mapping[str, Any]]) -> None:
        key, item = pair
        making.tolerating_absence(
            lambda: work.objects.delete(
                KINDS[key], work.namespace, name_of(item), uid=item["metadata"]["uid"], dry_run=work.call.check_mode
            )
        )
        if not work.call.check_mode:
            work.say(name_of(item), f"{NAMES[key]} {name_of(item)}", "DELETED")
            work.note("track", name_of(item), f"{NAMES[key]} {name_of(item)} deleted")

    at_once(items, delete, lambda failed, count: f"{failed} of {count} objects were not deleted")


def _left(service: Service, gone: set[str], dry: bool) -> dict[str, Any]:
    changed = service.canary in gone
    return {
        "service": service.name,
        "canary": service.canary if service.copied else None,
        "changed": changed,
        "gone": "not yet" if dry and changed else True,
    }
