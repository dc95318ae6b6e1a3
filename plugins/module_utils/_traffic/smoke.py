# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Smoke requests: what is asked of a canary before any user meets it, and what an answer says. Pure.

Of a WebSocket only the opening handshake (RFC 6455, section 4) and a close frame are spoken: that a canary takes it
over is what is asked, not what it says afterwards.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError

REQUEST_OPTIONS: Mapping[str, Any] = {
    "path": {"type": "str", "required": True},
    "websocket": {"type": "bool", "default": False},
    "status": {"type": "list", "elements": "int", "default": []},
    "expect": {"type": "dict", "default": {}},
    "seconds": {"type": "float", "default": 10.0},
}
"""One smoke request, for the argument_spec of a module."""

# Appended to the key by whoever accepts a WebSocket (RFC 6455, section 1.3).
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# A close frame of a client with code 1000, masked as a client must; a mask of zeros changes nothing (section 5.5.1).
CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
# What a proxy answers that does not know the canary's pods yet.
PASSING = (502, 503, 504)


@dataclass(frozen=True)
class Request:
    """One request. ``status``: those that are good, none for 200 to 399; ``expect``: headers of a good answer."""

    path: str
    websocket: bool = False
    status: tuple[int, ...] = ()
    expect: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 10.0

    def __str__(self) -> str:
        return f"{'WebSocket' if self.websocket else 'GET'} {self.path}"

    def headers(self, key: str) -> dict[str, str]:
        """What is sent beside the way's own headers; ``key`` is that of ``new_key``."""
        if not self.websocket:
            return {"Accept": "*/*"}
        return {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": key}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What came of a request: the last answer's status (0: none), in words, how often it was asked."""

    request: Request
    status: int
    passed: bool
    seen: str
    tries: int
    seconds: float


def parse(raw: Any, where: str) -> list[Request]:
    """Requests from entries that Ansible has not checked; TrafficError with what is wrong and ``where``."""
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise _refuse(f"The smoke requests of {where} are {type(raw).__name__} and no list")
    return [_request(item, where) for item in raw]


def new_key(noise: bytes) -> str:
    """The key of a handshake from 16 random bytes."""
    return base64.b64encode(noise).decode()


def accepted(key: str) -> str:
    """What Sec-WebSocket-Accept must say to that key."""
    # The protocol's own use of SHA-1: a check that the other side speaks it, and no secret.
    return base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()


def judge(request: Request, status: int, headers: Mapping[str, str], key: str) -> str:
    """Why the answer is not a good one; empty when it is. Names of ``headers`` are in lower case."""
    if request.websocket:
        if status != 101:
            return f"answered {status}, wanted 101 (switching protocols)"
        if headers.get("upgrade", "").lower() != "websocket":
            return f"switched to {headers.get('upgrade') or 'no protocol'}, wanted websocket"
        if headers.get("sec-websocket-accept") != accepted(key):
            return "switched protocols with a Sec-WebSocket-Accept that does not belong to the key"
    elif request.status:
        if status not in request.status:
            return f"answered {status}, wanted {' or '.join(map(str, request.status))}"
    elif not 200 <= status < 400:
        return f"answered {status}, wanted 200 to 399"
    for name, wanted in request.expect.items():
        if (found := headers.get(name.lower())) != str(wanted):
            return f"answered {status} with {name} {found or 'missing'}, wanted {wanted}"
    return ""


def _request(item: Any, where: str) -> Request:
    if not isinstance(item, Mapping) or not isinstance(item.get("path"), str) or not item["path"].startswith("/"):
        raise _refuse(f"A smoke request of {where} has no path that begins with /")
    if unknown := sorted(set(map(str, item)) - set(REQUEST_OPTIONS)):
        raise _refuse(f"A smoke request of {where} has {', '.join(unknown)}; known are {', '.join(REQUEST_OPTIONS)}")
    status = item.get("status") or []
    wanted = status if isinstance(status, list | tuple) else [status]
    if not all(str(value).isdigit() for value in wanted):
        raise _refuse(f"A smoke request of {where} wants the status {status!r}")
    if not isinstance(item.get("expect") or {}, Mapping):
        raise _refuse(f"A smoke request of {where} expects no headers by name")
    try:
        seconds = float(item.get("seconds", 10.0))
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds <= 60:
        raise _refuse(f"A smoke request of {where} may take {item.get('seconds')!r} seconds, which is not 0 to 60")
    websocket = str(item.get("websocket", False)).lower() in ("true", "yes", "1")
    expect = {str(name): str(value) for name, value in (item.get("expect") or {}).items()}
    return Request(item["path"], websocket, tuple(int(value) for value in wanted), expect, seconds)


def _refuse(msg: str) -> TrafficError:
    return TrafficError(
        msg, reason="smoke_invalid", hint="Such as {path: /health} or {path: /ws, websocket: true}; nothing was asked"
    )
