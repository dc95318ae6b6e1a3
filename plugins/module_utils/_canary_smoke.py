# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of canary_smoke: read all routes, find the way to each canary, ask all of them at once, tell."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._exchange import silent
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record.ledger import Event, Ledger
from ansible_collections.tars.rollout.plugins.module_utils._traffic import request, smoke, ways
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Seen, TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

NOT_YET = "not yet"
PAUSE = 0.5


@dataclass(frozen=True)
class Service:
    """A service, what is asked of its canary and by which way; without a way it is not asked, ``why`` says why."""

    name: str
    requests: Sequence[smoke.Request]
    way: ways.Way | None
    why: str = ""


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    params, whole = call.params, Deadline(call.clock, 0)
    client = client or _cluster.connect(call)
    services = _services(call, client)
    for service in services:
        if service.why:
            call.warn(f"No smoke request is sent to the canary of {service.name}: {service.why}")
    if call.check_mode:
        entries = [_entry(service, [_planned(item) for item in service.requests], NOT_YET) for service in services]
        return {"changed": False, "services": entries, "lines": [], "elapsed": round(whole.elapsed, 3)}
    asked = [(service, item) for service in services if service.way for item in service.requests]
    answers = at_once(asked, lambda pair: _ask(call, *pair), lambda failed, count: f"{failed} of {count} requests")
    found: dict[str, list[smoke.Seen]] = {service.name: [] for service in services}
    for (service, _item), seen in zip(asked, answers, strict=True):
        found[service.name].append(seen)
    entries = [_told(service, found[service.name]) for service in services]
    told = [_lines(service, found[service.name]) for service in services]
    lines = [line for mine in told for line in mine]
    ledger = Ledger(params["ledger"] or "", call.scrubber.data)
    for entry, mine in zip(entries, told, strict=True):
        place = (moment(call.clock.now()), params["region"], params["release"] or "")
        ledger.add(Event(*place, "smoke", entry["service"], "; ".join(mine), entry))
    if ledger.problem:
        call.warn(ledger.problem)
    if bad := [(service, seen) for service in services for seen in found[service.name] if not seen.passed]:
        raise _failed(bad, len(asked), {"services": entries, "lines": lines})
    return {"changed": False, "services": entries, "lines": lines, "elapsed": round(whole.elapsed, 3)}


def _services(call: Call, client: Any) -> list[Service]:
    """Every service once, by the first of its routes that has a way; each route is read once and all at once."""
    params = call.params
    common = smoke.parse(params["requests"], "every service")
    own = {str(name): smoke.parse(raw, str(name)) for name, raw in params["requests_of"].items()}
    targets = [request.target(item) for item in params["services"]]
    names = [str(item.get("of") or item["name"]) for item in params["services"]]
    if unknown := sorted(set(own) - set(names)):
        raise TrafficError(
            f"requests_of names {', '.join(unknown)}, which is not among the services",
            reason="smoke_invalid", hint=f"There are: {', '.join(dict.fromkeys(names))}",
        )  # fmt: skip
    door = ways.Door(
        params["gateway_url"], params["header"], params["header_value"], params["validate_certs"], params["ca"] or ""
    )
    provider = Kubernetes(client)
    routes = at_once(targets, provider.observe, lambda failed, count: f"{failed} of {count} routes; nothing was asked")
    found = []
    for name in dict.fromkeys(names):
        mine = [seen for at, seen in zip(names, routes, strict=True) if at == name]
        found.append(_service(client, door, name, own.get(name), common, mine))
    return found


def _service(
    client: Any, door: ways.Door, name: str, own: Sequence[smoke.Request] | None, common: Sequence[smoke.Request],
    routes: Sequence[Seen],
) -> Service:  # fmt: skip
    requests = common if own is None else own
    if not requests:
        return Service(name, [], None, "none is given")
    found: list[ways.Way] = []
    faults: list[TrafficError] = []
    for seen in routes:
        try:
            found.append(ways.way(client, door, seen))
        except TrafficError as fault:
            faults.append(fault)
    # As users come is better than from inside, whichever of its routes shows the way.
    if found:
        return Service(name, requests, min(found, key=lambda item: item.kind != "header"))
    if own:
        raise faults[0]
    return Service(name, [], None, faults[0].msg)


def _ask(call: Call, service: Service, item: smoke.Request) -> smoke.Seen:
    """Ask until the answer is the canary's own: right after its pods are ready a gateway may not know them yet."""
    patience = Deadline(call.clock, call.params["patience"])
    tries = 0
    while True:
        call.stop.check("asking the canaries")
        tries += 1
        began = call.clock.monotonic()
        status, why = _once(service, item)
        took = call.clock.monotonic() - began
        if not why or patience.over or (status and status not in smoke.PASSING):
            seen = smoke.Seen(item, status, not why, why or f"{status} in {took:.2f} s", tries, took)
            call.progress.line(
                Line(call.params["region"], "smoke", service.name, _text(service, seen), "PASS" if not why else "FAIL")
            )
            return seen
        call.clock.sleep(PAUSE, "waiting to ask the canary again")


def _once(service: Service, item: smoke.Request) -> tuple[int, str]:
    """The status, 0 for no answer, and why it is not a good one. What stops the asking itself is raised."""
    key = smoke.new_key(os.urandom(16))
    if service.way is None:
        return 0, service.why
    try:
        answer = service.way.ask(item.path, item.headers(key), item.seconds, smoke.CLOSE if item.websocket else b"")
    except RolloutError as fault:
        if fault.reason in ("kube_forbidden", "kube_unauthorized"):
            # That says nothing of the canary.
            raise
        return int(fault.details.get("status") or 0), fault.msg
    except Exception as fault:
        if not silent(fault):
            raise
        return 0, f"no answer came: {_plain(fault)}"
    headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
    return answer.status, smoke.judge(item, answer.status, headers, key)


def _plain(fault: Exception) -> str:
    """The innermost cause, without the addresses of objects that urllib3 puts around it."""
    seen: BaseException = fault
    while (inner := getattr(seen, "reason", None) or seen.__cause__ or seen.__context__) and isinstance(
        inner, BaseException
    ):
        seen = inner
    return " ".join((str(seen) or type(seen).__name__).split())[:300]


def _planned(item: smoke.Request) -> dict[str, Any]:
    return {"request": str(item), "status": None, "passed": NOT_YET, "seen": NOT_YET, "tries": 0, "seconds": None}


def _told(service: Service, seen: Sequence[smoke.Seen]) -> dict[str, Any]:
    answers = [
        {"request": str(item.request), "status": item.status, "passed": item.passed, "seen": item.seen,
         "tries": item.tries, "seconds": round(item.seconds, 3)}
        for item in seen
    ]  # fmt: skip
    return _entry(service, answers, all(item.passed for item in seen) if seen else None)


def _entry(service: Service, answers: Sequence[Mapping[str, Any]], passed: Any) -> dict[str, Any]:
    way = service.way
    return {
        "service": service.name,
        "way": way.kind if way else "none",
        "way_text": way.text if way else f"not asked: {service.why}",
        "requests": list(answers),
        "passed": passed if way else None,
    }


def _lines(service: Service, seen: Sequence[smoke.Seen]) -> list[str]:
    if not service.way:
        return [f"{service.name}: not asked: {service.why}"]
    return [f"{service.name}: {_text(service, item)}" for item in seen]


def _text(service: Service, item: smoke.Seen) -> str:
    again = f" ({item.tries} tries)" if item.tries > 1 else ""
    return f"{item.request} {service.way.text if service.way else ''}: {item.seen}{again}"


def _failed(bad: Sequence[tuple[Service, smoke.Seen]], count: int, details: Mapping[str, Any]) -> TrafficError:
    service, seen = bad[0]
    return TrafficError(
        f"The canary of {service.name} does not do what a smoke request asks, {_text(service, seen)} "
        f"({len(bad)} of {count} requests failed)",
        reason="smoke_failed",
        hint="No user has met this canary: look at its log, or correct the smoke requests of the service",
        details=details,
    )
