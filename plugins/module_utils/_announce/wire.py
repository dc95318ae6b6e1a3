# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How a receiver is reached, and what came of a message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._http import Client, Options
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline


class AnnounceError(RolloutError):
    """A message that cannot be sent as it is, or that a receiver refused."""


def refuse(msg: str, hint: str, reason: str = "message_invalid", **details: Any) -> AnnounceError:
    """The error for a message that does not fit."""
    return AnnounceError(msg, reason=reason, hint=hint, details=details)


@dataclass(frozen=True)
class Outcome:
    """What came of one message. ``ids`` are kept, so that the same message is brought up to date the next time."""

    act: str
    """sent, updated, unchanged, resolved, removed; in check mode what would be done."""
    ids: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return self.act != "unchanged"


@dataclass(frozen=True)
class Wire:
    """What every receiver needs. ``deadline`` is for the whole message, whatever it takes."""

    clock: Clock
    scrubber: Scrubber
    deadline: Deadline
    check_mode: bool = False
    ca: str | None = None
    validate_certs: bool = True
    keep: Callable[[Mapping[str, Any]], None] = lambda ids: None
    """Writes ids down at once: who is interrupted in the middle of a message goes on there, and repeats nothing."""

    def client(self, url: str, secret_headers: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Client:
        """A client whose calls end with the deadline."""
        left = max(0.05, self.deadline.remaining)
        options = Options(
            url,
            headers or {},
            secret_headers,
            ca=self.ca,
            validate_certs=self.validate_certs,
            connect=min(5.0, left),
            read=left,
            budget=left,
        )
        return Client(options, self.clock, self.scrubber)


def digest(data: Any) -> str:
    """A short text that is the same for the same content."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]


def uncertain(fault: RolloutError) -> bool:
    """Whether the receiver may have got the message all the same."""
    return isinstance(fault, HttpError) and (fault.status >= 500 or fault.reason in ("http_timeout", "http_broken"))
