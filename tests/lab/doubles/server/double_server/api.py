# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plug-in is: one API of one vendor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .call import Call, Refused, Reply
from .clock import Clock

Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class Message:
    """What people would have seen: for the page of the double."""

    place: str
    """Where: a channel, a service, a repository."""
    title: str
    lines: Sequence[str]
    mark: str = ""
    """A status word; the page colours it."""


class Api(ABC):
    """One API. `prefixes` are the beginnings of the paths that belong to it."""

    name: str
    prefixes: Sequence[str]
    contract: str
    """Path of its OpenAPI document."""
    suffix = ""
    """What may stand after every path and means nothing, such as `.json`."""
    lenient = False
    """Whether a request against the contract is only noted, because the plug-in refuses in its own words."""

    def __init__(self, clock: Clock, token: str) -> None:
        self.clock = clock
        self.token = token
        self.strict = True

    @abstractmethod
    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path with `{names}`, and who answers."""

    @abstractmethod
    def admit(self, call: Call) -> None:
        """Refused unless the caller may call."""

    @abstractmethod
    def refuse(self, problem: str) -> Refused:
        """A request that is against the contract, in the vendor's form."""

    @abstractmethod
    def absent(self, problem: str) -> Refused:
        """404 in the vendor's form."""

    @abstractmethod
    def limited(self, wait: int, status: int) -> Reply:
        """The answer to one call too many; `wait` seconds to come back."""

    @abstractmethod
    def start(self, given: Mapping[str, Any]) -> None:
        """Begin anew with what a reset brings for this API; KeyError, TypeError or ValueError where it is odd."""

    @abstractmethod
    def state(self) -> Any:
        """Everything it knows, as JSON."""

    @abstractmethod
    def messages(self) -> Sequence[Message]:
        """What people would have seen, newest first."""

    def moved(self, before: datetime, after: datetime) -> None:
        """Time has passed: do what the service does by itself."""
        return
