# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""May I still act? Asked before every act and at every poll of what acts.

The guard asks every source and all must agree: the lease of the region, and the fence in its record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import Found


class GuardLost(RolloutError):
    """This run may not act any more. ``reason`` is the source's: lease_lost, lease_expired, fence_lost, record_gone."""


@dataclass(frozen=True)
class Answer:
    """A source's answer; ``why`` is a sentence and ``reason`` its stable code when it says no."""

    may: bool
    why: str = ""
    reason: str = ""


class Source(Protocol):
    """One thing that can take the right to act away."""

    def ask(self) -> Answer:
        """Whether we may act now. A RolloutError means: not known, and who does not know does not act."""


class Guard:
    """Made once per run with all its sources."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    def check(self, doing: str) -> None:
        """Return when every source agrees, else raise; ``doing`` completes "Stopped before <doing>"."""
        for source in self._sources:
            answer = source.ask()
            if not answer.may:
                raise GuardLost(
                    f"Stopped before {doing}: {answer.why}",
                    reason=answer.reason,
                    hint="Somebody newer acts in this region: status.yml shows who, and since when",
                )


class RecordFence:
    """Says no once the record carries a newer fence than ours, or is gone."""

    def __init__(self, read: Callable[[], Record | None], ours: int) -> None:
        self._read = read
        self._ours = ours

    def ask(self) -> Answer:
        record = self._read()
        if record is None:
            return Answer(False, "the record of the region is gone", "record_gone")
        if record.fence == self._ours:
            return Answer(True)
        return Answer(
            False, f"the record of {record.region} has the fence {record.fence} and this run holds {self._ours}",
            "fence_lost",
        )  # fmt: skip


class LeaseHeld:
    """Says no once somebody else holds the lease, or nobody, or when it ran out: then the dead-man may be at work."""

    def __init__(self, where: str, read: Callable[[], Found], ours: str) -> None:
        """``where`` names the lease in sentences."""
        self._where = where
        self._read = read
        self._ours = ours

    def ask(self) -> Answer:
        found = self._read()
        lease = found.lease
        if lease is None or not lease.holder:
            note = f" ({lease.note})" if lease and lease.note else ""
            return Answer(False, f"the {self._where} is held by nobody any more{note}", "lease_lost")
        if lease.holder != self._ours:
            note = f": {lease.note}" if lease.note else ""
            return Answer(False, f"the {self._where} is held by {lease.who}{note}", "lease_lost")
        if lease.expired(found.now):
            late = found.now - lease.renewed
            return Answer(
                False,
                f"the {self._where} was not renewed for {late:.0f} s and lasts {lease.ttl:.0f} s "
                "(the controller was stopped, asleep, or could not reach the cluster)",
                "lease_expired",
            )
        return Answer(True)
