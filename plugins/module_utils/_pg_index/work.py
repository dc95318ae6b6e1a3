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
from ansible_collections.tars.rollout.plugins.module_utils._postgres.statement import Ended, Look, Watched
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

# Tries of a statement that must not wait long for its lock, and the pause between them in seconds.
TRIES, PAUSE = 15, 0.4
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

    def _prepare(self, session: Session) -> None:
        # Short time-outs of the role protect nobody here: a build that they end leaves an INVALID index.
        settings = {"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}
        settings["idle_session_timeout"] = "0"
        if session.version >= 170000:
            settings["transaction_timeout"] = "0"
        for option in ("maintenance_work_mem", "max_parallel_maintenance_workers"):
            if self.params[option] is not None:
                settings[option] = str(self.params[option])
        session.set(settings)
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
                if self.monitor.closed or not self._answers(self.monitor):
                    self.monitor.close()
                    self.monitor = Session(self.address)
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

    @staticmethod
    def _answers(session: Session) -> bool:
        try:
            return not session.closed and session.value("SELECT 1") == 1
        except ServerFault:
            return False

    # Guards

    def wait_for_blockers(self, tables: Sequence[int], index: str, what: str, *, drop: bool = False) -> float:
        """Seconds waited until nobody is in the way; raises ``blocked``."""

        def tell(found: list[Blocker]) -> None:
            self.tell(index, f"waits for {found[0].text}", f"{len(found)} IN THE WAY")

        own = [self.worker.pid]
        budget = self.params["wait_for_blockers"]
        return blockers.wait(self.monitor, tables, own, self.call.clock, budget, what, tell, drop=drop)

    # Statements

    def quick(self, statements: Sequence[str], what: str) -> None:
        """Statements with a strong lock, in one transaction: short waits and many tries, so that nobody queues long."""
        for left in reversed(range(TRIES)):
            try:
                with self.worker.transaction({"lock_timeout": leftovers.SHORT_LOCK}, end="COMMIT"):
                    for statement in statements:
                        self.worker.run(statement, what)
                return
            except ServerFault as fault:
                if fault.sqlstate not in ("55P03", "40P01") or not left:
                    raise
            self.call.clock.sleep(random.uniform(PAUSE / 2, PAUSE * 2), what)

    def long(self, statement: str, what: str, index: str, tables: Sequence[int], *, drop: bool = False) -> Ended:
        """A statement that may take hours, watched."""

        def show(look: Look) -> None:
            percent = f" {look.percent:.0f} %" if look.percent is not None else ""
            eta = ""
            if look.percent and 1 <= look.percent < 100:
                eta = f", phase ends in about {look.elapsed * (100 - look.percent) / look.percent:.0f} s"
            queue = f", {len(look.behind)} wait behind us" if look.behind else ""
            block = f", held up by {look.blockers[0].text}" if look.blockers else ""
            self.tell(index, f"{look.phase or 'starts'}{percent}  {look.elapsed:.0f} s{eta}{block}{queue}")

        watched = Watched(self.worker, self.monitor, self.call.clock, self.call.stop, show)
        return watched.run(statement, what, tables, self.params["timeout"], drop=drop)

    def build(
        self,
        statement: str,
        schema: str,
        name: str,
        table: Table,
        result: dict[str, Any],
        on_fault: Callable[..., None],
    ) -> None:
        """Build an index to its end, with retries; whatever fails is cleaned up before it is told.

        ``on_fault`` gets the server's fault before it is raised.
        """
        text = f"{schema}.{name}"
        for left in reversed(range(self.params["retries"] + 1)):
            result["attempts"] += 1
            ended = self.long(statement, f"Building index {text}", text, [table.oid])
            result["build_s"] = round(result["build_s"] + ended.seconds, 3)
            result["phases"] = ended.phases
            if ended.fault is None and not ended.why:
                return
            self._after_failure(schema, name, table, ended, result)
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

    def _after_failure(self, schema: str, name: str, table: Table, ended: Ended, result: dict[str, Any]) -> None:
        result["phase_at_cancel"] = ended.phase if ended.why else ""
        result["blockers"] = blockers.shown(ended.blockers)
        result["queue_behind"] = ended.behind
        if ended.why == "stop":
            # Seconds count here: the monitor is at hand, and what is left is taken away at once.
            result["leftover"] = self.clean_up(schema, name, table)
            raise Interrupted(f"building index {schema}.{name}", self.call.stop.why)
        gone = self.worker.pid
        self.recover(table, name)
        deadline = Deadline(self.call.clock, GONE)
        query = "SELECT 1 FROM pg_stat_activity WHERE pid = %(pid)s"
        while gone != self.worker.pid and self.monitor.value(query, {"pid": gone}) and not deadline.over:
            self.call.clock.sleep(0.05, "waiting for the end of the server process")
        result["leftover"] = self.clean_up(schema, name, table)

    def clean_up(self, schema: str, name: str, table: Table) -> str:
        """Take away what a failed build left under a name: ``none``, ``removed`` or ``renamed_aside``."""
        found = catalog.named(self.monitor, schema, name)
        index = catalog.by_oid(self.monitor, found["oid"]) if found else None
        if index is None or index.valid or index.table_oid != table.oid:
            return "none"
        return leftovers.remove(self.monitor, index)
