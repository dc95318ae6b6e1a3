# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked and answered, for tests and for people; never the key."""

from __future__ import annotations

from collections import deque
from typing import Any

from .call import Call

LENGTH = 10_000
"""Requests that are kept; the oldest go first."""
HIDDEN = "<redacted>"


class Journal:
    """Keeps the requests in their order."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._count = 0
        self._entries: deque[dict[str, Any]] = deque(maxlen=LENGTH)

    def add(self, at: str, call: Call, status: int) -> None:
        """Write one request down together with the status of its answer."""
        self._count += 1
        entry = {
            "number": self._count,
            "at": at,
            "method": call.method,
            "path": call.path,
            "query": [[name, HIDDEN if name == "api_key" else value] for name, value in call.query],
            "headers": {name: self._header(name, value) for name, value in call.headers.items()},
            "body": call.parsed,
            # What could be read as JSON or form is above; the text tells why the rest could not.
            "text": call.raw.decode("utf-8", "replace").replace(self._token, HIDDEN)[:4096]
            if call.parsed is None
            else "",
            "status": status,
            "problems": list(call.problems),
        }
        self._entries.append(self._scrub(entry))

    def clear(self) -> None:
        """Forget everything; numbers start again."""
        self._count = 0
        self._entries.clear()

    def to_json(self) -> dict[str, Any]:
        """All requests, oldest first, and how many of them had something wrong with them."""
        entries = list(self._entries)
        return {"requests": entries, "with_problems": sum(bool(entry["problems"]) for entry in entries)}

    def _header(self, name: str, value: str) -> str:
        if name.lower() not in ("authorization", "proxy-authorization", "cookie"):
            return value
        # The scheme word is what clients get wrong, so it is shown; a key without one is not taken for it.
        scheme, sep, _rest = value.partition(" ")
        return f"{scheme} {HIDDEN}" if sep else HIDDEN

    def _scrub(self, value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(self._token, HIDDEN)
        if isinstance(value, dict):
            hidden = {"routing_key": HIDDEN}
            return {self._scrub(name): hidden.get(name) or self._scrub(part) for name, part in value.items()}
        return [self._scrub(part) for part in value] if isinstance(value, list) else value
