# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of pg_migrate: read and refuse; apply what is pending or undo what was applied; see it on the replicas."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._migrate import expand, files, lint
from ansible_collections.tars.rollout.plugins.module_utils._migrate.files import Migration
from ansible_collections.tars.rollout.plugins.module_utils._migrate.yoyo import APPLIED, TABLE, Yoyo
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._pg_index import options
from ansible_collections.tars.rollout.plugins.module_utils._postgres import added, facts, lag, replicas
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

_LOCK = "hashtextextended('tars.rollout.pg_migrate', 0)"
PAUSE = 0.5


def run(call: Call) -> Mapping[str, Any]:
    """What ``run`` of the module does."""
    migrations = files.read(call.params["path"])
    others = files.read(call.params["other_path"]) if call.params["other_path"] else []
    session = Session(options.address(call.params))
    try:
        facts.check_server(session, allow_pooler=False)
        return _Run(call, session, migrations, others).go()
    finally:
        session.close()


class _Run:
    def __init__(
        self, call: Call, session: Session, migrations: Sequence[Migration], others: Sequence[Migration]
    ) -> None:
        self.call, self.params, self.session, self.migrations = call, call.params, session, migrations
        # Those of the other phase.
        self.others = others
        self.result: dict[str, Any] = {"changed": False, "ran": [], "lint": [], "replicas": []}

    def go(self) -> dict[str, Any]:
        back = self.params["state"] == "rolled_back"
        todo = self._todo(applied(self.session))
        wanted = files.net(self.migrations, self.others, applied(self.session))
        self.result.update(pending=[one.id for one in todo], indexes=wanted, changed=bool(todo))
        if not back:
            self._judge(todo)
        if todo and self.params["max_replication_lag"] is not None:
            seen = lag.check(self.session, self.call.clock, self.params["max_replication_lag"])
            self.result["lag_s"] = seen["lag_s"]
        if todo and not self.call.check_mode:
            with self._alone():
                self._act()
        done = applied(self.session)
        self.result.update(applied=done, version=done[-1] if done else "")
        if not self.call.check_mode:
            self._replicas(done)
        return self.result

    def _todo(self, done: Sequence[str]) -> list[Migration]:
        if self.params["state"] == "rolled_back":
            return files.to_undo(self.migrations, done, self.params["migrations"])
        return files.pending(self.migrations, done)

    def _judge(self, todo: Sequence[Migration]) -> None:
        """Everything that refuses a migration before one of them runs."""
        files.check_constraints(todo)
        if self.params["phase"] == "expand":
            expand.check(todo, self.params["lint_exclude"])
        if self.params["lint"]:
            own = [rule for rule in self.params["lint_exclude"] if not rule.startswith("expand-")]
            exclude = [*lint.COVERED, *own]
            exclude += lint.CONTRACT if self.params["phase"] == "contract" else ()
            squawk = lint.program(self.params["squawk"] or "")
            found = lint.findings(squawk, [one.path for one in todo], self.session.version, exclude)
            self.result["lint"] = found
            lint.check(found)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one run of ours at a time; waiting in the server would be in the way of builds."""
        deadline = Deadline(self.call.clock, self.params["timeout"])
        while not self.session.value(f"SELECT pg_try_advisory_lock({_LOCK})"):
            if deadline.over:
                raise RolloutError(
                    f"Another run migrated this database for {deadline.budget:g} s",
                    reason="locked",
                    hint="See what it does, then run the same command again",
                )
            self.call.clock.sleep(random.uniform(0.2, PAUSE), "waiting for another run that migrates this database")
        try:
            yield
        finally:
            if not self.session.closed:
                self.session.value(f"SELECT pg_advisory_unlock({_LOCK})")

    def _act(self) -> None:
        yoyo = Yoyo(self.session.address, self.params["lock_timeout"])
        try:
            with yoyo.locked(self.params["timeout"]):
                back = self.params["state"] == "rolled_back"
                # Whoever had the lock before may have done it all.
                for one in self._todo(applied(self.session)):
                    self.call.stop.check(f"about to run migration {one.id}")
                    self._one(one, yoyo.undo if back else yoyo.apply)
        finally:
            yoyo.close()
        self.result["changed"] = bool(self.result["ran"])

    def _one(self, one: Migration, act: Callable[[Migration], None]) -> None:
        """With retries: its locks are tried for a short while only, so that nobody queues long behind them."""
        for left in reversed(range(self.params["retries"] + 1)):
            self._tell(one.id, "runs")
            if self.params["state"] == "applied":
                added.migration(self.params["evidence"], one.id)
            try:
                act(one)
            except ServerFault as fault:
                if not (fault.passing and fault.sqlstate and one.transactional and left):
                    fault.fields.update(self.result)
                    raise
                self._tell(one.id, f"{fault.reason}, tries again", "RETRY")
                self.call.clock.sleep(random.uniform(PAUSE, 4 * PAUSE), f"about to try migration {one.id} again")
            else:
                self.result["ran"].append(one.id)
                self._tell(one.id, "done")
                return

    def _replicas(self, done: Sequence[str]) -> None:
        """Their versions are the primary's, once they have replayed it."""
        addresses = options.replicas(self.params)
        if not addresses:
            return
        wish = replicas.barrier(self.session, (), ())
        self._tell("", f"waiting for {len(addresses)} replica(s)")
        seen = replicas.verify(addresses, wish, self.call.clock, self.params["replica_timeout"])
        for entry in seen:
            there = Session(addresses[entry["name"]])
            try:
                own = applied(there)
            finally:
                there.close()
            entry.update(version=own[-1] if own else "", same=own == list(done))
        self.result["replicas"] = seen
        if odd := [entry["name"] for entry in seen if not entry["same"]]:
            raise RolloutError(
                f"Replica {odd[0]} replayed everything and has other migrations on its record than the primary",
                reason="version_differs",
                hint="See whether it is a replica of this database",
                details={"replicas": seen},
            )

    def _tell(self, subject: str, seen: str, result: str = "") -> None:
        self.call.progress.line(Line(self.params["region"], "migrate", subject, seen, result))


def applied(session: Session) -> list[str]:
    """What yoyo has on its record, in order; nothing where it was never used."""
    if session.value("SELECT to_regclass(%(table)s) IS NULL", {"table": TABLE}):
        return []
    return [row["id"] for row in session.rows(APPLIED)]
