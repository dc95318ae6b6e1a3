# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What all indexes of one call share: two connections, the lock between runners, the build with its clean-up."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._postgres import blockers, catalog, leftovers
from ansible_collections.tars.rollout.plugins.module_utils._postgres.blockers import Blocker
from ansible_collections.tars.rollout.plugins.module_utils._postgres.facts import Table
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Address, Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.statement import Ended, Watched
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

# Fewest tries of a statement that must not wait long for its lock, and the pause between them in seconds.
TRIES, PAUSE = 3, 0.4
# Seconds in which a server that restarted must be back, and a process that was ended must be gone.
RECONNECT, GONE = 15.0, 3.0
_LOCK = "hashtextextended('tars.rollout.pg_index_concurrently:' || %(oid)s, 0)"


class Work:
    """The ports of one call. ``monitor`` looks; ``worker`` does what changes something and holds the lock."""

    def __init__(self, call: Call, address: Address) -> None:
        self.call, self.address, self.params = call, address, call.params
        self.monitor = Session(address)
        self._worker: Session | None = None
        self._locked: int | None = None

    @property
    def worker(self) -> Session:
        """Made when first needed: a call that finds everything in order needs none."""
        if self._worker is None:
            self._worker = Session(self.address)
            self._prepare(self._worker)
        return self._worker

    def close(self) -> None:
        for session in (self._worker, self.monitor):
            if session is not None:
                session.close()

    def tell(self, index: str, seen: str, result: str = "") -> None:
        """One live line."""
        self.call.progress.line(Line(self.params["region"], "index", index, seen, result))

    @property
    def settings(self) -> dict[str, str]:
        """What the caller asked for, for the session that builds."""
        names = ("maintenance_work_mem", "max_parallel_maintenance_workers")
        return {name: str(self.params[name]) for name in names if self.params[name] is not None}

    @staticmethod
    def free(session: Session) -> None:
        """Take the role's own limits off: they protect nobody, and a build that they end leaves an INVALID index."""
        names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"]
        names += ["transaction_timeout"] if session.version >= 170000 else []
        # In a transaction that keeps its snapshot a look would be in the way itself.
        session.set({**dict.fromkeys(names, "0"), "default_transaction_isolation": "read committed"})

    def _prepare(self, session: Session) -> None:
        self.free(session)
        if self.settings:
            session.set(self.settings)
        try:
            # So the server ends the build when this process is killed.
            session.set({"client_connection_check_interval": "500ms"})
        except ServerFault:
            self.call.warn("The server cannot notice a client that is gone: a build would outlive a killed run")

    # The lock between runners

    def lock(self, table: Table, index: str) -> None:
        """Take the lock of a table by trying: a runner that waits in the server would stall the other's build."""
        deadline = Deadline(self.call.clock, self.params["timeout"])
        told = False
        while not self.worker.value(f"SELECT pg_try_advisory_lock({_LOCK})", {"oid": str(table.oid)}):
            if not told:
                self.tell(index, f"another run works on table {table.text}", "WAITING")
                told = True
            if deadline.over:
                raise IndexFault(
                    f"Another run worked on table {table.text} for {deadline.budget:g} s",
                    reason="locked",
                    hint="See what it does, then run the same command again",
                )
            self.call.clock.sleep(random.uniform(0.1, 0.3), f"waiting for the run that works on table {table.text}")
        self._locked = table.oid

    def unlock(self) -> None:
        """Give it back; a lost connection has done so already."""
        if self._locked is not None and self._worker is not None and not self._worker.closed:
            try:
                self._worker.rows(f"SELECT pg_advisory_unlock({_LOCK})", {"oid": str(self._locked)})
            except ServerFault as fault:
                self.call.warn(f"The lock could not be given back: {fault}")
        self._locked = None

    def recover(self, table: Table, index: str) -> None:
        """Both connections again after one was lost, and the lock."""
        deadline = Deadline(self.call.clock, RECONNECT)
        while True:
            try:
                if not self._answers(self.monitor):
                    self._revive()
                if self._worker is not None and not self._answers(self._worker):
                    self._worker.close()
                    self._worker = None
                    if self._locked is not None:
                        self.lock(table, index)
                return
            except ServerFault:
                if deadline.over:
                    raise
                self.call.clock.sleep(PAUSE, "connecting again")

    def _revive(self) -> None:
        self.monitor.reopen()
        self.free(self.monitor)

    @staticmethod
    def _answers(session: Session) -> bool:
        try:
            return not session.closed and session.value("SELECT 1") == 1
        except ServerFault:
            return False

    # Guards

    def wait_for_blockers(
        self,
        tables: Sequence[int],
        index: str,
        what: str,
        result: dict[str, Any],
        *,
        drop: bool = False,
        now: bool = False,
    ) -> None:
        """Wait until nobody is in the way; raises ``blocked``. Fills waited_s and blockers of the result."""

        def find() -> list[Blocker]:
            return blockers.lasting(self.monitor, tables, [self.worker.pid], self.call.clock, drop=drop)

        self.wait_for(find, index, what, result, now=now)

    def wait_for(
        self, find: Callable[[], list[Blocker]], index: str, what: str, result: dict[str, Any], *, now: bool = False
    ) -> None:
        """The same with a look of the caller's; with ``now`` without patience."""

        def tell(found: list[Blocker]) -> None:
            self.tell(index, f"waits for {found[0].text}", f"{len(found)} IN THE WAY")

        budget = 0.0 if now else self.params["wait_for_blockers"]
        waited = blockers.wait(find, self.call.clock, budget, what, tell)
        result["waited_s"] = round(result["waited_s"] + waited.seconds, 3)
        if waited.seen:
            result["blockers"] = blockers.shown(waited.seen)

    def wait_until_readable(self, table: Table, index: str, result: dict[str, Any]) -> None:
        """Wait for those who lock a table against readers too; in check mode only say who they are."""

        def find() -> list[Blocker]:
            found = blockers.look(self.monitor, [table.oid], [])
            return [one for one in found if one.mode == "AccessExclusiveLock"]

        self.wait_for(find, index, f"Reading table {table.text}", result, now=self.call.check_mode)

    # Statements

    def quick(self, statements: Sequence[str], what: str, tables: Sequence[int], result: dict[str, Any]) -> None:
        """Statements with a strong lock, in one transaction: short waits and many tries, so that nobody queues long.

        Raises ``blocked`` when ``wait_for_blockers`` seconds of tries were not enough.
        """
        deadline, tries = Deadline(self.call.clock, self.params["wait_for_blockers"]), 0
        while True:
            tries += 1
            try:
                with self.worker.transaction({"lock_timeout": leftovers.SHORT_LOCK}, end="COMMIT"):
                    for statement in statements:
                        self.worker.run(statement, what)
                result["queries"] += statements
                return
            except ServerFault as fault:
                if fault.sqlstate not in ("55P03", "40P01"):
                    raise
                if deadline.over and tries >= TRIES:
                    found = blockers.look(self.monitor, tables, [self.worker.pid], drop=True)
                    raise blockers.blocked(f"{what} waited", found, deadline) from None
            self.call.clock.sleep(random.uniform(PAUSE / 2, PAUSE * 2), what)

    def long(
        self,
        statement: str,
        what: str,
        index: str,
        tables: Sequence[int],
        result: dict[str, Any],
        *,
        drop: bool = False,
    ) -> Ended:
        """A statement that may take hours, watched."""
        result["queries"].append(statement)
        watched = Watched(
            self.worker,
            self.monitor,
            self.call.clock,
            self.call.stop,
            lambda look: self.tell(index, look.text),
            self._revive,
        )
        ended = watched.run(statement, what, tables, self.params["timeout"], drop=drop)
        if len(ended.behind) > len(result["queue_behind"]):
            result["queue_behind"] = ended.behind
        return ended

    def build(
        self,
        statement: str,
        schema: str,
        name: str,
        table: Table,
        result: dict[str, Any],
        on_fault: Callable[..., None],
        base: str,
    ) -> None:
        """Build an index to its end, with retries; whatever fails is cleaned up before it is told.

        ``on_fault`` gets the server's fault before it is raised. ``base``: by which name a later run finds leftovers.
        """
        text = f"{schema}.{name}"
        begin = self.monitor.value("SELECT pg_current_wal_lsn()::text")
        for left in reversed(range(self.params["retries"] + 1)):
            result["attempts"] += 1
            ended = self.long(statement, f"Building index {text}", text, [table.oid], result)
            result["build_s"] = round(result["build_s"] + ended.seconds, 3)
            result["phases"] = ended.phases
            if ended.fault is None and not ended.why:
                wal = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %(begin)s)::bigint"
                result["wal_bytes"] += self.monitor.value(wal, {"begin": begin})
                return
            self._after_failure(schema, name, table, ended, result, base)
            fault = ended.fault
            if ended.why == "timeout":
                raise IndexFault(
                    f"Building index {text} had not ended after {self.params['timeout']:g} s and was cancelled "
                    f"in phase {ended.phase or 'start'}",
                    reason="timeout",
                    hint="See who held it up, or raise timeout; leftover tells what became of the half-built index",
                )
            if fault is None:
                return
            if not fault.passing or not left:
                on_fault(fault)
                raise fault
            self.tell(text, f"{fault.sqlstate or 'connection lost'}, tries again", "RETRY")
            self.call.clock.sleep(random.uniform(0.2, 1.0), f"about to build index {text} again")

    def _after_failure(
        self, schema: str, name: str, table: Table, ended: Ended, result: dict[str, Any], base: str
    ) -> None:
        result["phase_at_cancel"] = ended.phase if ended.why else ""
        result["blockers"] = blockers.shown(ended.blockers)
        if ended.why == "stop":
            # Seconds count here: the monitor is at hand, and what is left is taken away at once.
            result["leftover"] = self.clean_up(schema, name, table, base, result["queries"])
            raise Interrupted(f"building index {schema}.{name}", self.call.stop.why)
        gone = self.worker.pid
        self.recover(table, name)
        deadline = Deadline(self.call.clock, GONE)
        query = "SELECT 1 FROM pg_stat_activity WHERE pid = %(pid)s"
        while gone != self.worker.pid and self.monitor.value(query, {"pid": gone}) and not deadline.over:
            self.call.clock.sleep(0.05, "waiting for the end of the server process")
        result["leftover"] = self.clean_up(schema, name, table, base, result["queries"])

    def clean_up(self, schema: str, name: str, table: Table, base: str, said: list[str]) -> str:
        """Take away what a failed build left under a name: ``none``, ``removed`` or ``renamed_aside``."""
        found = catalog.named(self.monitor, schema, name)
        index = catalog.by_oid(self.monitor, found["oid"]) if found else None
        if index is None or index.valid or index.table_oid != table.oid:
            return "none"
        if leftovers.builder(self.monitor, index) not in (0, self.worker.pid):
            # Somebody else builds it right now, which is why ours failed.
            return "none"
        return leftovers.remove(self.monitor, index, base, said)
