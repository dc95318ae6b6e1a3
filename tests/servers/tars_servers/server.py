# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all servers have in common: a folder, a port, a process, and an end that leaves nothing."""

from __future__ import annotations

import shutil
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

from .errors import ServerError
from .places import Account, free_port, new_folder
from .process import POLL_S, Process

START_S = 120.0
STOP_S = 60.0
PORT_TRIES = 3


class Server(ABC):
    """One server. ``with`` starts it; the end of the block stops it and removes all its files.

    ``port``: None takes a free one, which it then keeps. ``base``: where to make the folder; None takes memory where
    there is room. Every fault is a ServerError with the end of the server's log.
    """

    host = "127.0.0.1"
    prefix = "tars-server-"
    # What the log says when another program has the port.
    port_taken: str
    orphan_signal = signal.SIGTERM

    def __init__(self, port: int | None, base: Path | None = None, account: Account | None = None) -> None:
        self._port = port
        self._base = base
        self._account = account
        self._folder: Path | None = None
        self._process: Process | None = None
        self._created = False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    @abstractmethod
    def what(self) -> str:
        """What it is, at the beginning of a sentence."""

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        if self._port is None:
            raise ServerError(f"{self.what} has no port before its first start.")
        return self._port

    @property
    def folder(self) -> Path:
        """The folder that holds everything of this server."""
        if self._folder is None:
            self._folder = new_folder(self.prefix, self._account, self._base)
        return self._folder

    @property
    def log(self) -> Path:
        """The server's log, of all its starts."""
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """The server's process id; raises ServerError when it was not started."""
        if self._process is None:
            raise ServerError(f"{self.what} does not run.")
        return self._process.pid

    def start(self) -> None:
        """Start it, making its data the first time, and wait until it answers."""
        if self._process is not None:
            return
        if not self._created:
            self._create()
            self._created = True
        ours = self._port is None
        for left in reversed(range(PORT_TRIES if ours else 1)):
            if ours:
                # Free a moment ago: another program may be faster, then it is the next one.
                self._port = free_port()
            try:
                return self._launch()
            except ServerError as error:
                if not left or self.port_taken not in error.log:
                    raise

    def stop(self) -> None:
        """Stop it in order and keep its files."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Stop and start it, on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove every file; harmless when done twice."""
        try:
            self.stop()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder)
                self._folder, self._created = None, False

    @abstractmethod
    def _create(self) -> None:
        """Make the data, before the first start."""

    @abstractmethod
    def _command(self) -> list[str | Path]:
        """Write the settings for this start and return the command line."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it is ready, and really it: another server may sit on the port and ours be about to give up."""

    def _environment(self) -> dict[str, str] | None:
        """Return the server's environment, None for ours."""
        return None

    def _launch(self) -> None:
        process = self._process = Process(
            self.what,
            self._command(),
            folder=self.folder,
            log=self.log,
            account=self._account,
            env=self._environment(),
            orphan_signal=self.orphan_signal,
        )
        try:
            process.wait_ready(self._answers, START_S)
        except BaseException:
            self._end(self.orphan_signal)
            raise

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process:
            process.stop(number, STOP_S)

    def _wait(self, done: Callable[[], bool], otherwise: str, seconds: float) -> None:
        """Wait until ``done()``; after ``seconds`` raise ServerError that says what was not."""
        limit = time.monotonic() + seconds
        while not done():
            if time.monotonic() > limit:
                raise ServerError(f"{self.what} {otherwise} after {seconds:g} s.", self.log)
            time.sleep(POLL_S)
