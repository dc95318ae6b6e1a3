# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubles' time: the machine's, and as much later as a test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


class Clock:
    """Runs by itself and can be moved on."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def reset(self) -> None:
        """The machine's time again."""
        self._ahead = timedelta()

    def move(self, given: dict[str, Any]) -> None:
        """`{"advance": seconds}` or `{"at": "2026-01-31T02:00:00Z"}`, which may lie in the past; ValueError else."""
        if set(given) == {"advance"}:
            self._ahead += timedelta(seconds=float(given["advance"]))
        elif set(given) == {"at"}:
            at = datetime.fromisoformat(str(given["at"]))
            if at.tzinfo is None:
                raise ValueError("the time has no zone")
            self._ahead = at - datetime.now(UTC)
        else:
            raise ValueError("give advance (seconds) or at (a moment)")


def stamp(moment: datetime) -> str:
    """UTC with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
