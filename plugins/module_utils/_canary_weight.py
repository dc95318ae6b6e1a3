# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of canary_weight: read and plan all, write all, follow all, tell. Ansible's options in, its result out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster, _guard
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._traffic import left, report, request
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.follow import Followed, Follower, Patience
from ansible_collections.tars.rollout.plugins.module_utils._traffic.gateways import Gateways, Source, Where
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Plan, TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import Moved, Mover
from ansible_collections.tars.rollout.plugins.module_utils._traffic.probes import ProbeProof, asked_nobody, parse
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from ansible_collections.tars.rollout.plugins.module_utils._traffic.share import share
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

# Seconds for a route to reach the gateways: usual is 0.1.
SLOW = 2.0
# Seconds within which Prometheus surely has scraped twice: less silence than that means nothing.
SCRAPES = 15.0


class Work:
    """The ports of one call. ``client`` is a Kubernetes client, or what a test gives instead."""

    def __init__(self, call: Call, client: Any) -> None:
        self.call = call
        self.client = client
        provider = Kubernetes(client)
        self.mover = Mover(provider, call.clock, call.params["timeout"])
        self.follower: Follower | None = None
        if (observe := call.params["observe"]) is not None:
            quiet = max(observe["quiet"], SCRAPES if call.params["gateways"]["prometheus"] else 0)
            patience = Patience(
                observe["route_timeout"], observe["timeout"], observe["interval"], quiet, observe["away"]
            )
            self.follower = Follower(_source(call, client), call.clock, patience)
        self.probes: ProbeProof | None = None
        if (probes := parse(call.params["probes"])) is not None:
            self.probes = ProbeProof(probes, provider, call.clock)
        self.ledger = Ledger(call.params["ledger"] or "", call.scrubber.data)
        # A cut asks nobody: a rollback waits for no lease.
        self.guard = _guard.guard_of(call, client) if call.params["cut"] is None else None


def _source(call: Call, client: Any) -> Source:
    where = call.params["gateways"]
    if (prometheus := where["prometheus"]) is None:
        place = Where(where["namespace"], where["labels"], where["port"], where["dump"], where["stats"])
        return Gateways(client, place)
    # Only here: the library behind it costs every call of the module a tenth of a second.
    from ansible_collections.tars.rollout.plugins.module_utils._http import Client, Options, bearer
    from ansible_collections.tars.rollout.plugins.module_utils._traffic.prometheus import PrometheusGateways

    options = Options(
        prometheus["url"],
        bearer(prometheus["token"]) if prometheus["token"] else {},
        ca=prometheus["ca"],
        validate_certs=prometheus["validate_certs"],
        budget=call.params["api_timeout"],
    )
    return PrometheusGateways(Client(options, call.clock, call.scrubber), prometheus["selector"])


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    whole = Deadline(call.clock, 0)
    wanted = request.wanted(call.params, call.clock.now())
    work = Work(call, client or _cluster.connect(call))
    plans = work.mover.plan(wanted)
    for doubt in dict.fromkeys(doubt for plan in plans for doubt in plan.doubts):
        call.warn(doubt)
    if call.check_mode:
        return _result(work, whole, [report.planned(plan, observed=work.follower is not None) for plan in plans], plans)
    if work.follower is not None:
        work.follower.prepare(plans)
    call.stop.check("about to write the weights")
    if work.guard is not None:
        work.guard.check(f"moving the traffic to {wanted[0].wish.weight} %")
    moved = work.mover.patch(wanted, plans, lambda item: _tell_moved(work, item))
    entries = [report.moved(item) for item in moved]
    if call.params["cut"] is not None:
        for sentence in left.shortages(work.client, [item.plan for item in moved]):
            call.warn(sentence)
    if work.follower is not None:
        entries = _follow(work, work.follower, moved, entries)
    if work.ledger.problem:
        call.warn(work.ledger.problem)
    return _result(work, whole, entries, plans)


def _tell_moved(work: Work, item: Moved) -> None:
    """At once and not at the end: what was moved is told even when another route of the call could not be."""
    entry, cut = report.moved(item), work.call.params["cut"] is not None
    done = ("CUT" if cut else "WRITTEN") if entry["changed"] else "UNCHANGED"
    _say(work, item.plan, report.patched_text(item), done)
    if entry["changed"]:
        params = work.call.params
        event = Event(
            moment(work.call.clock.now()), params["region"], params["release"] or "", "cut" if cut else "weight",
            item.plan.target.service, report.patched_text(item),
            {key: entry[key] for key in ("object", "route", "before", "after", "fence")},
        )  # fmt: skip
        work.ledger.add(event)


def _follow(
    work: Work, follower: Follower, moved: Sequence[Moved], entries: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    try:
        seen = _seen(work, follower, moved)
    except RolloutError as error:
        raise TrafficError(
            f"{error.msg.rstrip('.')}; the weights are written, whether traffic follows is not known",
            reason=error.reason,
            hint=error.hint,
            details={**error.details, "services": list(entries)},
        ) from None
    for item in seen:
        if item.route_after > SLOW:
            work.call.warn(
                f"The gateways took {item.route_after:.1f} s for {item.plan.target}; usual is 0.1 s: "
                "something else writes to the mesh, or its control plane is slow"
            )
    result = [report.followed(entry, item) for entry, item in zip(entries, seen, strict=True)]
    lost = [item for item in seen if item.state == "not_followed"]
    if lost:
        raise TrafficError(
            f"{lost[0].plan.target} was set to {lost[0].plan.wanted} % and the gateways use it, but the requests do "
            f"not follow: {report.share_text(lost[0])} ({len(lost)} of {len(seen)} routes)",
            reason="share_not_followed",
            hint="Look for sessions that stick to their pod, and for requests that carry the canary's header",
            details={"services": result},
        )
    return result


def _seen(work: Work, follower: Follower, moved: Sequence[Moved]) -> list[Followed]:
    """What the gateways do, or what users get where no gateway can be asked."""

    def tell(seen: Followed) -> None:
        _say(work, seen.plan, report.share_text(seen), report.WORDS[seen.state])

    try:
        return follower.follow([item.plan for item in moved], tell)
    except RolloutError as error:
        if work.probes is None or any(item.plan.wanted for item in moved) or not asked_nobody(error):
            raise
        why = error.msg.rstrip(".")
    work.call.warn(f"{why}; requests through the gateway are the proof instead")
    proof, seconds = work.probes, work.call.params["observe"]["route_timeout"]
    since = Deadline(work.call.clock, 0)

    def prove(item: Moved) -> Followed:
        found = proof.prove(item.plan.target, item.plan.before, seconds)
        seen = Followed(item.plan, 0, 0.0, "probed", share(0, found.asked), since.elapsed)
        tell(seen)
        return seen

    try:
        return at_once(list(moved), prove, lambda failed, count: f"{failed} of {count} routes not proven")
    except RolloutError as fault:
        raise TrafficError(
            f"{why}; and by requests: {fault.msg}", reason="not_proven", hint=fault.hint, details=dict(fault.details)
        ) from None


def _say(work: Work, plan: Plan, seen: str, result: str) -> None:
    work.call.progress.line(
        Line(work.call.params["region"], f"weight {plan.wanted} %", plan.target.service, seen, result)
    )


def _result(work: Work, whole: Deadline, entries: Sequence[Mapping[str, Any]], plans: Sequence[Plan]) -> dict[str, Any]:
    return {
        "changed": any(entry["changed"] for entry in entries),
        "services": list(entries),
        "diff": report.diff(plans),
        "reads": sum(entry["reads"] for entry in entries),
        "patches": sum(entry["patches"] for entry in entries),
        "elapsed": round(whole.elapsed, 3),
        # Counting the requests afterwards is no time without the weight.
        "moved_at": moment((work.follower and work.follower.in_force_at) or work.call.clock.now()),
    }
