# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double's own calls, under /_double: no key needed, not in the journal."""

from __future__ import annotations

import json
from typing import Any

from .call import Call, Reply, invalid
from .journal import Journal
from .page import Page

_LISTS = ("components", "incidents")


def requests(page: Page, journal: Journal, call: Call) -> Reply:
    """GET /_double/requests: the journal."""
    return Reply(200, journal.to_json())


def health(page: Page, journal: Journal, call: Call) -> Reply:
    """GET /_double/health: for probes."""
    return Reply(200, {"page": page.id, "incidents": len(page.incidents), "components": len(page.components)})


def reset(page: Page, journal: Journal, call: Call) -> Reply:
    """POST /_double/reset: start anew; a JSON body may bring `components` and `incidents` (newest first)."""
    given = _given(call.raw)
    try:
        page.load(given.get("components"), given.get("incidents"))
    except (KeyError, TypeError, AttributeError) as error:
        page.load()
        raise invalid({"body": [f"is not in the form in which the API shows things: {error!r}"]}) from error
    journal.clear()
    return Reply(200, {"reset": True})


def _given(raw: bytes) -> dict[str, Any]:
    try:
        given = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise invalid({"body": [f"is not JSON: {error}"]}) from error
    if not isinstance(given, dict) or set(given) - set(_LISTS):
        raise invalid({"body": [f"may have {' and '.join(_LISTS)} only"]})
    return given


ROUTES = (
    ("GET", "/_double/requests", requests),
    ("GET", "/_double/health", health),
    ("POST", "/_double/reset", reset),
)
