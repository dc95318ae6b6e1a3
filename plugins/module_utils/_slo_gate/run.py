# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster, _guard
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate.forecast import false_rollback_bound
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import HOLD
from ansible_collections.tars.rollout.plugins.module_utils._http import Client
from ansible_collections.tars.rollout.plugins.module_utils._metrics.prometheus import Http, Prometheus
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.guard import Guard
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate import lint, options, report
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.fuse import Fuse, RouteFuse
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.watch import Watch
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes

# Seconds between two lines of a service for which nothing has changed.
HEARTBEAT = 60.0
NOT_YET = report.NOT_YET


def run(call: Call, http: Http | None = None, fuse: Fuse | None = None) -> Mapping[str, Any]:
    """What ``run`` of the module does. ``http`` and ``fuse`` are made from the options when none is given."""
    plan = options.read(call.params)
    how, timeout = options.http(call.params, min(spec.scrape_s for spec in plan.specs))
    client = Client(how, call.clock, call.scrubber) if http is None else None
    try:
        prometheus = Prometheus(http or client, call.clock, timeout)  # type: ignore[arg-type]
        if call.check_mode:
            return _judge(call, plan, prometheus, None, None, _tried(call, plan, fuse))
        cluster = _client(call, plan)
        fuse = fuse or _fuse(call, cluster)
        doubts = fuse.check() if fuse is not None else ()
        guard = _guard.guard_of(call, cluster) if cluster is not None else None
        return _judge(call, plan, prometheus, fuse, guard, doubts)
    finally:
        if client is not None:
            client.close()


def _client(call: Call, plan: options.Plan) -> Any:
    """Only where it is needed: the library behind it costs every call of the module."""
    # In check mode nothing is done under a lease.
    held = call.params.get("lease") is not None and not call.check_mode
    wanted = call.params.get("cut_traffic") is not None or held
    return _cluster.connect(call) if wanted and plan.replay is None else None


def _tried(call: Call, plan: options.Plan, fuse: Fuse | None) -> list[str]:
    """Check mode: what would keep the fuse from cutting, a sentence each. Reads and asks, writes nothing."""
    try:
        fuse = fuse or _fuse(call, _client(call, plan))
        return list(fuse.check()) if fuse is not None else []
    except RolloutError as error:
        return [fault["msg"] for fault in error.details.get("faults") or [{"msg": str(error)}]]


def _fuse(call: Call, client: Any) -> Fuse | None:
    wish = call.params.get("cut_traffic")
    if wish is None or client is None:
        return None
    # Under our own fence: a run that lost it must not cut the traffic of the one that has it now.
    fence = (call.params.get("lease") or {}).get("fence")
    return RouteFuse(Kubernetes(client), call.clock, wish["services"], wish["release"], fence=fence)


def _judge(
    call: Call,
    plan: options.Plan,
    prometheus: Prometheus,
    fuse: Fuse | None,
    guard: Guard | None,
    doubts: Sequence[str],
) -> Mapping[str, Any]:
    teller = Teller(call, plan)
    may = _guard.patient(guard, call.clock) if guard is not None else None
    watch = Watch(prometheus, plan, call.clock, teller.tell, fuse, may)
    watch.begin()
    outlook = _outlook(watch, plan, prometheus, doubts, thorough=call.check_mode)
    for text in outlook["findings"]:
        call.warn(f"slo_gate: {text}")
    for item in outlook["slos"]:
        if item["decidable"] is False:
            teller.say(item["service"], f"{item['slo']} {item['text']}", "FORECAST")
    if call.params.get("plan_stages") is not None:
        teller.say("", outlook["text"], "FORECAST")
    if call.check_mode:
        return _result(plan, prometheus, watch, outlook, [], decided=False)
    watch.run()
    for text in watch.notes:
        if text not in outlook["findings"]:
            call.warn(f"slo_gate: {text}")
    result = _result(plan, prometheus, watch, outlook, teller.evidence, decided=True)
    if watch.cut is not None and not watch.cut["done"]:
        call.warn(f"The traffic could not be cut: {watch.cut['error']}")
        return {
            **result,
            "failed": True,
            "msg": f"{report.message(result)}. The traffic was NOT cut: {watch.cut['error']}",
        }
    if result["verdict"] in plan.fail_on:
        return {**result, "failed": True, "msg": report.message(result)}
    return result


def _outlook(
    watch: Watch, plan: options.Plan, prometheus: Prometheus, doubts: Sequence[str], *, thorough: bool
) -> dict[str, Any]:
    """Forecast and linter: what the stage will be able to decide, and what looks wrong.

    ``doubts``: what is wrong with the fuse. ``thorough``: with what takes queries of a whole day, for check mode, in
    which no traffic waits for them.
    """
    entries: list[dict[str, Any]] = []
    found = [f"cut_traffic: {text}" for text in doubts]
    if watch.fault:
        found.append(f"Prometheus could not be read before the stage: {watch.fault}")
    else:
        for index, spec in enumerate(plan.specs):
            texts = lint.findings(watch.session, index, prometheus, watch.begin_at, plan.weight)
            texts += lint.day(spec, prometheus, watch.begin_at) if thorough else []
            found += [f"{spec.service}: {text}" for text in texts]
            forecasts = lint.forecasts(watch.session, index, plan.weight, plan.history)
            entries += [{"service": spec.service, **lint.as_data(item)} for item in forecasts]
    bound = false_rollback_bound(list(plan.specs), plan.stages)
    return {
        "slos": entries,
        "findings": [*found, *watch.notes],
        "decidable": all(entry["decidable"] is not False for entry in entries),
        "false_rollback_at_most": bound,
        "text": report.bound(bound, len(plan.specs), plan.stages),
    }


def _result(
    plan: options.Plan,
    prometheus: Prometheus,
    watch: Watch,
    outlook: Mapping[str, Any],
    evidence: list[list[dict[str, Any]]],
    *,
    decided: bool,
) -> dict[str, Any]:
    cost = prometheus.cost
    result: dict[str, Any] = {
        "changed": bool(watch.cut and watch.cut.get("patches")),
        "verdict": NOT_YET,
        "reason": "",
        "slo": "",
        "decided_after_s": None,
        "services": [],
        "forecast": outlook,
        "notes": list(watch.notes),
        "evidence": report.bounded(evidence),
        "cost": {
            "polls": watch.polls,
            "requests": cost.requests,
            "samples": cost.samples,
            "poll_requests": cost.requests - watch.before.requests,
            "poll_samples": cost.samples - watch.before.samples,
            "bytes": cost.bytes,
            "seconds": round(cost.seconds, 3),
        },
        "cut": dict(watch.cut) if watch.cut is not None else None,
    }
    if not decided:
        # The same keys, and nothing is claimed that was not judged.
        blank = {"verdict": NOT_YET, "reason": "", "slo": "", "line": NOT_YET, "slos": []}
        return {**result, "services": [{"service": spec.service, **blank} for spec in plan.specs]}
    worst = watch.session.worst[1]
    standings = zip(plan.specs, watch.session.standings, strict=True)
    return {
        **result,
        "verdict": worst.verdict,
        "reason": worst.reason,
        "slo": worst.slo,
        "decided_after_s": round(watch.at, 2),
        "services": [report.service(spec, standing, watch.at) for spec, standing in standings],
    }


class Teller:
    """Live lines and evidence: a line when what stands for a service changes, and one a minute otherwise."""

    def __init__(self, call: Call, plan: options.Plan) -> None:
        self._call = call
        self._plan = plan
        self._told: dict[str, tuple[str, str, str]] = {}
        self._told_at: dict[str, float] = {}
        self.evidence: list[list[dict[str, Any]]] = []

    def tell(self, watch: Watch) -> None:
        rows: list[dict[str, Any]] = []
        for spec, standing in zip(self._plan.specs, watch.session.standings, strict=True):
            rows += report.rows(spec.service, standing, watch.at)
            final = standing.decided or watch.session.decided
            # Before the end a pass or a hold is only how it looks by now.
            word = f"{watch.at:.0f} s"
            if final:
                word = standing.verdict.upper() + (f" {standing.reason}" if standing.verdict == HOLD else "")
            now = (standing.verdict, standing.reason, word if final else "")
            quiet = watch.at - self._told_at.get(spec.service, -HEARTBEAT) < HEARTBEAT
            if self._told.get(spec.service) == now and (quiet or final):
                continue
            self._told[spec.service], self._told_at[spec.service] = now, watch.at
            seen = report.seen(standing) if final else f"{report.seen(standing)}  {standing.reason.lower()}"
            self.say(spec.service, seen, word)
        self.evidence.append(rows)
        if watch.cut is not None:
            done = f"weight 0 after {watch.cut['after_s']} s" if watch.cut["done"] else str(watch.cut["error"])
            self.say(
                watch.session.specs[watch.session.worst[0]].service, done, "CUT" if watch.cut["done"] else "NOT CUT"
            )

    def say(self, service: str, seen: str, result: str) -> None:
        params = self._call.params
        self._call.progress.line(Line(params["region"], params["step"], service, seen, result))
