# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted, RolloutError

_LONGEST_POLL = 86400.0  # seconds


class Stop:
    """Tells long work to end at its next safe point. Set from a signal handler or from any thread, once and for good.

    A pipe and not a ``threading.Event``: an event's lock can deadlock when a signal handler sets it while the same
    thread is about to wait for it. Writing one byte is safe everywhere, and wakes every waiter at once.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self.why = ""

    def __del__(self) -> None:
        os.close(self._reader)
        os.close(self._writer)

    def __bool__(self) -> bool:
        """Whether to stop."""
        return bool(self.why)

    def set(self, why: str) -> None:
        """Ask for the end. ``why`` completes a sentence: "Stopped while building indexes: <why>"."""
        if not self.why:
            self.why = why
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> bool:
        """Sleep that long, less when stopped meanwhile. Says whether to stop."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        end = time.monotonic() + seconds
        # In parts: poll() counts milliseconds in a C int, which holds less than 25 days.
        while not poll.poll(min(_LONGEST_POLL, max(0.0, end - time.monotonic())) * 1000) and time.monotonic() < end:
            pass
        return bool(self)

    def check(self, doing: str) -> None:
        """Raise Interrupted when asked to stop. ``doing`` completes "Stopped while <doing>"."""
        if self:
            raise Interrupted(doing, self.why)


class Clock(Protocol):
    """Time as it is handed to everything that waits, so that tests wait for nothing."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""

    def now(self) -> float:
        """Seconds since 1970 UTC, as the machine believes."""

    def sleep(self, seconds: float, doing: str) -> None:
        """Let the time pass. Raises Interrupted when asked to stop before or meanwhile."""


class SystemClock:
    """The machine's own time; its sleep ends early, with Interrupted, when ``stop`` is set."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float, doing: str) -> None:
        self._stop.wait(seconds)
        self._stop.check(doing)


class Deadline:
    """A budget of seconds that began when it was made."""

    def __init__(self, clock: Clock, budget: float) -> None:
        if not 0 <= budget < float("inf"):
            raise ValueError(f"a budget must be a finite number of seconds, not {budget}")
        self._clock = clock
        self._start = clock.monotonic()
        self.budget = budget

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock.monotonic() - self._start

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.budget - self.elapsed)

    @property
    def over(self) -> bool:
        return self.remaining <= 0


@dataclass(frozen=True)
class Observation:
    """One look at the world: whether it is as wanted, what was seen (for a person), and the value for the caller."""

    done: bool
    seen: str
    value: Any = None


@dataclass(frozen=True)
class Waited:
    """How a wait ended well: the last observation, how many looks it took, and the seconds."""

    last: Observation
    attempts: int
    elapsed: float


class WaitTimeout(RolloutError):
    """The budget of a wait is spent. The sentence and the details carry what was seen last."""


def wait_for(
    what: str,
    look: Callable[[], Observation],
    *,
    clock: Clock,
    budget: float,
    interval: float,
    reason: str = "timeout",
    hint: str = "",
) -> Waited:
    """Look again and again until it is as wanted; ``what`` completes "Waited for <what>".

    The first look is made at once and the last one when the budget ends, so a thing that came true in the last
    interval is seen. Sleeps never go beyond the budget. Seconds everywhere. An error of ``look`` ends the wait: whoever
    looks decides which faults are only "not yet".
    """
    if interval <= 0:
        raise ValueError(f"an interval must be above zero seconds, not {interval}")
    deadline = Deadline(clock, budget)
    attempts = 0
    while True:
        final = deadline.over
        attempts += 1
        seen = look()
        if seen.done:
            return Waited(seen, attempts, deadline.elapsed)
        if final:
            raise WaitTimeout(
                f"Waited {budget:g} s for {what} and it did not come true; last seen: {seen.seen}",
                reason=reason,
                hint=hint,
                details={"last_seen": seen.seen, "attempts": attempts, "elapsed": round(deadline.elapsed, 3)},
            )
        clock.sleep(min(interval, deadline.remaining), f"waiting for {what}, last seen: {seen.seen}")
