# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Have the replicas got it, and how far behind are they? Nothing here trusts a clock of a replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres import catalog
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Address, Session
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

LOOK = 0.1
_STREAMING = """
SELECT application_name::text AS name, coalesce(replay_lsn >= %(lsn)s::pg_lsn, false) AS reached,
  replay_lsn IS NULL AS hidden
FROM pg_stat_replication
"""
_REPLICA = """
SELECT pg_is_in_recovery() AS standby, pg_last_wal_replay_lsn() >= %(lsn)s::pg_lsn AS reached,
  greatest(0, pg_wal_lsn_diff(%(lsn)s::pg_lsn, pg_last_wal_replay_lsn()))::bigint AS bytes,
  CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS paused
"""


def check_lag(session: Session, clock: Clock, limit: float) -> float:
    """Seconds until all streaming replicas have replayed what is written now; ``replica_behind`` above ``limit``.

    An idle primary has no lag, however old its last transaction is; a paused replica never gets there.
    """
    lsn = session.value("SELECT pg_current_wal_lsn()::text")
    deadline = Deadline(clock, limit)
    while True:
        rows = session.rows(_STREAMING, {"lsn": lsn})
        if any(row["hidden"] for row in rows):
            raise IndexFault(
                "The login may not see how far the replicas are",
                reason="missing_rights",
                hint="Grant it pg_monitor, or leave out max_replication_lag",
                fields={"missing": ["membership in pg_monitor"]},
            )
        late = [row["name"] for row in rows if not row["reached"]]
        if not late:
            return round(deadline.elapsed, 3)
        if deadline.over:
            raise IndexFault(
                f"Replica(s) {', '.join(late)} had not replayed within {limit:g} s what the primary had written",
                reason="replica_behind",
                hint="Let them catch up, or raise max_replication_lag; no index was touched",
                fields={"lag_s": round(deadline.elapsed, 3)},
            )
        clock.sleep(min(LOOK, deadline.remaining + 0.01), f"waiting for replica {late[0]}")


def verify(
    addresses: Mapping[str, Address], lsn: str, indexes: Sequence[tuple[str, str]], clock: Clock, budget: float
) -> list[dict[str, Any]]:
    """One entry per replica: has it replayed up to ``lsn``, and are these indexes valid there?

    Raises ``replica_behind`` with all entries when one is not there in ``budget`` seconds.
    """
    deadline = Deadline(clock, budget)
    seen = {name: _look(name, address, lsn, indexes) for name, address in addresses.items()}
    while late := [name for name, entry in seen.items() if not (entry["lsn_reached"] and entry["valid"])]:
        if deadline.over:
            entries = list(seen.values())
            raise IndexFault(
                f"Replica {late[0]} did not have the indexes after {budget:g} s: {seen[late[0]]['seen']}",
                reason="replica_behind",
                hint="The primary has them; see why this replica does not replay, then run the same command again",
                fields={"replicas": entries},
            )
        clock.sleep(min(LOOK * 5, deadline.remaining + 0.01), f"waiting for replica {late[0]}")
        seen.update({name: _look(name, addresses[name], lsn, indexes) for name in late})
    return list(seen.values())


def _look(name: str, address: Address, lsn: str, indexes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": name,
        "lsn_reached": False,
        "valid": False,
        "lag_bytes": None,
        "replay_paused": None,
    }
    try:
        session = Session(address)
    except ServerFault as fault:
        return {**entry, "seen": fault.msg}
    try:
        found = session.row(_REPLICA, {"lsn": lsn}) or {}
        reached = not found["standby"] or bool(found["reached"])
        entry.update(lsn_reached=reached, lag_bytes=int(found["bytes"] or 0), replay_paused=found["paused"])
        if not found["standby"]:
            return {**entry, "lsn_reached": False, "seen": f"{address.text} is not a standby"}
        entry["valid"] = reached and all(_valid(session, *index) for index in indexes)
    except ServerFault as fault:
        return {**entry, "seen": fault.msg}
    finally:
        session.close()
    paused = ", its replay is paused" if entry["replay_paused"] else ""
    text = (
        f"{entry['lag_bytes']} bytes behind{paused}" if not reached else "it replayed, but an index is not valid there"
    )
    return {**entry, "seen": "has all" if entry["valid"] else text}


def _valid(session: Session, schema: str, name: str) -> bool:
    found = catalog.named(session, schema, name)
    index = catalog.by_oid(session, found["oid"]) if found else None
    return index is not None and index.valid
