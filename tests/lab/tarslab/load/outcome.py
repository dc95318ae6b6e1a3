# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can become of a request, and how an answer or an exception is named."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

OK = "ok"
CONNECT_ERROR = "connect_error"
"""No connection came about: refused, unreachable."""
RESET = "reset"
"""The connection ended before the whole answer was there."""
TIMEOUT = "timeout"
"""No whole answer within the plan's time-out (connecting included)."""
HTTP_5XX = "http_5xx"
HTTP_4XX = "http_4xx"
HTTP_OTHER = "http_other"
"""Neither 2xx, 4xx nor 5xx, or not HTTP at all."""
NO_VERSION = "no_version"
"""A 2xx answer without the header x-version: whoever answered was not a service of T.A.R.S."""
WRONG_SERVICE = "wrong_service"
"""A 2xx answer whose header x-service names another service than the one that was asked."""
UNSENT = "unsent"
"""Due, but not sent: as many requests as the plan allows were waiting for their answers."""
CUT = "cut"
"""WebSockets only: an open connection was ended by the other side. A roll of pods does that once to every client."""
OWN_LIMIT = "own_limit"
"""This machine ran out of local ports or open files: says nothing about the system under load."""
UNFINISHED = "unfinished"
"""Still without an answer when the user ended the run for the second time."""

FAILURES = (
    CONNECT_ERROR,
    RESET,
    TIMEOUT,
    HTTP_5XX,
    HTTP_4XX,
    HTTP_OTHER,
    NO_VERSION,
    WRONG_SERVICE,
    UNSENT,
)
"""Outcomes that count as failures of the system under load."""

_OWN_LIMITS = {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


@dataclass(frozen=True, slots=True)
class Result:
    """The end of one request."""

    outcome: str
    version: str = ""
    """The answer's x-version; empty when there was none."""
    status: int = 0
    """The answer's HTTP status; 0 without an answer."""
    detail: str = ""
    """For failures: a few words on what was seen."""


def of_answer(status: int, headers: Mapping[str, str], service: str, body: bytes = b"") -> Result:
    """Name a whole answer of `service` by its status and its headers (looked up without regard to case).

    The beginning of an error's `body` is kept: a gateway says there why it could not reach a pod.
    """
    version = headers.get("x-version", "")
    if status >= 400:
        detail = " ".join(body[:200].decode("utf-8", "replace").split())[:120]
        return Result(HTTP_5XX if status >= 500 else HTTP_4XX, version, status, detail)
    if not 200 <= status < 300:
        return Result(HTTP_OTHER, version, status)
    if not version:
        return Result(NO_VERSION, version, status)
    answered = headers.get("x-service", service)
    if answered != service:
        return Result(WRONG_SERVICE, version, status, f"answered by {answered}")
    return Result(OK, version, status)


def of_error(error: BaseException, version: str = "", status: int = 0) -> Result:
    """Name what the client raised. `version` and `status` are given when the answer's head had already arrived.

    Raises the error again when it is none that a network can cause: that is a bug, never an outcome.
    """
    if isinstance(error, OSError) and error.errno in _OWN_LIMITS:
        return Result(OWN_LIMIT, version, status, _words(error))
    if isinstance(error, TimeoutError):
        return Result(TIMEOUT, version, status)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Result(CONNECT_ERROR, version, status, _words(error))
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | ConnectionError):
        return Result(RESET, version, status, _words(error))
    if isinstance(error, aiohttp.ClientError):
        return Result(HTTP_OTHER, version, status, _words(error))
    raise error


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:160] if text else type(error).__name__
