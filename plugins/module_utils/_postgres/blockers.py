# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Who would hold a build or a drop up, and who stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

# Seconds. A transaction that is younger counts only when a second look still finds it.
YOUNG = 1.0
LOOK = 0.5


@dataclass(frozen=True)
class Blocker:
    """One session or prepared transaction. ``kind``: writer, snapshot, prepared, reader (only for a drop)."""

    kind: str
    pid: int
    mode: str
    state: str
    age_s: float
    application: str = ""
    user: str = ""
    query: str = ""
    gid: str = ""
    # Which transaction of that process it is: a busy session has another one at each look and is in nobody's way.
    began: str = ""
    server: str = ""

    @property
    def identity(self) -> tuple[str, int, str, str]:
        return (self.kind, self.pid, self.gid, self.began)

    @property
    def old(self) -> bool:
        """Whether it is more than a short transaction, or its age is hidden from this login."""
        return self.age_s >= YOUNG or not self.state or self.kind == "prepared"

    @property
    def text(self) -> str:
        """For sentences and live lines: which one to talk to."""
        if self.kind == "prepared":
            return f"prepared transaction {self.gid!r} of {self.user}, {self.age_s:.0f} s old"
        who = f"{self.kind} pid {self.pid} ({self.application or 'no application_name'}, {self.user})"
        where = f" on {self.server}" if self.server else ""
        return f"{who}{where}, {self.state or 'state hidden from this login'}, {self.age_s:.0f} s old"


# The strongest lock of a session on the tables; readers' locks matter to a drop only. Without pg_monitor the age of
# another role's transaction is hidden, and what kind of process it is: then only a second look tells that it lasts. An
# autovacuum worker has no user; an ordinary one is ended by PostgreSQL itself after a second.
_SESSIONS = """
SELECT CASE WHEN l.strong THEN 'writer' WHEN %(drop)s AND l.mode IS NOT NULL THEN 'reader' ELSE 'snapshot' END AS kind,
  a.pid, coalesce(l.mode, '') AS mode, coalesce(a.state, '') AS state,
  coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)), 0)::float8
    AS age_s, coalesce(a.xact_start::text, a.backend_xid::text, a.backend_xmin::text, '') AS began,
  coalesce(a.application_name, '') AS application, coalesce(a.usename::text, '') AS "user",
  left(coalesce(a.query, ''), 200) AS query
FROM pg_stat_activity a LEFT JOIN LATERAL (
  SELECT bool_or(l.mode NOT IN ('AccessShareLock', 'RowShareLock')) AS strong,
    (array_agg(l.mode ORDER BY array_position(ARRAY['AccessExclusiveLock', 'ExclusiveLock',
      'ShareRowExclusiveLock', 'ShareLock', 'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock',
      'AccessShareLock'], l.mode)))[1] AS mode
  FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation' AND l.relation = ANY(%(tables)s)
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  ) l ON true
WHERE a.pid <> ALL(%(own)s) AND a.datname = current_database() AND a.leader_pid IS NULL
  AND (a.usesysid IS NOT NULL OR (l.strong AND a.query LIKE '%%(to prevent wraparound)%%'))
  AND (coalesce(l.strong, false) OR (%(drop)s AND l.mode IS NOT NULL)
    OR (NOT %(drop)s AND a.backend_xmin IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_vacuum v WHERE v.pid = a.pid)
      AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index p JOIN pg_index i ON i.indexrelid = p.index_relid
        WHERE p.pid = a.pid AND i.indexprs IS NULL AND i.indpred IS NULL)))
ORDER BY age_s DESC
"""
# A prepared transaction has no process: its locks are found through the lock on its own transaction id.
_PREPARED = """
SELECT 'prepared' AS kind, 0 AS pid, max(l.mode) AS mode, 'prepared' AS state, '' AS application,
  x.owner::text AS "user",
  extract(epoch FROM clock_timestamp() - x.prepared)::float8 AS age_s, '' AS query, x.gid::text AS gid
FROM pg_prepared_xacts x
JOIN pg_locks t ON t.pid IS NULL AND t.locktype = 'transactionid' AND t.transactionid = x.transaction
JOIN pg_locks l ON l.pid IS NULL AND l.virtualtransaction = t.virtualtransaction AND l.locktype = 'relation'
  AND l.relation = ANY(%(tables)s) AND (%(drop)s OR l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
WHERE x.database = current_database() GROUP BY x.gid, x.owner, x.prepared
"""
_BEHIND = """
WITH RECURSIVE w AS (SELECT pid, 1 AS depth FROM pg_stat_activity WHERE %(pid)s = ANY(pg_blocking_pids(pid))
  UNION SELECT a.pid, depth + 1 FROM pg_stat_activity a JOIN w ON w.pid = ANY(pg_blocking_pids(a.pid)) WHERE depth < 5)
SELECT w.pid, left(a.query, 80) AS query FROM w JOIN pg_stat_activity a USING (pid) ORDER BY w.depth, w.pid LIMIT 20
"""


def look(session: Session, tables: Sequence[int], own: Sequence[int], *, drop: bool = False) -> list[Blocker]:
    """All of this moment, however young, the oldest first. ``own``: our processes."""
    arguments = {"tables": list(tables), "own": [session.pid, *own], "drop": drop}
    return [Blocker(**row) for query in (_SESSIONS, _PREPARED) for row in session.rows(query, arguments)]


def readers_on(server: str, session: Session, tables: Sequence[int], clock: Clock) -> list[Blocker]:
    """Who holds a table on a standby: replay of a drop would wait for them, and then end them."""
    return [replace(one, server=server) for one in lasting(session, tables, [], clock, drop=True)]


def behind(session: Session, pid: int) -> list[dict[str, Any]]:
    """Who waits for a process, directly or for one that does."""
    return session.rows(_BEHIND, {"pid": pid})


def lasting(session: Session, tables: Sequence[int], own: Sequence[int], clock: Clock, *, drop: bool) -> list[Blocker]:
    """Those that are older than a moment or that two looks found."""
    first = look(session, tables, own, drop=drop)
    if all(one.age_s >= YOUNG or one.kind == "prepared" for one in first):
        return first
    clock.sleep(LOOK, "looking for open transactions")
    before = {one.identity for one in first}
    return [one for one in look(session, tables, own, drop=drop) if one.identity in before]


@dataclass
class Waited:
    """How a wait ended well: the seconds, and who was in the way before."""

    seconds: float
    seen: list[Blocker]


def wait(
    find: Callable[[], list[Blocker]], clock: Clock, budget: float, what: str, tell: Callable[[list[Blocker]], None]
) -> Waited:
    """Wait until ``find`` finds nobody; raises ``blocked``. ``tell`` gets the blockers."""
    deadline = Deadline(clock, budget)
    seen: list[Blocker] = []
    while found := find():
        tell(found)
        seen = found
        if deadline.over:
            raise blocked(f"{what} would still wait", found, deadline)
        clock.sleep(min(LOOK, deadline.remaining + 0.01), f"waiting for {found[0].text}")
    return Waited(round(deadline.elapsed, 3), seen)


def blocked(begin: str, found: Sequence[Blocker], deadline: Deadline) -> IndexFault:
    """The refusal: who is in the way, after how long."""
    oldest = f"; the oldest: {found[0].text}" if found else ""
    return IndexFault(
        f"{begin} behind {len(found)} open transaction(s) after {deadline.elapsed:.0f} s{oldest}",
        reason="blocked",
        hint="End that transaction, or raise wait_for_blockers",
        fields={"blockers": shown(found), "waited_s": round(deadline.elapsed, 3)},
    )


def shown(found: Sequence[Blocker]) -> list[dict[str, Any]]:
    """For the result."""
    rows = [{**asdict(one), "age_s": round(one.age_s, 3)} for one in found]
    return [{key: value for key, value in row.items() if key != "began"} for row in rows]
