# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The lease: who may act in a region, or for the run, and until when. Pure: times and facts are handed in.

Times are seconds since 1970 by the clock of the API server: all that ask have that one in common.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record import process
from ansible_collections.tars.rollout.plugins.module_utils._values import moment, seconds_of

TTL = 55.0
# A lease that is renewed every 15 s of its 55 s survives two renewals that fail.
RENEW_SHARE = 15 / 55
# The Date header has whole seconds, and an answer takes its time.
MARGIN = 2.0
FENCE = "ga.rollout/fence"
CONTROLLER = "ga.rollout/controller"
NOTE = "ga.rollout/note"
RELEASE = "ga.rollout/release"


class LeaseError(RolloutError):
    """Somebody else holds the lease, or what stands there is none of ours."""


@dataclass(frozen=True)
class Lease:
    """What a Lease object says. ``holder`` empty: free. ``note``: why it was forced, or what the dead-man did."""

    holder: str = ""
    ttl: float = TTL
    renewed: float = 0.0
    since: str = ""
    fence: int = 0
    release: str = ""
    controller: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def expired(self, now: float) -> bool:
        return bool(self.holder) and now - self.renewed > self.ttl

    @property
    def who(self) -> str:
        """For sentences: the holder, since when, last renewed when."""
        renewed = moment(self.renewed) if self.renewed else "never"
        return f"{self.holder} (since {self.since or 'unknown'}, last renewed {renewed})"


def read(found: Mapping[str, Any], where: str) -> Lease:
    """The lease in a Lease object; ``where`` names it. LeaseError for one that cannot be ours."""
    spec = found.get("spec") or {}
    notes = (found.get("metadata") or {}).get("annotations") or {}
    try:
        told = json.loads(notes.get(CONTROLLER) or "{}")
        return Lease(
            str(spec.get("holderIdentity") or ""),
            float(spec.get("leaseDurationSeconds") or TTL),
            seconds_of(spec["renewTime"]) if spec.get("renewTime") else 0.0,
            str(spec.get("acquireTime") or ""),
            int(notes.get(FENCE) or 0),
            str(notes.get(RELEASE) or ""),
            told if isinstance(told, dict) else {},
            str(notes.get(NOTE) or ""),
        )
    except ValueError as error:
        raise LeaseError(
            f"The {where} is not as this collection writes it: {error}",
            reason="lease_invalid",
            hint="It was edited by hand: delete it when no rollout is under way",
        ) from None


def write(lease: Lease, transitions: int = 0) -> dict[str, Any]:
    """The parts of the Lease object that we write: ``spec`` and ``annotations``."""
    spec = {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": max(1, round(lease.ttl)),
        "renewTime": micro(lease.renewed),
        "acquireTime": lease.since,
        "leaseTransitions": transitions,
    }
    notes = {
        FENCE: str(lease.fence),
        RELEASE: lease.release,
        CONTROLLER: json.dumps(dict(lease.controller), sort_keys=True),
        NOTE: lease.note,
    }
    return {"spec": spec, "annotations": {key: value for key, value in notes.items() if value}}


def micro(seconds: float) -> str:
    """As the API server wants it: 2026-01-31T12:00:00.123000Z."""
    return moment(seconds)[:-1] + "000Z"


@dataclass(frozen=True)
class Candidate:
    """Who wants the lease. ``force``: why it is taken although somebody holds it; empty: it is not."""

    holder: str
    force: str = ""


TAKE, KEEP, WAIT, REFUSE = "take", "keep", "wait", "refuse"


@dataclass(frozen=True)
class Decision:
    """``what``: one of the four above. ``why``: a sentence. ``wait``: seconds until it is worth to look again."""

    what: str
    why: str = ""
    wait: float = 0.0


def decide(seen: Lease | None, wish: Candidate, now: float, first: Lease | None) -> Decision:
    """May the candidate have it? ``first``: what it saw when it first looked.

    Alive is who renews while we look, or whose process runs on this machine; that one is never waited for. Dead is
    whose process is provably gone, or who has not renewed for its whole time.
    """
    if seen is None or not seen.holder:
        return Decision(TAKE, "it was free")
    if seen.holder == wish.holder:
        return Decision(KEEP, "it is ours")
    if wish.force:
        return Decision(TAKE, f"taken by force from {seen.who}: {wish.force}")
    known = process.state_of(process.from_data(seen.controller))
    if known == process.DEAD:
        return Decision(TAKE, f"the process of {seen.who} is gone")
    if now - seen.renewed > seen.ttl + MARGIN:
        return Decision(TAKE, f"{seen.who} did not renew it for {now - seen.renewed:.0f} s")
    if known == process.ALIVE:
        return Decision(REFUSE, f"{seen.who} runs on this machine")
    if first is not None and (first.holder, first.renewed) != (seen.holder, seen.renewed):
        return Decision(REFUSE, f"{seen.who} renewed it while this run looked")
    return Decision(WAIT, f"{seen.who} holds it", seen.renewed + seen.ttl + MARGIN - now)


def refused(where: str, decision: Decision) -> LeaseError:
    return LeaseError(
        f"The {where} is held: {decision.why}",
        reason="lease_held",
        hint="Let it end, or stop it; when it is surely gone, set rollout_force_takeover to the reason why",
    )
