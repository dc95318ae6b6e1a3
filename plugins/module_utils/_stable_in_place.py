# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of stable_in_place: read all, plan all, patch all at once, wait until each is whole, tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._errors import MASK, is_secret_name
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._tracks import copying, owners, replacing
from ansible_collections.tars.rollout.plugins.module_utils._tracks.making import Step, Writer
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    Finding,
    Service,
    TrackError,
    World,
    name_of,
)
from ansible_collections.tars.rollout.plugins.module_utils._tracks.options import services
from ansible_collections.tars.rollout.plugins.module_utils._tracks.reading import Reader
from ansible_collections.tars.rollout.plugins.module_utils._tracks.replacing import Target
from ansible_collections.tars.rollout.plugins.module_utils._tracks.watching import Canary, Patience, Watch
from ansible_collections.tars.rollout.plugins.module_utils._values import duration, moment, number
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

NOT_YET = "not yet"


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    params, whole = call.params, Deadline(call.clock, 0)
    budget = duration("wait_timeout", params["wait_timeout"])
    fence = number("fence", params["fence"], 1, 2**53)
    client = client or _cluster.connect(call)
    world = Reader(client, call.clock, params["namespace"]).world(("deployments",))
    wanted = _restored(world, params["restore"]) if params["restore"] else _asked(world, services(params))
    # All of it before the first write: when one cannot be planned, or written down, none is touched.
    there = {name: replacing.before(live, target) for name, (live, target) in wanted.items()}
    steps = [_step(live, target, fence) for live, target in wanted.values()]
    call.stop.check("about to replace stable")
    written = _write(call, client, steps, fence)
    ready = _wait(call, client, written, fence, budget)
    changed = {step.name for step in written if step.action != "unchanged"}
    return {
        "changed": bool(changed),
        "services": [
            {
                "service": name,
                "images": dict(copying.container_images(replacing.replaced(live, target))),
                "changed": name in changed,
                "ready": ready.get(name, NOT_YET),
            }
            for name, (live, target) in wanted.items()
        ],
        "before": there,
        "diff": [_difference(live, target, there[name]) for name, (live, target) in wanted.items() if name in changed],
        "elapsed": round(whole.elapsed, 3),
    }


def _asked(world: World, asked: Sequence[Service]) -> dict[str, tuple[Document, Target]]:
    """Each service with its Deployment and what that shall be; TrackError where somebody would set it back."""
    pairs = [(service, _deployment(world, service.name)) for service in asked]
    findings = [finding for service, live in pairs for finding in _owned(service, live)]
    if findings:
        more = f" ({len(findings)} such findings, nothing was touched)" if len(findings) > 1 else ""
        raise TrackError(
            f"Stable cannot be replaced in place: {findings[0].seen}{more}",
            reason=findings[0].code,
            hint=findings[0].hint,
            details={"findings": [vars(item) for item in findings]},
        )
    return {service.name: (live, replacing.target(live, service)) for service, live in pairs}


def _restored(world: World, restore: Mapping[str, Any]) -> dict[str, tuple[Document, Target]]:
    """As above; nobody is asked whose it is: what was written here is taken back in any case."""
    return {name: (_deployment(world, name), replacing.kept(data, name)) for name, data in restore.items()}


def _deployment(world: World, name: str) -> Document:
    live = world.named("deployments", name)
    if live is None:
        raise TrackError(
            f"There is no Deployment {name} in {world.namespace}, so nothing of it can be replaced",
            reason="deployment_missing",
            hint="Correct the name of the service; only Deployments are replaced in place, and nothing was touched",
            details={"service": name},
        )
    return live


def _owned(service: Service, live: Document) -> list[Finding]:
    found = list(owners.marked(service, live))
    if release := owners.helm_release(live):
        seen = f"the Deployment {service.name} belongs to the Helm release {release}"
        hint = "Promote by that release; its next upgrade would undo this"
        found.append(Finding("owned_by_helm", service.name, seen, hint))
    return found


def _step(live: Document, target: Target, fence: int | None) -> Step:
    body = replacing.replaced(live, target)
    ops = replacing.operations(live, target, fence)
    return Step("deployments", name_of(live), live, body, ops, lambda now: replacing.operations(now, target, fence))


def _write(call: Call, client: Any, steps: Sequence[Step], fence: int | None) -> list[Step]:
    params = call.params
    ledger = Ledger(params["ledger"] or "", call.scrubber.data)

    def tell(step: Step) -> None:
        if step.action == "unchanged" or call.check_mode:
            return
        text = ", ".join(sorted(set(copying.container_images(step.body or {}).values())))
        call.progress.line(Line(params["region"], "stable", step.name, text, "WRITTEN"))
        place = (moment(call.clock.now()), params["region"], params["release"] or "")
        ledger.add(Event(*place, "stable", step.name, text, {}))

    done = Writer(client, call.clock, params["namespace"], fence, dry_run=call.check_mode).write(steps, tell)
    if ledger.problem:
        call.warn(ledger.problem)
    return done


def _wait(call: Call, client: Any, steps: Sequence[Step], fence: int | None, budget: float) -> dict[str, int]:
    """Pods of each that take requests, when all of them are whole."""
    params = call.params
    if call.check_mode or budget <= 0:
        return {}
    # A Deployment that is changed in place may still carry what its controller said of the change before.
    patience = Patience(budget, params["interval"], params["fault_patience"], frozenset({"progress_deadline"}))
    watch = Watch(client, call.clock, params["namespace"], patience, fence, mark="")

    def say(name: str, seen: str, result: str) -> None:
        call.progress.line(Line(params["region"], "stable", name, seen, result))

    # As many as there are then: an autoscaler may change it meanwhile.
    bodies = [step.body for step in steps if step.body]
    watched = [Canary(name_of(body), {**body, "spec": {**body["spec"], "replicas": 0}}) for body in bodies]
    try:
        looks = watch.ready(watched, params["track_label"], say)
    except TrackError as error:
        if error.reason == "fence_lost":
            raise
        raise TrackError(
            error.msg,
            reason="stable_not_ready" if error.reason == "canary_not_ready" else error.reason,
            hint="Look at its pods and their events; its earlier pods stay as far as its strategy keeps them",
            details=error.details,
        ) from None
    return {name: look.available for name, look in looks.items()}


def _difference(live: Document, target: Target, there: Mapping[str, Any]) -> dict[str, str]:
    """Image, variables and mounts before and after; of a variable that may be secret only its name."""
    header = f"Deployment {name_of(live)}"
    after = {
        "container": target.container,
        "image": target.image,
        "env": {name: target.env[name] for name in there["env"]},
    }
    mounts = {key: {new: new for new in there[key]} for key in ("config_maps", "secrets")}
    return {
        "before_header": header, "after_header": header, "before": _text(there, there), "after": _text(after, mounts),
    }  # fmt: skip


def _text(state: Mapping[str, Any], mounts: Mapping[str, Any]) -> str:
    shown = {
        "image": {state["container"]: state["image"]},
        "variables": {name: _shown(name, item) for name, item in state["env"].items() if item is not None},
        "mounts": sorted([*mounts["config_maps"].values(), *mounts["secrets"].values()]),
    }
    return json.dumps(shown, indent=2, sort_keys=True) + "\n"


def _shown(name: str, item: Mapping[str, Any]) -> Any:
    if "value" not in item:
        return item.get("valueFrom")
    return MASK if is_secret_name(name) else item["value"]
