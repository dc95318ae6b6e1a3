# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The ledger: what happened in a rollout, in order, as JSON lines in a file on the controller.

Announcements, the report and people read it. It tells a story and decides nothing: what is true is in the record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError


@dataclass(frozen=True)
class Event:
    """One thing that happened. ``at``: UTC as 2026-01-31T12:00:00.123Z; ``kind`` is a word such as phase or weights."""

    at: str
    region: str
    release: str
    kind: str
    subject: str = ""
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Ledger:
    """Appends events to a file, which regions at work at the same time may share; with no path it does nothing."""

    def __init__(self, path: str = "", scrub: Callable[[Any], Any] = lambda data: data) -> None:
        """``scrub`` takes secrets out of the whole event."""
        self._path = path
        self._scrub = scrub
        self.problem = ""

    def add(self, event: Event) -> None:
        """Append one line with one write, so lines never mix and a kill leaves whole ones.

        A ledger that cannot be written stops no rollout and no rollback: ``problem`` says so once.
        """
        if not self._path or self.problem:
            return
        line = json.dumps(self._scrub(asdict(event)), sort_keys=True) + "\n"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError as error:
            self.problem = f"The ledger {self._path} cannot be written: {error.strerror}"


def read(path: str) -> list[Event]:
    """All events in their order. A last line that a kill left unfinished is no event; any other odd line is a fault."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, str(error)) from None
    events = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            events.append(Event(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise _unreadable(path, f"line {number} is no event ({error})") from None
    return events


def _unreadable(path: str, seen: str) -> RolloutError:
    return RolloutError(
        f"The ledger {path} cannot be read: {seen}",
        reason="ledger_unreadable",
        hint="Move the file away; the record of the region does not depend on it",
    )
