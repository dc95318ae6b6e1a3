# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's process as the test sees it, and the programs that prepare its data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .errors import ServerError
from .places import Account

KEEPER = Path(__file__).with_name("keeper.py")
POLL_S = 0.03


class Process:
    """A running server under its keeper. ``what`` names it in errors, ``folder`` goes when the test is killed."""

    def __init__(
        self,
        what: str,
        argv: Sequence[str | Path],
        *,
        folder: Path,
        log: Path,
        account: Account | None = None,
        env: Mapping[str, str] | None = None,
        orphan_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.what, self.log = what, log
        spec = {
            "argv": [str(part) for part in argv],
            "log": str(log),
            "folder": str(folder),
            "cwd": str(folder),
            "account": account.popen() if account else {},
            "orphan_signal": orphan_signal.name,
        }
        # A session of its own: Ctrl-C in the terminal is for the test, which then ends its servers in order.
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", str(KEEPER), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # The keeper hands it on. Not in its command line, which everybody on the machine can read.
            env=dict(env if env is not None else os.environ),
            start_new_session=True,
        )
        assert self._keeper.stdout and self._keeper.stderr
        first = self._keeper.stdout.readline()
        if not first.strip().isdigit():
            last = self._keeper.stderr.read().strip().splitlines()[-1:] or ["no reason given"]
            self._forget()
            raise ServerError(f"{what} could not be started: {last[0]}.")
        self.pid = int(first)

    @property
    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._keeper.poll() is None

    def stop(self, number: signal.Signals, patience: float) -> None:
        """End the server with a signal; raises ServerError when it had to be killed after ``patience`` seconds."""
        if self._keeper.stdin is None or self._keeper.stdin.closed:
            return
        try:
            out, _errors = self._keeper.communicate(f"{number.name} {patience}\n", timeout=patience + 10)
        except subprocess.TimeoutExpired as error:
            raise ServerError(
                f"{self.what} had not ended {patience + 10:g} s after {number.name}.", self.log
            ) from error
        finally:
            self._forget()
        if "killed" in out:
            raise ServerError(f"{self.what} had not ended {patience:g} s after {number.name} and was killed.", self.log)

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready()``; raises ServerError when the server ends before, or after ``seconds``."""
        began = time.monotonic()
        while self.alive:
            if ready():
                return
            if time.monotonic() - began > seconds:
                raise ServerError(f"{self.what} was not ready after {seconds:g} s.", self.log)
            time.sleep(POLL_S)
        raise ServerError(f"{self.what} ended while it was starting.", self.log)

    def _forget(self) -> None:
        """Close what is left of the keeper; should it still be there, its pipe's end makes it end the server."""
        for stream in (self._keeper.stdin, self._keeper.stdout, self._keeper.stderr):
            if stream:
                stream.close()
        try:
            self._keeper.wait(15)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()


def run(
    what: str,
    argv: Sequence[str | Path],
    *,
    seconds: float,
    cwd: Path,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end, as another account where one is given; return its stdout, raise ServerError."""
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(part) for part in argv],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            cwd=cwd,
            env=dict(env if env is not None else os.environ),
            **(account.popen() if account else {}),
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{what} had not ended after {seconds:g} s and was stopped.") from error
    except OSError as error:
        raise ServerError(f"{what} could not be started: {error}.") from error
    if done.returncode != 0:
        said = "\n".join(f"    {line}" for line in (done.stderr or done.stdout).strip().splitlines()[-12:])
        raise ServerError(f"{what} ended with code {done.returncode}; it said:\n{said}")
    return done.stdout
