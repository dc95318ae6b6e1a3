# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass

# How the action plugin of the same name tells the module where to write. Not an option of the module: it is no
# business of users, and a module that is called without its action plugin simply shows no lines.
PATH_VARIABLE = "TARS_ROLLOUT_PROGRESS_FILE"


@dataclass(frozen=True)
class Line:
    """One live line. These fields and no others reach the terminal; each is shown as it is, empty ones are left out.

    >>> Line("us-west-2", "backend[1] 10 %", "api", "error_rate 23/378 (6.1 %)", "ROLLBACK")
    """

    region: str
    step: str
    subject: str = ""
    seen: str = ""
    result: str = ""


class Progress:
    """Appends live lines, as JSON, to the file that the action plugin reads; without a path it does nothing.

    Showing lines is a comfort: when it does not work, ``problem`` says so once and the work goes on.
    """

    def __init__(self, path: str = "", scrub: Callable[[str], str] = str) -> None:
        """``scrub`` takes secrets out of every field; live lines do not pass Ansible's own no_log filter."""
        self._scrub = scrub
        self._lock = threading.Lock()
        self._file: int | None = None
        self.problem = ""
        if path:
            self._guarded(lambda: self._open(path))

    def line(self, line: Line) -> None:
        """Show it, from any thread. One write per line, so lines of threads never mix and a kill leaves whole ones."""
        record = {key: self._scrub(value) for key, value in asdict(line).items() if value}
        data = (json.dumps(record) + "\n").encode()
        with self._lock:
            if (file := self._file) is not None:
                self._guarded(lambda: os.write(file, data))

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _open(self, path: str) -> None:
        # Never created here: the reader made it, for its own user only.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            self.problem = f"Live lines are not shown: {error.strerror} ({error.filename or 'while writing'})"
            if self._file is not None:
                os.close(self._file)
                self._file = None
