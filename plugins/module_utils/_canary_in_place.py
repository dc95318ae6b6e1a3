# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of canary_in_place: stable's image into the canary's pods, services side by side, their pods in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._tracks import in_place
from ansible_collections.tars.rollout.plugins.module_utils._tracks.in_place import Restored
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import KINDS
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, Service, TrackError, name_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import names_of
from ansible_collections.tars.rollout.plugins.module_utils._tracks.reading import Reader
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import CHANGED, TRIES, passing
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

NOT_YET = "not yet"
PAUSE = 0.3


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    params, whole = call.params, Deadline(call.clock, 0)
    services = [Service(name) for name in names_of(params["services"])]
    client = client or _cluster.connect(call)
    reader = Reader(client, call.clock, params["namespace"])
    world = reader.world(("deployments",))
    plans = in_place.plan(world, services, client.list(KINDS["pods"], params["namespace"]))
    call.stop.check("about to change images in place")
    ledger = Ledger(params["ledger"] or "", call.scrubber.data)
    try:
        at_once(plans, lambda item: _service(call, client, ledger, item), _told)
    finally:
        if ledger.problem:
            call.warn(ledger.problem)
    return {
        "changed": any(item.pods for item in plans),
        "services": [_entry(item, dry=call.check_mode) for item in plans],
        "elapsed": round(whole.elapsed, 3),
    }


def _service(call: Call, client: Any, ledger: Ledger, item: Restored) -> None:
    """One pod after the other: while it begins anew the others take its requests."""
    for pod in item.pods:
        call.stop.check("changing images in place")
        before = _patched(call, client, pod, item)
        if before is None or call.check_mode:
            continue
        _until_ready(call, client, before)
        images = ", ".join(op["value"] for op in in_place.operations(before, item.images) if op["op"] == "replace")
        call.progress.line(Line(call.params["region"], "in place", name_of(pod), images, "RESTORED"))
        place = (moment(call.clock.now()), call.params["region"], call.params["release"] or "")
        ledger.add(Event(*place, "in_place", name_of(pod), images, {}))


def _patched(call: Call, client: Any, pod: Document, item: Restored) -> Document | None:
    """The pod as it was just before; None where it has gone or runs the image already."""
    namespace, name = call.params["namespace"], name_of(pod)
    for tries in range(1, TRIES + 1):
        try:
            if ops := in_place.operations(pod, item.images):
                client.json_patch(KINDS["pods"], namespace, name, ops, dry_run=call.check_mode)
                return pod
            return None
        except RolloutError as error:
            if error.reason == "kube_not_found":
                return None
            if (error.reason not in CHANGED and not passing(error)) or tries == TRIES:
                raise
        call.clock.sleep(PAUSE, "waiting to change the pod again")
        pod = client.get(KINDS["pods"], namespace, name)
    raise AssertionError("the last try returns or raises")


def _until_ready(call: Call, client: Any, before: Document) -> None:
    deadline, name = Deadline(call.clock, call.params["wait_timeout"]), name_of(before)
    while True:
        final = deadline.over
        try:
            now = client.get(KINDS["pods"], call.params["namespace"], name)
        except RolloutError as error:
            if error.reason == "kube_not_found":
                return
            if final or not passing(error):
                raise
            now = before
        if in_place.ready(now, before):
            return
        if final:
            raise TrackError(
                f"The pod {name} got stable's image and is not ready after {call.params['wait_timeout']:g} s: "
                f"{in_place.why_not(now)}; the next one was left alone",
                reason="in_place_not_ready",
                hint="Look whether the image is on that node; the other pods of the canary run the new release",
                details={"pod": name},
            )
        call.clock.sleep(min(PAUSE, deadline.remaining), "waiting for the pod to begin anew")


def _entry(item: Restored, *, dry: bool) -> dict[str, Any]:
    pods = [name_of(pod) for pod in item.pods]
    return {"service": item.service.name, "pods": pods, "changed": bool(pods), "restored": NOT_YET if dry else True}


def _told(failed: int, count: int) -> str:
    return f"{failed} of {count} services"
