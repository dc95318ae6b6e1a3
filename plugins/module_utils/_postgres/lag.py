# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How far behind are the replicas? Nothing here trusts a clock of a replica, nor the age of a last transaction.

An idle primary has no lag, however old its last transaction is, and a replica whose replay is paused has one although
it may have received everything.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

LOOK = 0.1
# Remembered positions; at one a second an hour.
MEMORY = 3600
# What replays or will: a standby that has just connected has reported nothing yet, neither written nor replayed; what
# reports that it writes and never that it replays (pg_receivewal and what is built on it) keeps the WAL and no more.
REPLAYS = "(replay_lsn IS NOT NULL OR write_lsn IS NULL)"
# A login without the right sees no state.
_STREAMING = f"""
SELECT application_name::text AS name, coalesce(replay_lsn >= %(lsn)s::pg_lsn, false) AS reached,
  state IS NULL AS hidden, pg_wal_lsn_diff(%(lsn)s::pg_lsn, replay_lsn)::bigint AS bytes
FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' AND {REPLAYS}
"""
_WATCH = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS written,
  pg_wal_lsn_diff(min(replay_lsn), '0/0')::bigint AS replayed FROM pg_stat_replication
"""


def check(
    session: Session, clock: Clock, limit: float, done: str = "nothing was touched", patience: float = 0.0
) -> dict[str, Any]:
    """``lag_s``: seconds until all streaming replicas have replayed what is written now; at most ``limit`` of them.

    ``patience``: seconds in which they may come to that. Raises ``replica_behind`` (``done`` ends its hint), and
    ``missing_rights`` when the login may not see it. ``streaming``: how many there are; a replica that is not connected
    cannot be seen here.
    """
    lsn = session.value("SELECT pg_current_wal_lsn()::text")
    deadline, whole = Deadline(clock, limit), Deadline(clock, patience)
    while True:
        rows = session.rows(_STREAMING, {"lsn": lsn})
        if any(row["hidden"] for row in rows):
            raise IndexFault(
                "The login may not see how far the replicas are",
                reason="missing_rights",
                hint="Grant it pg_monitor, or leave out max_replication_lag",
                fields={"missing": ["membership in pg_monitor"]},
            )
        late = [row for row in rows if not row["reached"]]
        if not late:
            return {"lag_s": round(deadline.elapsed, 3), "streaming": len(rows)}
        if deadline.over and not whole.over:
            # What is written now is another position to reach.
            lsn, deadline = session.value("SELECT pg_current_wal_lsn()::text"), Deadline(clock, limit)
        elif deadline.over:
            names = ", ".join(f"{row['name']} ({_behind(row['bytes'])})" for row in late)
            raise IndexFault(
                f"Replica(s) {names} had not replayed within {limit:g} s what the primary had written",
                reason="replica_behind",
                hint="Let them catch up, or raise max_replication_lag; " + done,
                fields={"lag_s": round(deadline.elapsed, 3), "lag_bytes": max(row["bytes"] or 0 for row in late)},
            )
        clock.sleep(min(LOOK, deadline.remaining + 0.01), f"waiting for replica {late[0]['name']}")


def _behind(size: int | None) -> str:
    return "nothing reported yet" if size is None else f"{size} bytes"


class Positions:
    """Where the primary was, and when."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=MEMORY)

    def text(self, now: float, written: int, replayed: int) -> str:
        """Remember a look and say the lag: the age of the newest remembered position that all have replayed.

        ``now`` in seconds of a clock that never goes back; positions in bytes since the beginning of the log.
        """
        self._seen.append((now, written))
        if replayed >= written:
            return "lag 0 s"
        passed = [at for at, position in self._seen if position <= replayed]
        # Nothing of what is remembered was replayed: the lag is at least that old.
        lag = now - (passed[-1] if passed else self._seen[0][0])
        return f"lag {'' if passed else 'over '}{lag:.0f} s, {written - replayed} bytes"


class LagWatch:
    """The lag of all replicas, look by look."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._positions = Positions()

    def look(self) -> str:
        """For a live line: seconds and bytes together, empty without replicas or without the right to see them."""
        row = self._session.row(_WATCH) or {}
        if row.get("replayed") is None:
            return ""
        return self._positions.text(self._clock.monotonic(), int(row["written"]), int(row["replayed"]))
