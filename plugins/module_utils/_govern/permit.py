# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""May a release move now, and where? Windows, approvals, poll and overrides taken together. Pure.

A region in which the release is under way may always go on: a window that closes, a freeze or an approval that grows
old never leaves users between two releases. It is asked only for what is new: other bytes than those that began, and
overrides that nobody has signed. A rollback asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._govern import windows
from ansible_collections.tars.rollout.plugins.module_utils._govern.policy import OVERRIDABLE, Verdict
from ansible_collections.tars.rollout.plugins.module_utils._govern.statement import summary
from ansible_collections.tars.rollout.plugins.module_utils._govern.windows import Window
from ansible_collections.tars.rollout.plugins.module_utils._record import phases
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

PERMIT = "permit"
UNDER_WAY = (phases.TRAFFIC - {phases.ROLLING_BACK}) | {phases.PROMOTED}
# Which check an override must name to open a window that says no.
_OPENS = {"frozen": "freeze", "closed": "window"}


@dataclass(frozen=True)
class Place:
    """A region as it stands. ``under_way``: this release, by this plan and with these bytes, has traffic there already.

    ``overrides``: the checks that were skipped with somebody's signature when it began there.
    """

    name: str
    windows: tuple[Window, ...] = ()
    under_way: bool = False
    overrides: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    """For one region: may it, why (a stable code and a sentence), and until or from when, in seconds since 1970."""

    region: str
    allowed: bool
    code: str
    text: str
    window: str = ""
    changes_at: float | None = None


def decide(
    places: Sequence[Place], verdict: Verdict, forced: Sequence[str], now: float, wanted: Sequence[str] = ()
) -> list[Answer]:
    """One answer per region, in their order. ``forced``: the checks that this run has switched off; ``wanted``: those
    that it asks to skip."""
    reasons = [(finding.code, finding.text) for finding in verdict.missing if finding.code != "vote_no_go"]
    poll = [(finding.code, finding.text) for finding in verdict.missing if finding.code == "vote_no_go"]
    if "poll" in verdict.overrides:
        reasons = [(code, text) for code, text in reasons if not code.startswith("vote_")]
        poll = []
    unasked = [_unasked(check) for check in forced if check not in verdict.overrides]
    found = []
    for place in places:
        if place.under_way:
            given = {*verdict.overrides, *place.overrides}
            new = [_unasked(check) for check in dict.fromkeys((*forced, *wanted)) if check not in given]
            text = "; ".join(text for _code, text in new) or "the release is under way or through here, and may go on"
            found.append(Answer(place.name, not new, new[0][0] if new else "under_way", text))
            continue
        seen = windows.decide(place.windows, now)
        shut = [] if seen.allowed or _OPENS[seen.code] in verdict.overrides else [(seen.code, seen.text)]
        against = [*poll, *shut, *reasons, *unasked]
        code = against[0][0] if against else "allowed"
        text = "; ".join(text for _code, text in against) if against else seen.text
        found.append(Answer(place.name, not against, code, text, seen.window, seen.changes_at))
    return found


def _unasked(check: str) -> tuple[str, str]:
    if check not in OVERRIDABLE:
        return "override_unknown", f"{check} is switched off, which nobody may allow"
    need = "which needs an override: its reason, and the approval of somebody else"
    return "override_missing", f"{check} is skipped or switched off, {need}"


def under_way(record: Mapping[str, Any] | None, release: str, plan_hash: str, artifacts: str) -> bool:
    """Whether the record of a region says that this release, by this plan and with these bytes, has traffic there or is
    promoted. A record that tells of no bytes is of a run that named none."""
    if record is None or (record.get("release"), record.get("plan_hash")) != (release, plan_hash):
        return False
    bytes_then = next((str(item.get("artifacts") or "") for item in reversed(_permits(record))), "")
    return record.get("phase") in UNDER_WAY and bytes_then in ("", artifacts)


def overridden(record: Mapping[str, Any] | None) -> frozenset[str]:
    """The checks that were skipped in the region with somebody's signature since the release began there."""
    told = [item for permit in _permits(record or {}) for item in permit.get("overrides") or ()]
    return frozenset(str(item.get("check")) for item in told)


def _permits(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for item in record.get("approvals") or () if item.get("act") == PERMIT]


def ended(record: Mapping[str, Any] | None, release: str) -> float:
    """When something was last rolled back there, or another release came; seconds since 1970, 0 for never.

    What was approved before was approved for what stood there then.
    """
    if record is None:
        return 0.0
    history = [entry for entry in record.get("history") or () if entry.get("phase") == phases.ROLLED_BACK]
    moments = [str(entry["at"]) for entry in history if entry.get("at")]
    other = bool(record.get("release")) and record.get("release") != release
    if (other or record.get("phase") == phases.ROLLED_BACK) and record.get("phase_since"):
        moments.append(str(record["phase_since"]))
    return max((seconds_of(moment) for moment in moments), default=0.0)


def for_the_record(verdict: Verdict, artifacts: str, run_id: str, at: str) -> dict[str, Any]:
    """Who allowed it and with which bytes, as the record of a region and the ledger keep it."""

    def told(items: Sequence[Any]) -> list[Mapping[str, Any]]:
        wanted = ("role", "principal", "at", "nonce", "key", "vote", "check", "reason")
        full = [summary(item.statement, item.key) for item in items if item.statement is not None]
        return [{name: value for name, value in item.items() if name in wanted} for item in full]

    kept = {
        "approvals": told(verdict.approvals),
        "votes": told(list(verdict.votes.values())),
        "overrides": told(list(verdict.overrides.values())),
    }
    told_of = {"act": PERMIT, "at": at, "run": run_id, "artifacts": artifacts}
    return {**told_of, **{name: items for name, items in kept.items() if items}}
