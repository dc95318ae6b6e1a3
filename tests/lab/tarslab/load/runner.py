# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open loop: request i leaves at start + i / rps, whatever became of the requests before it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tarslab.load import outcome as oc
from tarslab.load.plan import Draw, Plan, PlanError
from tarslab.load.record import Record
from tarslab.load.sender import Sender
from tarslab.load.summary import Summary
from tarslab.load.websockets import Keeper

Progress = Callable[[float, Summary, int], None]
"""Called every PROGRESS seconds with: seconds since the start, the counts so far, requests in flight."""

PROGRESS = 5.0
_FILES_BESIDE = 64


def run(plan: Plan, out: Path | None = None, progress: Progress | None = None) -> Summary:
    """Carry a plan out and return its counts; blocks until the last answer.

    In the main thread SIGINT and SIGTERM end the run early: nothing new is sent, answers are waited for; a second
    signal gives those up. `out` gets one JSON line per request (see `record`).
    """

    async def main() -> Summary:
        stop = Stop()
        with stop.on_signals():
            return await run_async(plan, out, progress, stop)

    return asyncio.run(main())


class Stop:
    """Asked once: send nothing new. Asked twice: do not wait for answers either."""

    def __init__(self) -> None:
        self.soon = asyncio.Event()
        self.now = asyncio.Event()

    def ask(self) -> None:
        """End the run; may be called from the loop's thread only."""
        (self.now if self.soon.is_set() else self.soon).set()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Ask on SIGINT and SIGTERM. Outside the main thread signals are not ours: nothing is changed."""
        loop = asyncio.get_running_loop()
        taken: list[signal.Signals] = []
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                try:
                    loop.add_signal_handler(number, self.ask)
                except (RuntimeError, ValueError):
                    break
                taken.append(number)
            yield
        finally:
            for number in taken:
                loop.remove_signal_handler(number)


async def run_async(
    plan: Plan, out: Path | None = None, progress: Progress | None = None, stop: Stop | None = None
) -> Summary:
    """The same inside a running loop; `stop` ends it early."""
    _allow_files(plan)
    with Record(out) as record:
        return await _Run(plan, record, stop or Stop()).run(progress)


class _Run:
    def __init__(self, plan: Plan, record: Record, stop: Stop) -> None:
        self._plan = plan
        self._record = record
        self._stop = stop
        self._summary = Summary(timeout=plan.timeout)
        self._flying: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None
        self._start = 0.0

    async def run(self, progress: Progress | None) -> Summary:
        cpu = time.process_time()
        async with Sender(self._plan) as sender:
            self._start = time.monotonic()
            self._record.begin(time.time())
            keepers = [asyncio.create_task(self._keep(draw)) for draw in self._plan.websocket_draws()]
            ticker = asyncio.create_task(self._tick(progress))
            try:
                await self._send_all(sender)
                await self._land()
            finally:
                for task in (ticker, *keepers):
                    task.cancel()
                ends = await asyncio.gather(ticker, *keepers, return_exceptions=True)
        self._summary.elapsed = time.monotonic() - self._start
        self._summary.cpu = time.process_time() - cpu
        for end in (self._broken, *ends):
            if isinstance(end, Exception):  # a bug of ours; cancelled tasks are none
                raise end
        return self._summary

    async def _send_all(self, sender: Sender) -> None:
        for number, draw in zip(range(self._plan.total), self._plan.draws(), strict=False):
            due = self._start + self._plan.due(number)
            # Overdue requests leave at once, one after the other; the loop gets its turn in between.
            wait = due - time.monotonic()
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.soon.wait(), wait)
            elif number % 10 == 0:
                await asyncio.sleep(0)
            if self._stop.soon.is_set() or self._broken is not None:
                self._summary.interrupted = self._stop.soon.is_set()
                return
            if len(self._flying) >= self._plan.bound:
                detail = f"{len(self._flying)} requests in flight"
                self._count(draw, due, due, oc.Result(oc.UNSENT, detail=detail), 0.0)
                continue
            task = asyncio.create_task(self._one(sender, draw, due))
            self._flying.add(task)
            task.add_done_callback(self._landed)

    async def _one(self, sender: Sender, draw: Draw, due: float) -> None:
        sent = time.monotonic()
        try:
            result = await sender.send(draw)
        except asyncio.CancelledError:
            result = oc.Result(oc.UNFINISHED)
        self._count(draw, due, sent, result, time.monotonic() - sent)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._broken = self._broken or task.exception()

    async def _land(self) -> None:
        """Wait for the answers that are still out (none takes longer than the time-out), or for a second signal."""
        giving_up = asyncio.create_task(self._stop.now.wait())
        while self._flying and not giving_up.done():
            await asyncio.wait({*self._flying, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        giving_up.cancel()
        for task in self._flying:
            task.cancel()
        await asyncio.gather(giving_up, *self._flying, return_exceptions=True)

    def _count(self, draw: Draw, due: float, sent: float, result: oc.Result, took: float) -> None:
        lag = max(0.0, sent - due)
        self._summary.request(draw.region, draw.service, draw.kind, result, lag, took)
        self._record.add(due - self._start, draw, result, took, lag_ms=round(lag * 1000, 2))

    async def _keep(self, draw: Draw) -> None:
        def report(draw: Draw, begun: float, shake: float, open_s: float, result: oc.Result, lines: int) -> None:
            self._summary.websocket(draw.service, result, lines)
            self._record.add(begun - self._start, draw, result, shake, open_s=round(open_s, 3), lines=lines)

        await Keeper(self._plan, draw, report).keep()

    async def _tick(self, progress: Progress | None) -> None:
        while True:
            await asyncio.sleep(PROGRESS)
            self._record.flush()
            if progress is not None:
                progress(time.monotonic() - self._start, self._summary, len(self._flying))


def _allow_files(plan: Plan) -> None:
    """Raise the soft limit of open files to what the plan may need; refuse the plan when the hard limit is lower."""
    wanted = plan.bound + plan.websockets + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise PlanError(
            f"this run may need {wanted} open files and this user may have {hard}; "
            "raise the limit (ulimit -Hn), or ask for fewer requests in flight (--max-in-flight) or a shorter --timeout"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
