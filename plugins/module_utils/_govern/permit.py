# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""May a release move now, and where? Windows, approvals, poll and overrides taken together. Pure.

A region in which the release is under way may always go on: a window that closes, a freeze or an approval that grows
old never leaves users between two releases. A rollback asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._govern import windows
from ansible_collections.tars.rollout.plugins.module_utils._govern.policy import Verdict
from ansible_collections.tars.rollout.plugins.module_utils._govern.statement import summary
from ansible_collections.tars.rollout.plugins.module_utils._govern.windows import Window
from ansible_collections.tars.rollout.plugins.module_utils._record import phases
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

UNDER_WAY = (phases.TRAFFIC - {phases.ROLLING_BACK}) | {phases.PROMOTED}
# Which check an override must name to open a window that says no.
_OPENS = {"frozen": "freeze", "closed": "window"}


@dataclass(frozen=True)
class Place:
    """A region as it stands. ``under_way``: this release, by this plan, has traffic there already."""

    name: str
    windows: tuple[Window, ...] = ()
    under_way: bool = False


@dataclass(frozen=True)
class Answer:
    """For one region: may it, why (a stable code and a sentence), and until or from when, in seconds since 1970."""

    region: str
    allowed: bool
    code: str
    text: str
    window: str = ""
    changes_at: float | None = None


def decide(places: Sequence[Place], verdict: Verdict, forced: Sequence[str], now: float) -> list[Answer]:
    """One answer per region, in their order. ``forced``: the checks that this run has switched off."""
    reasons = [(finding.code, finding.text) for finding in verdict.missing if finding.code != "vote_no_go"]
    poll = [(finding.code, finding.text) for finding in verdict.missing if finding.code == "vote_no_go"]
    if "poll" in verdict.overrides:
        reasons = [(code, text) for code, text in reasons if not code.startswith("vote_")]
        poll = []
    unasked = [
        (
            "override_missing",
            f"{check} is switched off, which needs an override: its reason, and the approval of somebody else",
        )
        for check in forced
        if check not in verdict.overrides
    ]
    found = []
    for place in places:
        if place.under_way:
            found.append(
                Answer(place.name, True, "under_way", "the release is under way or through here, and may go on")
            )
            continue
        seen = windows.decide(place.windows, now)
        shut = [] if seen.allowed or _OPENS[seen.code] in verdict.overrides else [(seen.code, seen.text)]
        against = [*poll, *shut, *reasons, *unasked]
        code = against[0][0] if against else "allowed"
        text = "; ".join(text for _code, text in against) if against else seen.text
        found.append(Answer(place.name, not against, code, text, seen.window, seen.changes_at))
    return found


def under_way(record: Mapping[str, Any] | None, release: str, plan_hash: str) -> bool:
    """Whether the record of a region says that this release, by this plan, has traffic there or is promoted."""
    return (
        record is not None
        and record.get("release") == release
        and record.get("plan_hash") == plan_hash
        and record.get("phase") in UNDER_WAY
    )


def ended(record: Mapping[str, Any] | None, release: str) -> float:
    """When something was last rolled back there after which this release began anew; seconds since 1970, 0 for
    never."""
    if record is None or record.get("release") != release:
        return 0.0
    history = [entry for entry in record.get("history") or () if entry.get("phase") == phases.ROLLED_BACK]
    moments = [str(entry["at"]) for entry in history if entry.get("at")]
    if record.get("phase") == phases.ROLLED_BACK and record.get("phase_since"):
        moments.append(str(record["phase_since"]))
    return max((seconds_of(moment) for moment in moments), default=0.0)


def for_the_record(verdict: Verdict, run_id: str, at: str) -> dict[str, Any]:
    """Who allowed it, as the record of a region and the ledger keep it."""

    def told(items: Sequence[Any]) -> list[Mapping[str, Any]]:
        wanted = ("role", "principal", "at", "nonce", "key", "vote", "check", "reason")
        full = [summary(item.statement, item.key) for item in items if item.statement is not None]
        return [{name: value for name, value in item.items() if name in wanted} for item in full]

    kept = {
        "approvals": told(verdict.approvals),
        "votes": told(list(verdict.votes.values())),
        "overrides": told(list(verdict.overrides.values())),
    }
    return {"act": "permit", "at": at, "run": run_id, **{name: items for name, items in kept.items() if items}}
