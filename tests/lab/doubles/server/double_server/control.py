# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubles' own calls under /_double, and the page for a person: no key needed, not in the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from . import contract, view
from .api import Api
from .call import Call, Reply, invalid, not_found
from .clock import Clock, stamp
from .journal import Journal

_KNOWN = (
    "components",
    "incidents",
    "faults",
    "rate_limit",
    "rates",
    "strict",
    "postmortems",
    "slack",
    "pagerduty",
    "github",
)


class Held(Protocol):
    """The server, as far as its own calls use it."""

    apis: Sequence[Api]
    journal: Journal
    clock: Clock

    def reset(self, given: Mapping[str, Any]) -> None:
        """Start anew with what is given."""

    def plant(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """These faults instead of those before."""

    def tick(self) -> None:
        """Let the services do what time makes them do."""


def answer(held: Held, call: Call) -> Reply:
    """The answer to one of these calls; Refused for what is not there."""
    name = call.path.removeprefix("/_double/")
    known = {
        ("GET", "/"): _page,
        ("GET", "requests"): lambda held, call: Reply(200, held.journal.to_json()),
        ("GET", "health"): _health,
        ("GET", "incidents"): lambda held, call: Reply(200, _api(held, "statuspage").state()["incidents"]),
        ("POST", "reset"): _reset,
        ("POST", "clock"): _clock,
        ("POST", "faults"): _faults,
    }
    found = known.get((call.method, name))
    if found is not None:
        return found(held, call)
    if call.method == "GET" and name in {api.name for api in held.apis}:
        return Reply(200, _api(held, name).state())
    raise not_found(f"no call {call.method} {call.path}")


def _page(held: Held, call: Call) -> Reply:
    held.tick()
    return Reply(200, None, text=view.page(held.apis, held.journal.to_json()["requests"]))


def _health(held: Held, call: Call) -> Reply:
    """GET /_double/health: for probes."""
    return Reply(200, {"apis": [api.name for api in held.apis], "contract": contract.available})


def _clock(held: Held, call: Call) -> Reply:
    """POST /_double/clock: move time on; services do what they do by themselves."""
    held.tick()
    try:
        held.clock.move(_json(call.raw))
    except (ValueError, TypeError) as error:
        raise invalid({"clock": [str(error)]}) from error
    held.tick()
    return Reply(200, {"now": stamp(held.clock.now())})


def _faults(held: Held, call: Call) -> Reply:
    """POST /_double/faults: plant these, keeping everything else."""
    held.plant(_json(call.raw).get("faults", ()))
    return Reply(200, {"planted": True})


def _reset(held: Held, call: Call) -> Reply:
    """POST /_double/reset: start anew.

    A JSON body may bring `components` and `incidents` (newest first) of the status page, `postmortems` by the id of
    their incident, its `rate_limit`, `rates` by API, `faults`, `strict` (whether unknown keys are refused), and what
    the other APIs take under their names.
    """
    given = _json(call.raw)
    if set(given) - set(_KNOWN):
        raise invalid({"body": [f"may have {' and '.join(_KNOWN)} only"]})
    try:
        held.reset(given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        held.reset({})
        raise invalid({"body": [f"is not in the form in which the API shows things: {error!r}"]}) from error
    return Reply(200, {"reset": True})


def _api(held: Held, name: str) -> Api:
    found = next((api for api in held.apis if api.name == name), None)
    if found is None:
        raise not_found(f"{name} is not served here")
    return found


def _json(raw: bytes) -> dict[str, Any]:
    try:
        given = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise invalid({"body": [f"is not JSON: {error}"]}) from error
    if not isinstance(given, dict):
        raise invalid({"body": ["is no object"]})
    return given
