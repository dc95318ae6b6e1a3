# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a server, said in plain words."""

from __future__ import annotations

from pathlib import Path

TAIL = 25
"""Lines of a server's log that go into an error."""


class ServerError(Exception):
    """An expected fault: what was tried, what was seen, what to do; then the end of the server's log, if any."""

    def __init__(self, sentence: str, log: Path | None = None) -> None:
        end = tail(log) if log else ""
        super().__init__(f"{sentence} The end of its log:\n{end}" if end else sentence)
        self.sentence = sentence
        self.log = end


class ProgramMissing(ServerError):
    """A server's program is not on this machine and could not be fetched; says what to install or set."""


def tail(log: Path, lines: int = TAIL) -> str:
    """Return the last lines of a log, indented; empty when there is none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
