# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What the answer of an HTTP server says, in words and numbers. Pure: no socket, no clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

# Where services put the sentence that explains a refusal, in the order in which it is looked for.
_FIELDS = ("message", "error_description", "error", "errors", "detail", "title", "reason")
_EXCERPT = 500


@dataclass(frozen=True)
class Answer:
    """A whole answer: header names are in lower case, ``elapsed`` is seconds over all tries of the call."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    elapsed: float = 0.0

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    @property
    def kind(self) -> str:
        """Type of the body: json, html, empty or text, by what it looks like; headers lie too often."""
        start = self.text.lstrip("\ufeff \t\r\n")[:100].lower()
        if not start:
            return "empty"
        if start.startswith(("<!doctype html", "<html")) or "text/html" in self.headers.get("content-type", ""):
            return "html"
        return "json" if start[0] in '{["' or "json" in self.headers.get("content-type", "") else "text"


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks to wait: a number of seconds or an HTTP date. None when absent or odd.

    ``now`` is the time in seconds since 1970 by the clock that the date is compared with; a date in the past gives 0.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        # A date without a zone is UTC, as the standard says for its old forms.
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def explain(answer: Answer) -> str:
    """What the body says about a refusal, on one line; for HTML its title. Empty when there is nothing to quote."""
    kind = answer.kind
    if kind == "html":
        title = re.search(r"<title[^>]*>(.*?)</title>", answer.text, re.IGNORECASE | re.DOTALL)
        return f'an HTML page titled "{_line(title[1])}"' if title else "an HTML page"
    if kind == "json":
        try:
            return _line(_from_json(json.loads(answer.text.lstrip("\ufeff"))))
        except (ValueError, RecursionError):
            return _line(answer.text)
    return _line(answer.text)


def _from_json(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, map(_from_json, data)))
    if not isinstance(data, dict):
        return json.dumps(data)
    for field in _FIELDS:
        if data.get(field):
            prefix = f"{data['errorType']}: " if isinstance(data.get("errorType"), str) else ""
            return prefix + _from_json(data[field])
    # Validation errors by field: {"name": ["is too long"]}.
    return "; ".join(f"{key}: {_from_json(value)}" for key, value in data.items())


def _line(text: str) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 3]}..."
