# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of rollout_record_info: all regions at once, as rows and as a table; and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster, _drift, _guard
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._record import order, overview
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store
from ansible_collections.tars.rollout.plugins.module_utils._values import moment


@dataclass(frozen=True)
class Look:
    """What was found in one region; ``fault`` when it could not be read.

    ``finished``: promoted as was asked for; ``drift``: what is not as it was left then.
    """

    place: Mapping[str, Any]
    record: Record | None = None
    lease: Lease | None = None
    now: float = 0.0
    fault: RolloutError | None = None
    finished: bool = False
    drift: tuple[str, ...] = ()


Connect = Callable[[Call, Mapping[str, Any]], Any]


def run(call: Call, connect: Connect = _cluster.connect_to) -> Mapping[str, Any]:
    """What ``run`` of the module does; ``connect`` makes the client of a region."""
    places = call.params["regions"]
    if not places:
        return {"changed": False, "regions": [], "table": [], "turn": _turn(call, [])}

    def look(place: Mapping[str, Any]) -> Look:
        try:
            client = connect(call, place)
            record = Store(client, place["namespace"], place["app"]).read().record
            lease = LeaseStore(client, place["namespace"], _guard.lease_name(place["app"]), call.clock.now).read()
            finished, drift = _finished(call, client, place, record)
            return Look(place, record, lease.lease, lease.now, None, finished, drift)
        except RolloutError as error:
            return Look(place, fault=error)

    with ThreadPoolExecutor(min(16, len(places))) as pool:
        looks = list(pool.map(look, places))
    rows = [_row(call, item) for item in looks]
    return {
        "changed": False,
        "regions": [_entry(item, row) for item, row in zip(looks, rows, strict=True)],
        "table": overview.table(rows),
        "turn": _turn(call, looks),
    }


def _finished(call: Call, client: Any, place: Mapping[str, Any], record: Record | None) -> tuple[bool, tuple[str, ...]]:
    wish = call.params["finished"]
    if wish is None or record is None or order.unlike(place["name"], record, wish["release"], wish["plan_hash"]):
        return False, ()
    return True, tuple(_drift.drift(client, place["namespace"], record, wish["image_tag"] or ""))


def _row(call: Call, item: Look) -> overview.Row:
    name, host = item.place["name"], item.place["host"] or item.place["name"]
    if item.fault is not None:
        return overview.Row(name, phase=f"unreadable: {item.fault.msg}")
    return overview.row(name, host, item.record, item.lease, item.now, call.params["words"])


def _entry(item: Look, row: overview.Row) -> dict[str, Any]:
    record = asdict(item.record) if item.record else None
    if record is not None:
        record["history"] = record["history"][-20:]
    return {
        "name": item.place["name"],
        "record": record,
        "holder": item.lease.holder if item.lease else "",
        "expired": bool(item.lease and item.lease.expired(item.now)),
        "command": row.command,
        "finished": item.finished,
        "drift": list(item.drift),
        "fault": "" if item.fault is None else str(item.fault),
        "reason": "" if item.fault is None else item.fault.reason,
    }


def _turn(call: Call, looks: list[Look]) -> dict[str, Any] | None:
    """Whether a region may begin after these. One that cannot be read is not promoted."""
    wish = call.params["turn"]
    if wish is None:
        return None
    faults = [f"{item.place['name']} cannot be read ({item.fault.msg})" for item in looks if item.fault is not None]
    if faults:
        return {"may": False, "wait": 0.0, "begins": "", "why": "; ".join(faults)}
    now = max([call.clock.now(), *(item.now for item in looks)])
    before = [(str(item.place["name"]), item.record) for item in looks]
    found = order.turn(before, wish["release"], wish["plan_hash"], now, wish["gap"], wish["hours"])
    if found.begins is None:
        return {"may": False, "wait": 0.0, "begins": "", "why": found.why}
    return {"may": True, "wait": round(found.begins - now, 1), "begins": moment(found.begins), "why": found.why}
