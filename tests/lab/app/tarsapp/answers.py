# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the business paths: JSON with a checksum over its result, so that a wrong result can be seen."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiohttp import web

from .state import State


def checksum(result: Any) -> str:
    """Return the checksum of a result: 16 hexadecimal digits over its JSON with sorted keys."""
    text = json.dumps(result, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def answer(state: State, result: Any, status: int = 200) -> web.Response:
    """Return `result` with its checksum; the fault wrong_results changes the result after the checksum was taken.

    The service checks what it sends, as a real one checks itself by known samples, and counts it.
    """
    plain = json.loads(json.dumps(result, default=str))
    body = {"result": plain, "checksum": checksum(plain), "version": state.settings.version}
    if state.faults.spoils(state.rng):
        body["result"] = {"wrong": state.rng.random()}
    state.metrics.result(checksum(body["result"]) == body["checksum"])
    return web.json_response(body, status=status)


def refusal(status: int, sentence: str) -> web.Response:
    """Return an error that a client can read."""
    return web.json_response({"error": sentence}, status=status)
