# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Faults of HTTP calls in words: what was called, what came back, what to do. No network here."""

from __future__ import annotations

import ssl
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer, explain
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber

_REFUSALS = {
    400: ("http_bad_request", "The server does not understand the request: check the options that went into it"),
    401: ("http_unauthorized", "Check the token or password, and that it is meant for this server"),
    403: ("http_forbidden", "The login is known but may not do this: ask for the permission"),
    404: ("http_not_found", "Check the address and the names in it"),
    420: ("http_rate_limited", "Too many calls for this token: wait, or raise the budget of the call"),
    422: ("http_rejected", "The server refuses these values: see what it says"),
    429: ("http_rate_limited", "Too many calls for this token: wait, or raise the budget of the call"),
}

# Answers that may say when to come back.
_LATER = frozenset({420, 429, 503})


class HttpError(RolloutError):
    """A call that did not bring what was asked for. ``status`` is 0 when no answer came."""

    def __init__(self, msg: str, *, reason: str, hint: str, url: str, answer: Answer | None = None) -> None:
        details: dict[str, Any] = {"url": url, "status": answer.status if answer else 0}
        if answer is not None:
            details["body"] = answer.text[:1000]
        super().__init__(msg, reason=reason, hint=hint, details=details)
        self.status = answer.status if answer else 0


class Silent(Exception):
    """No usable answer came: the transport failed. Knows whether the request can have reached the server."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause
        chain = _chain(cause)
        names = {type(error).__name__ for error in chain}
        self.tls = any(isinstance(error, ssl.SSLError) for error in chain) or "SSLError" in names
        self.timeout = bool(names & {"ConnectTimeout", "ReadTimeout", "ReadTimeoutError", "TimeoutError"})
        self.sent = not names & {"ConnectTimeout", "NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}
        # A ValueError is an address or a header that will never do.
        self.passing = not self.tls and not isinstance(cause, ValueError)

    def error(self, scrubber: Scrubber, what: str) -> HttpError:
        deepest = _chain(self.cause)[-1]
        seen = str(deepest) or type(deepest).__name__
        if isinstance(deepest, UnicodeError):
            # What it says would tell a character of the token.
            seen = "the address or a header has characters that cannot be sent"
        if self.tls:
            reason, hint = "http_tls", "Check the certificate, the CA bundle and the name in the address"
        elif isinstance(self.cause, ValueError):
            reason, hint = "http_invalid", "Check the address, and the token for characters that no header may have"
        elif self.timeout:
            reason, hint = "http_timeout", "Check the network to the server, or give it more time"
        elif not self.sent:
            reason, hint = (
                "http_unreachable",
                "Check the address, that the server runs, and firewalls",
            )
        else:
            reason, hint = "http_broken", "The server or a proxy closed the connection: look at its log and try again"
        what = scrubber.text(what)
        text = scrubber.text(f"{what} got no answer: {seen}")
        return HttpError(text, reason=reason, hint=hint, url=what.partition(" ")[2])


def refused(scrubber: Scrubber, method: str, answer: Answer) -> HttpError:
    """The fault for an answer that is none of the wanted ones."""
    reason, hint = _REFUSALS.get(answer.status, ("http_status", "Look at the server's own log for this request"))
    said = explain(answer)
    seen = f"HTTP {answer.status}{f': {said}' if said else ' with an empty body'}"
    if answer.status in _LATER:
        after = " ".join(answer.headers.get("retry-after", "").split())
        seen += f" (Retry-After: {after[:40]})" if after else " (without a Retry-After)"
    text = scrubber.text(f"{method} {answer.url} was answered {seen}")
    return HttpError(text, reason=reason, hint=hint, url=answer.url, answer=answer)


def redirected(what: str, target: str, answer: Answer) -> HttpError:
    return HttpError(
        f"{what} was redirected to {target}, which is not followed",
        reason="http_redirected",
        hint="Give the address that the server wants to be called by",
        url=answer.url,
        answer=answer,
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it wraps, outermost first; requests hides the cause in arguments and attributes."""
    chain: list[BaseException] = []
    todo: BaseException | None = error
    while todo is not None and todo not in chain:
        chain.append(todo)
        inner = getattr(todo, "reason", None) or next(
            (arg for arg in todo.args if isinstance(arg, BaseException)), None
        )
        todo = inner if isinstance(inner, BaseException) else todo.__cause__ or todo.__context__
    return chain
