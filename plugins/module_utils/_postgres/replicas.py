# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Have the replicas got it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres import catalog
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Address, Session
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

LOOK = 0.5
_REPLICA = """
SELECT pg_is_in_recovery() AS standby, pg_last_wal_replay_lsn() >= %(lsn)s::pg_lsn AS reached,
  greatest(0, pg_wal_lsn_diff(%(lsn)s::pg_lsn, pg_last_wal_replay_lsn()))::bigint AS bytes,
  CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS paused
"""
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"


@dataclass(frozen=True)
class Barrier:
    """What a replica must have: all up to ``lsn``, indexes (schema, name) of ``there`` valid, those of ``gone`` not."""

    lsn: str
    there: Sequence[tuple[str, str]]
    gone: Sequence[tuple[str, str]] = ()
    system: str = ""


def barrier(session: Session, there: Sequence[tuple[str, str]], gone: Sequence[tuple[str, str]]) -> Barrier:
    """All that the primary has written up to now."""
    return Barrier(str(session.value("SELECT pg_current_wal_lsn()::text")), there, gone, system(session))


def system(session: Session) -> str:
    """The cluster's own number, which its replicas share; empty where the login may not read it."""
    try:
        return str(session.value(_SYSTEM))
    except ServerFault:
        return ""


def verify(addresses: Mapping[str, Address], wish: Barrier, clock: Clock, budget: float) -> list[dict[str, Any]]:
    """One entry per replica: has it replayed up to the barrier, and are the indexes there as wished?

    Raises ``replica_behind`` with all entries when one is not there in ``budget`` seconds, and at once for what is no
    replica of this primary.
    """
    deadline = Deadline(clock, budget)
    seen = {name: _look(name, address, wish, budget) for name, address in addresses.items()}
    while late := [name for name, entry in seen.items() if not (entry["lsn_reached"] and entry["valid"])]:
        strange = [name for name in late if seen[name].pop("strange", False)]
        if deadline.over or strange:
            name = (strange or late)[0]
            raise IndexFault(
                f"Replica {name} did not have the indexes after {deadline.elapsed:.0f} s: {seen[name]['seen']}",
                reason="replica_behind",
                hint="Correct verify_replicas"
                if strange
                else "The primary has them; see why this replica does not replay, then run the same command again",
                fields={"replicas": list(seen.values())},
            )
        clock.sleep(min(LOOK, deadline.remaining + 0.01), f"waiting for replica {late[0]}")
        seen.update({name: _look(name, addresses[name], wish, deadline.remaining) for name in late})
    return list(seen.values())


def _look(name: str, address: Address, wish: Barrier, seconds: float) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "lsn_reached": False, "valid": False, "lag_bytes": None}
    entry["replay_paused"] = None
    try:
        session = Session(address)
    except ServerFault as fault:
        return {**entry, "seen": fault.msg}
    try:
        # Replay that stops in the middle of a drop holds the catalog's own look up.
        session.set({"statement_timeout": f"{max(1.0, seconds):.0f}s"})
        found = session.row(_REPLICA, {"lsn": wish.lsn}) or {}
        if not found["standby"]:
            return {**entry, "seen": f"{address.text} is not a standby", "strange": True}
        if wish.system and (own := system(session)) and own != wish.system:
            return {**entry, "seen": f"{address.text} is a standby of another primary", "strange": True}
        reached = bool(found["reached"])
        entry.update(lsn_reached=reached, lag_bytes=int(found["bytes"] or 0), replay_paused=found["paused"])
        good = all(_valid(session, *index) for index in wish.there)
        entry["valid"] = reached and good and not any(catalog.named(session, *index) for index in wish.gone)
    except ServerFault as fault:
        return {**entry, "seen": fault.msg}
    finally:
        session.close()
    paused = ", its replay is paused" if entry["replay_paused"] else ""
    behind = f"{entry['lag_bytes']} bytes behind{paused}"
    return {
        **entry,
        "seen": "has all" if entry["valid"] else "it replayed, but has other indexes" if reached else behind,
    }


def _valid(session: Session, schema: str, name: str) -> bool:
    found = catalog.named(session, schema, name)
    index = catalog.by_oid(session, found["oid"]) if found else None
    return index is not None and index.valid
