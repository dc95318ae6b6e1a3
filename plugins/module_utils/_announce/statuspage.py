# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The status page as a receiver: what statuspage_incident does, with the id that is known from before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, refuse
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError

CONTENT = frozenset(
    {"kind", "name", "status", "body", "impact_override", "scheduled_for", "scheduled_until", "auto_transition",
     "component_ids", "components", "restore_components", "deliver_notifications", "adopt", "reopen"}
)  # fmt: skip
API = "https://api.statuspage.io/v1"
ENDED = ("completed", "resolved")
Work = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes the options of statuspage_incident and gives its result."""


def tell(
    wire: Wire, receiver: Mapping[str, Any], message: Mapping[str, Any], sent: Mapping[str, Any], work: Work
) -> Outcome:
    """One incident by its key. An id from before saves the search; when nobody has it any more, it is searched for."""
    params = {
        "page_id": receiver["page_id"],
        "api_key": receiver["token"],
        "api_url": receiver.get("url") or API,
        "ca": receiver.get("ca"),
        "validate_certs": receiver.get("validate_certs", True),
        "timeout": max(0.1, wire.deadline.remaining),
        "rate_limit_max_wait": 60.0,
        "lookup_max_pages": 20,
        **message["content"],
        "key": message["key"],
    }
    known = sent.get("incident_id")
    result = _done(work, {**params, "incident_id": known}) if known else None
    result = result or _done(work, params)
    if result is None:
        if params.get("status") not in ENDED:
            raise refuse(
                f"There is no incident with the key {message['key']}, and none can be made without a name",
                "Give name in the template",
                reason="incident_absent",
            )
        # It was never announced, so there is nothing to end.
        return Outcome("unchanged")
    done = result["done"]
    act = "unchanged" if not done else "sent" if "created" in done else "updated"
    ids = {"incident_id": result["incident_id"], "status": result["status"]}
    return Outcome(act, ids, result["diff"]["before"], result["diff"]["after"])


def _done(work: Work, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The result; None where there is no incident and none can be made."""
    try:
        return work(params)
    except RolloutError as fault:
        if fault.reason != "incident_absent":
            raise
        return None
