# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers against an OpenAPI document of our own.

openapi-core does it where it is installed: tests demand it, the lab's image has not got it, and there the plug-ins' own
checks are all there is (`available` says which).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .call import Call, Reply

try:
    from openapi_core import OpenAPI
    from openapi_core.datatypes import RequestParameters
    from werkzeug.datastructures import Headers, ImmutableMultiDict

    available = True
except ImportError:
    available = False

HOST = "http://double"


@dataclass
class _Request:
    host_url: str
    path: str
    method: str
    parameters: Any
    content_type: str
    body: bytes | None


@dataclass
class _Response:
    status_code: int
    headers: Any
    content_type: str
    data: bytes | None


class Contract:
    """One document; without openapi-core it finds nothing wrong."""

    def __init__(self, path: str) -> None:
        self._api = OpenAPI.from_file_path(str(Path(path))) if available else None

    def request(self, call: Call, suffix: str = "") -> list[str]:
        """What is wrong with a request, one sentence each."""
        if self._api is None:
            return []
        return _told(self._api.iter_request_errors(_request(call, suffix)))

    def response(self, call: Call, reply: Reply, suffix: str = "") -> list[str]:
        """What is wrong with an answer."""
        if self._api is None:
            return []
        kind = "application/json" if reply.text is None else "text/plain"
        text = json.dumps(reply.json) if reply.text is None else reply.text
        empty = reply.status == 204
        answer = _Response(reply.status, Headers(dict(reply.headers)), "" if empty else kind, text.encode())
        return _told(self._api.iter_response_errors(_request(call, suffix), answer))


def _request(call: Call, suffix: str) -> _Request:
    parameters = RequestParameters(
        query=ImmutableMultiDict(call.query), header=Headers(dict(call.headers)), cookie=ImmutableMultiDict()
    )
    path = call.path.removesuffix(suffix) if suffix else call.path
    kind = call.headers.get("Content-Type", "").lower()
    return _Request(HOST, path, call.method.lower(), parameters, kind, call.raw or None)


def _told(errors: Any) -> list[str]:
    found = []
    for error in errors:
        # The cause names the field; the error itself only says that something is wrong.
        causes = getattr(error.__cause__, "schema_errors", None) or [error.__cause__ or error]
        found += [_line(cause) for cause in causes]
    return found


def _line(cause: Any) -> str:
    path = ".".join(str(part) for part in getattr(cause, "absolute_path", ()))
    try:
        text = str(getattr(cause, "message", "") or cause)
    except UnicodeDecodeError:
        text = "the body is no UTF-8"
    return f"{path}: {text}"[:300] if path else text[:300]
