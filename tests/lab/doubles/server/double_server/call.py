# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request and an answer, free of any HTTP library; and the refusals, in Statuspage's own forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Call:
    """One request."""

    method: str
    path: str
    args: dict[str, str]
    """The parts of the path that the route names (`page_id`, `incident_id`)."""
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    raw: bytes
    parsed: Any = None
    """The body, once it has been read as JSON or form."""
    dropped: bool = False
    """Whether the connection is to be closed without the answer."""
    hang: float = 0.0
    """Seconds to keep the client waiting for the answer."""
    problems: list[str] = field(default_factory=list)
    """What a client did wrong, also where the answer is friendly: the journal shows it."""


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    json: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    """The body in place of `json`, as gateways send it."""
    drop: bool = False
    """Close the connection without an answer."""


class Refused(Exception):
    """An answer of 4xx or 5xx. `problem` goes to the journal, `json` to the client."""

    def __init__(self, status: int, json: Any, problem: str) -> None:
        super().__init__(problem)
        self.reply = Reply(status, json)
        self.problem = problem


def unauthorized(problem: str) -> Refused:
    """401 in the form of the live service (its schema says `message`)."""
    return Refused(401, {"error": "Could not authenticate"}, problem)


def not_found(problem: str) -> Refused:
    """404."""
    return Refused(404, {"message": "The requested resource could not be found."}, problem)


def invalid(errors: Mapping[str, Sequence[str]]) -> Refused:
    """422, one list of sentences per field."""
    told = "; ".join(f"{name} {text}" for name, texts in errors.items() for text in texts)
    return Refused(422, {"error": {name: list(texts) for name, texts in errors.items()}}, told)


def not_yet(problem: str) -> Refused:
    """501: the vendor has this call, the double has not. Loud, so that nobody takes it for `absent`."""
    return Refused(501, {"message": f"The double cannot do this yet: {problem}"}, problem)
