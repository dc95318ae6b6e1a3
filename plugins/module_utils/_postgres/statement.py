# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One long statement in a thread, watched over a second connection that can cancel it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._postgres import blockers
from ansible_collections.tars.rollout.plugins.module_utils._postgres.blockers import Blocker
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.lag import LagWatch
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Stop

# Seconds between two looks at the progress, and that a cancel may take before we stop waiting for the server.
LOOK = 1.0
CANCEL = 20.0
_PROGRESS = """
SELECT pid, coalesce(phase, '') AS phase, coalesce(current_locker_pid, 0) AS locker,
  CASE WHEN blocks_total > 0 THEN 100.0 * blocks_done / blocks_total
       WHEN tuples_total > 0 THEN 100.0 * tuples_done / tuples_total END::float8 AS percent
FROM pg_stat_progress_create_index WHERE pid = %(pid)s
"""


@dataclass
class Look:
    """What a second look at the running statement saw. ``percent`` of the phase, None where it has no measure.

    ``elapsed`` and ``in_phase`` are seconds, of the statement and of the phase; ``lag`` is empty without replicas.
    """

    phase: str
    percent: float | None
    elapsed: float
    in_phase: float
    blockers: list[Blocker]
    behind: list[dict[str, Any]]
    lag: str

    @property
    def text(self) -> str:
        """As a live line says it."""
        percent = f" {self.percent:.0f} %" if self.percent is not None else ""
        eta = ""
        if self.percent and 1 <= self.percent < 100:
            eta = f", phase ends in about {self.in_phase * (100 - self.percent) / self.percent:.0f} s"
        block = f", held up by {self.blockers[0].text}" if self.blockers else ""
        queue = f", {len(self.behind)} wait behind us" if self.behind else ""
        lag = f", {self.lag}" if self.lag else ""
        return f"{self.phase or 'starts'}{percent}  {self.elapsed:.0f} s{eta}{block}{queue}{lag}"


@dataclass
class Ended:
    """How it ended. ``why`` is empty, ``timeout`` or ``stop``; ``fault`` is the server's."""

    seconds: float = 0.0
    fault: ServerFault | None = None
    why: str = ""
    phase: str = ""
    phases: dict[str, float] = field(default_factory=dict)
    blockers: list[Blocker] = field(default_factory=list)
    # The longest queue that was seen.
    behind: list[dict[str, Any]] = field(default_factory=list)


class Watched:
    """Runs statements on ``worker`` and looks after them on ``monitor``."""

    def __init__(
        self,
        worker: Session,
        monitor: Session,
        clock: Clock,
        stop: Stop,
        show: Callable[[Look], None],
        revive: Callable[[], None],
    ) -> None:
        """``revive`` brings a lost ``monitor`` back, or raises: who cannot look cannot cancel either."""
        self._revive = revive
        self._worker, self._monitor, self._clock, self._stop, self._show = worker, monitor, clock, stop, show
        self._lag = LagWatch(monitor, clock)

    def run(self, statement: str, what: str, tables: Sequence[int], timeout: float, *, drop: bool = False) -> Ended:
        """Run it to its end, or cancel it after ``timeout`` seconds or when told to stop."""
        ended, done, began = Ended(), threading.Event(), self._clock.monotonic()

        def work() -> None:
            try:
                self._worker.run(statement, what)
            except ServerFault as fault:
                ended.fault = fault
            finally:
                done.set()

        thread = threading.Thread(target=work, name="statement", daemon=True)
        thread.start()
        looked = began
        # The first steps are short: a small index must not wait for our clock.
        while not done.wait(min(0.1, 0.005 + (self._clock.monotonic() - began) / 8)):
            now = self._clock.monotonic()
            over = now - began >= timeout
            if self._stop or over or now - looked >= LOOK:
                self._look(ended, tables, now - began, now - looked, drop=drop)
                looked = now
            if self._stop or over:
                ended.why = "stop" if self._stop else "timeout"
                self._cancel(done)
                break
        thread.join(CANCEL)
        ended.seconds = round(self._clock.monotonic() - began, 3)
        if ended.why and ended.fault is None and not thread.is_alive():
            # It was faster than the cancel.
            ended.why = ended.why if ended.why == "stop" else ""
        return ended

    def _look(self, ended: Ended, tables: Sequence[int], elapsed: float, since: float, *, drop: bool) -> None:
        try:
            if self._monitor.closed:
                self._revive()
            seen = self._monitor.row(_PROGRESS, {"pid": self._worker.pid})
            if self._stop:
                ended.phase = seen["phase"] if seen else ended.phase
                return
            found = blockers.look(self._monitor, tables, [self._worker.pid], drop=drop)
            waiting = blockers.behind(self._monitor, self._worker.pid)
            lag = self._lag.look()
        except ServerFault:
            # The build itself goes on or fails by itself; its own fault tells what happened to the server.
            return
        ended.blockers = [one for one in found if one.old]
        ended.behind = max(waiting, ended.behind, key=len)
        phase = seen["phase"] if seen else ""
        ended.phase = phase or ended.phase
        if phase:
            ended.phases[phase] = round(ended.phases.get(phase, 0.0) + since, 3)
        percent = seen["percent"] if seen else None
        self._show(Look(phase, percent, elapsed, ended.phases.get(phase, 0.0), ended.blockers, waiting, lag))

    def _cancel(self, done: threading.Event) -> None:
        """Ask the server to end it, again while it does not listen."""
        for _again in range(3):
            try:
                if self._monitor.closed:
                    self._revive()
                self._monitor.rows("SELECT pg_cancel_backend(%(pid)s)", {"pid": self._worker.pid})
            except ServerFault:
                # The loss is seen at the first word only. Without the server there is nothing to cancel.
                if done.wait(LOOK):
                    return
                continue
            if done.wait(CANCEL / 4):
                return
