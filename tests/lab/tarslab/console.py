# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sees while the lab works: what it is doing, how long that usually takes, how long it took."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from . import files

HEARTBEAT = 30.0
"""Seconds between two reminders of what is still running."""

WORTH_KEEPING = 1.5
"""Seconds below which a step found everything done already, so that its time says nothing about the next one."""


def human(seconds: float) -> str:
    """Return a span as a person writes it: 0.4 s, 12 s, 4 min 05 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Console:
    """Prints steps to stderr, from several threads at once, and remembers how long each took.

    Times are kept in `timings` (a JSON file: step to seconds), so that the next run can say what to expect.
    """

    def __init__(self, timings: Path | None = None, stream: TextIO | None = None) -> None:
        self._file = timings
        self._out = stream or sys.stderr
        self._known: dict[str, float] = {k: float(v) for k, v in files.read_json(timings).items()} if timings else {}
        self._running: dict[str, float] = {}
        self._lock = threading.RLock()
        self._begin = time.monotonic()
        self._spoke = time.monotonic()
        self._ended = threading.Event()

    def say(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            self._spoke = time.monotonic()
            print(text, file=self._out, flush=True)

    def usual(self, key: str, default: float | None = None) -> float | None:
        """Return the seconds that a step took last time on this machine, or what the code expects."""
        return self._known.get(key, default)

    @contextlib.contextmanager
    def step(self, text: str, usual: float | None = None) -> Iterator[None]:
        """Announce a step, and say what it took. `usual` is what to expect where it never ran, in seconds."""
        expect = self.usual(text, usual)
        self.say(f"  {self._stamp()} {text}" + (f" (usually {human(expect)})" if expect and expect >= 3 else ""))
        start = time.monotonic()
        with self._lock:
            self._running[text] = start
        try:
            yield
        except BaseException:
            self.say(f"  {self._stamp()} {text}: stopped after {human(time.monotonic() - start)}")
            raise
        else:
            self._done(text, time.monotonic() - start)
        finally:
            with self._lock:
                self._running.pop(text, None)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Remind the user every now and then of what is still running, as long as the block lasts."""
        self._ended.clear()
        thread = threading.Thread(target=self._watch, name="console", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            with self._lock:
                now = time.monotonic()
                if not self._running or now - self._spoke < HEARTBEAT:
                    continue
                parts = [self._progress(text, now - start) for text, start in self._running.items()]
            self.say(f"  {self._stamp()} ... still: " + "; ".join(parts))

    def _progress(self, text: str, elapsed: float) -> str:
        expect = self.usual(text)
        return f"{text}, {human(elapsed)}" + (f" of about {human(expect)}" if expect else "")

    def _done(self, text: str, seconds: float) -> None:
        self.say(f"  {self._stamp()} {text}: done in {human(seconds)}")
        if seconds < WORTH_KEEPING or self._file is None:
            return
        with self._lock:
            self._known[text] = round(seconds, 1)
            files.write_json(self._file, dict(self._known))

    def _stamp(self) -> str:
        elapsed = int(time.monotonic() - self._begin)
        return f"[{elapsed // 60:2d}:{elapsed % 60:02d}]"
