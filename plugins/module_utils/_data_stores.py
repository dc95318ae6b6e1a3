# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What the module data_store_info does: ask PostgreSQL and Redis of a region whether a release may begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._postgres import lag
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Address, Session
from ansible_collections.tars.rollout.plugins.module_utils._redis import RedisAddress, ask
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock

_STANDING = f"""
SELECT pg_is_in_recovery() AS standby, current_setting('server_version') AS version,
  (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND {lag.REPLAYS}) AS streaming
"""


def run(call: Call) -> Mapping[str, Any]:
    """Ask all at once; every store that is not as wanted is named in the failure, and the answers of the others too."""
    questions: list[Callable[[], dict[str, Any]]] = [
        *(partial(_postgresql, entry, call.clock) for entry in call.params["postgresql"]),
        *(partial(_redis, entry) for entry in call.params["redis"]),
    ]
    where = f" of {call.params['region']}" if call.params["region"] else ""
    stores = at_once(
        questions, lambda question: question(), lambda failed, count: f"{failed} of {count} data stores{where}"
    )
    return {"changed": False, "stores": stores}


def _postgresql(entry: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    address = Address(
        entry["host"],
        entry["port"],
        entry["user"] or "",
        entry["password"] or "",
        entry["database"],
        entry["ssl_mode"] or "",
        entry["ca_cert"] or "",
    )
    name = entry["name"] or "PostgreSQL"
    try:
        session = Session(address)
    except IndexFault as fault:
        raise _unfit(name, address.text, fault.msg, "store_unreachable", fault.hint) from None
    try:
        found = session.row(_STANDING) or {}
        role = "standby" if found["standby"] else "primary"
        if role != entry["role"]:
            raise _unfit(name, address.text, f"it is a {role}, and a {entry['role']} is wanted", "store_role")
        streaming = int(found["streaming"])
        if streaming < entry["standbys"]:
            seen = f"{streaming} standbys stream from it, and {entry['standbys']} are wanted"
            raise _unfit(
                name, address.text, seen, "standby_missing", "See why they do not, and whether the login has pg_monitor"
            )
        behind = None
        if role == "primary" and entry["max_lag"] is not None:
            behind = _lag(session, clock, entry["max_lag"], name)
        return {"name": name, "kind": "postgresql", "at": address.text, "role": role, "version": found["version"],
                "standbys": streaming, "lag_s": behind}  # fmt: skip
    except IndexFault as fault:
        raise _unfit(name, address.text, fault.msg, fault.reason, fault.hint) from None
    finally:
        session.close()


def _lag(session: Session, clock: Clock, limit: float, name: str) -> float:
    try:
        return float(lag.check(session, clock, limit)["lag_s"])
    except IndexFault as fault:
        if fault.reason != "replica_behind":
            raise
        hint = "Let them catch up before the release begins, or allow more with max_lag"
        raise _unfit(name, session.address.text, fault.msg, "replica_behind", hint) from None


def _redis(entry: Mapping[str, Any]) -> dict[str, Any]:
    address = RedisAddress(
        entry["host"],
        entry["port"],
        entry["user"] or "",
        entry["password"] or "",
        entry["tls"],
        entry["ca_cert"] or "",
    )
    name = entry["name"] or "Redis"
    found = ask(address)
    role = "replica" if found["role"] == "slave" else found["role"]
    if entry["role"] is not None and role != entry["role"]:
        raise _unfit(name, address.text, f"it is a {role}, and a {entry['role']} is wanted", "store_role")
    return {"name": name, "kind": "redis", "at": address.text, "role": role, "replicas": found["replicas"]}


def _unfit(
    name: str, where: str, seen: str, reason: str, hint: str = "Correct the address or the server"
) -> RolloutError:
    return RolloutError(f"{name} at {where} is not fit for a release: {seen}", reason=reason, hint=hint)
