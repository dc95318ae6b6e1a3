# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes of the demo: each in a session of its own, so that Ctrl-C reaches it only through us, in order."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GRACE_S = 20.0
"""Seconds that a child has to end in order after SIGINT, before it is killed."""

Show = Callable[[str], None]


class Ended(Exception):
    """A child did what makes going on pointless; the text is for a person."""


@dataclass(frozen=True)
class Done:
    """How a child ended: its exit code and every line that it wrote to stdout."""

    code: int
    lines: tuple[str, ...]


def run(argv: list[str], log: Path, show: Show, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Done:
    """Run a program to its end. All it says goes to ``log``; ``show`` is called with each line of stdout and stderr.

    On KeyboardInterrupt the child gets SIGINT, as at a terminal, and is waited for; then the interrupt goes on.
    """
    lines: list[str] = []
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        lock = threading.Lock()

        def read(stream: IO[str], keep: bool) -> None:
            for line in stream:
                text = line.rstrip("\n")
                with lock:
                    file.write(text + "\n")
                    file.flush()
                    if keep:
                        lines.append(text)
                    show(text)

        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            threading.Thread(target=read, args=(process.stdout, True), daemon=True),
            threading.Thread(target=read, args=(process.stderr, False), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            code = process.wait()
        except KeyboardInterrupt:
            _interrupt(process)
            raise
        finally:
            for reader in readers:
                reader.join(GRACE_S)
    return Done(code, tuple(lines))


def _interrupt(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(GRACE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
