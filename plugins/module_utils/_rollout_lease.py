# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_lease: take it, ask for it, or give it up. Ansible's options in, its result out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster, _guard
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._record import lease as leases
from ansible_collections.tars.rollout.plugins.module_utils._record.entry import next_fence
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import KEEP, REFUSE, WAIT, Candidate, Lease
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import Found, LeaseStore
from ansible_collections.tars.rollout.plugins.module_utils._record.process import from_data
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store

# How the action plugin tells the module which process is the controller: no business of users.
CONTROLLER_VARIABLE = "TARS_ROLLOUT_CONTROLLER"
# Seconds between two looks while somebody else holds it, and between two lines about it.
LOOK = 2.0
TELL = 10.0


def run(call: Call, client: Any = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the client is made from the options when none is given."""
    params = call.params
    client = client or _cluster.connect(call)
    if params["state"] == "checked":
        # One call for whoever has no guard of its own: Helm, creates, messages.
        wish = {key: params[key] for key in ("namespace", "app", "holder", "fence")}
        _guard.guard(client, wish, call.clock).check(params["doing"])
        return _result(params, False, "ours", params["holder"], params["fence"])
    name = _guard.lease_name(params["app"]) + ("-run" if params["scope"] == "run" else "")
    store = LeaseStore(client, params["namespace"], name, call.clock.now)
    if params["state"] == "released":
        return _release(call, store)
    return _hold(call, client, store)


def _hold(call: Call, client: Any, store: LeaseStore) -> Mapping[str, Any]:
    params = call.params
    told = json.loads(os.environ.get(CONTROLLER_VARIABLE) or "{}")
    wish = Candidate(_holder(params, told), params["force"] or "")
    first: Lease | None = None
    said = -TELL
    began = call.clock.monotonic()
    while True:
        found = _guard.steadily(store.read, call.clock)
        _cluster.refuse_skew(client, params["region"])
        decision = leases.decide(found.lease, wish, found.now, first)
        waited = call.clock.monotonic() - began
        if decision.what == REFUSE:
            raise leases.refused(store.where, decision)
        if decision.what != WAIT or call.check_mode:
            try:
                return _take(call, client, store, found, wish, told, decision)
            except leases.LeaseError as error:
                if error.reason != "lease_changed":
                    raise
                # Somebody was quicker: what that means shows in what stands there now.
                continue
        first = first or found.lease
        if waited - said >= TELL:
            said = waited
            _say(call, f"{decision.why}; waits {decision.wait:.0f} s at most", "WAITS")
        call.clock.sleep(min(LOOK, max(0.1, decision.wait)), f"waiting for the {store.where}: {decision.why}")


def _take(
    call: Call, client: Any, store: LeaseStore, found: Found, wish: Candidate, told: Mapping[str, Any],
    decision: leases.Decision,
) -> Mapping[str, Any]:  # fmt: skip
    params, there = call.params, found.lease
    kept = decision.what == KEEP and there is not None
    fence = there.fence if kept and there else _next_fence(params, client, there)
    if call.check_mode:
        return _result(params, not kept, decision.why, wish.holder, fence)
    call.stop.check("about to take the lease")
    if kept:
        store.renew(found)
    else:
        known = from_data(told)
        wanted = Lease(
            wish.holder, float(params["ttl"]), fence=fence, release=params["release"] or "",
            controller=known.data() if known else {}, note=f"by force: {wish.force}" if wish.force else "",
        )  # fmt: skip
        store.take(found, wanted)
        _say(call, decision.why, f"LEASE fence {fence}")
    return _result(params, not kept, decision.why, wish.holder, fence)


def _next_fence(params: Mapping[str, Any], client: Any, there: Lease | None) -> int:
    """1 + the largest number found in record, lease and routes."""
    if params["scope"] == "run":
        return next_fence(there.fence if there else 0)
    record = Store(client, params["namespace"], params["app"]).read().record
    return next_fence(record.fence if record else 0, there.fence if there else 0, params["fence_floor"])


def _release(call: Call, store: LeaseStore) -> Mapping[str, Any]:
    """Only ours, and never a failure: who cannot give it up leaves it to run out."""
    params = call.params
    try:
        found = store.read()
        ours = found.lease is not None and found.lease.holder == params["holder"]
        if ours and not call.check_mode:
            store.release(found)
    except RolloutError as error:
        call.warn(f"The {store.where} was not given up and runs out by itself: {error}")
        ours = False
    return _result(params, ours, "released" if ours else "it was not ours", params["holder"], 0)


def _holder(params: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """The run and its process: the same for all tasks of a run, another one for each start of ansible-playbook."""
    known = from_data(told)
    return f"{params['run_id']}/{known.host}/{known.pid}.{known.start}" if known else str(params["run_id"])


def _result(params: Mapping[str, Any], changed: bool, why: str, holder: str, fence: int) -> dict[str, Any]:
    return {
        "changed": changed,
        "why": why,
        "lease": {"namespace": params["namespace"], "app": params["app"], "holder": holder, "fence": fence},
    }


def _say(call: Call, seen: str, result: str) -> None:
    region = call.params["region"] if call.params["scope"] == "region" else "run"
    call.progress.line(Line(region, "lease", "", seen, result))
