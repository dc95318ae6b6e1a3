# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double's own calls, under /_double: no key needed, not in the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from .call import Call, Reply, invalid
from .journal import Journal
from .page import Page

_KNOWN = ("components", "incidents", "faults", "rate_limit", "strict", "postmortems")


class Held(Protocol):
    """The double, as far as its own calls use it."""

    page: Page
    journal: Journal

    def reset(self, given: Mapping[str, Any]) -> None:
        """Start anew with what is given."""


def requests(held: Held, call: Call) -> Reply:
    """GET /_double/requests: the journal."""
    return Reply(200, held.journal.to_json())


def health(held: Held, call: Call) -> Reply:
    """GET /_double/health: for probes."""
    page = held.page
    return Reply(200, {"page": page.id, "incidents": len(page.incidents), "components": len(page.components)})


def incidents(held: Held, call: Call) -> Reply:
    """GET /_double/incidents: all of them at once, newest first."""
    return Reply(200, [held.page.shown(item) for item in held.page.incidents])


def reset(held: Held, call: Call) -> Reply:
    """POST /_double/reset: start anew.

    A JSON body may bring `components` and `incidents` (newest first), `faults`, a `rate_limit`, `strict` (whether
    unknown keys are refused) and `postmortems` by the id of their incident.
    """
    given = _given(call.raw)
    try:
        held.reset(given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        held.reset({})
        raise invalid({"body": [f"is not in the form in which the API shows things: {error!r}"]}) from error
    return Reply(200, {"reset": True})


def _given(raw: bytes) -> dict[str, Any]:
    try:
        given = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise invalid({"body": [f"is not JSON: {error}"]}) from error
    if not isinstance(given, dict) or set(given) - set(_KNOWN):
        raise invalid({"body": [f"may have {' and '.join(_KNOWN)} only"]})
    return given


ROUTES = (
    ("GET", "/_double/requests", requests),
    ("GET", "/_double/health", health),
    ("GET", "/_double/incidents", incidents),
    ("POST", "/_double/reset", reset),
)
