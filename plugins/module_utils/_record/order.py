# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""When a region's turn is: after the waves before, a gap later, within its hours. Pure: times are handed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record import phases
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of


@dataclass(frozen=True)
class Turn:
    """``begins``: the earliest moment, seconds since 1970; None while a region before is not through.

    ``why``: a sentence when it is not now.
    """

    begins: float | None
    why: str = ""


def unlike(name: str, record: Record | None, release: str, plan_hash: str) -> str:
    """Why a region of a wave before stands in the way; empty when it is promoted for this release and plan."""
    if record is None:
        return f"{name} has no release at all"
    if record.release != release:
        return f"{name} has release {record.release}, which is {record.phase}"
    if record.phase != phases.PROMOTED:
        return f"{name} is {record.phase}{f' ({record.reason})' if record.reason else ''}"
    if record.plan_hash != plan_hash:
        return f"{name} was promoted by another plan ({record.plan_hash})"
    return ""


def turn(
    before: Sequence[tuple[str, Record | None]],
    release: str,
    plan_hash: str,
    now: float,
    gap: float = 0,
    hours: str = "",
) -> Turn:
    """When a region may begin. ``before``: the regions of all waves before, by name.

    ``gap``: seconds between the end of the last of them and the begin. ``hours``: as 10-15, UTC; empty for all day.
    """
    in_the_way = [text for name, record in before if (text := unlike(name, record, release, plan_hash))]
    if in_the_way:
        return Turn(None, "; ".join(in_the_way))
    ends = [seconds_of(record.phase_since) for _name, record in before if record is not None]
    begins = within(hours, max([now, *(end + gap for end in ends)]))
    if begins <= now:
        return Turn(now)
    last = max(ends, default=now)
    why = f"the wave before ended at {_clock(last)} and {gap:.0f} s are to lie between" if last + gap > now else ""
    if begins > max(now, last + gap):
        why = f"{why}{'; ' if why else ''}its hours are {hours} UTC"
    return Turn(begins, why)


def within(hours: str, moment: float) -> float:
    """The first moment at or after ``moment`` within hours such as 10-15 or, over midnight, 20-02 (UTC)."""
    if not hours:
        return moment
    start, end = parse(hours)
    day = datetime.fromtimestamp(moment, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # The window of yesterday may still be open.
    for shift in (-1, 0, 1):
        opens = day + timedelta(days=shift, minutes=start)
        closes = day + timedelta(days=shift, minutes=end if end > start else end + 24 * 60)
        if moment < closes.timestamp():
            return max(moment, opens.timestamp())
    raise AssertionError("the window of tomorrow lies ahead")


def parse(hours: str) -> tuple[int, int]:
    """Minutes of the day of 10-15 or 10:30-15:00; RolloutError for anything else."""
    found = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?", hours.strip())
    if found:
        start = int(found[1]) * 60 + int(found[2] or 0)
        end = int(found[3]) * 60 + int(found[4] or 0)
        if start < 24 * 60 and end <= 24 * 60 and start != end:
            return start, end
    raise RolloutError(
        f"The hours of a region are {hours!r} and that cannot be read",
        reason="hours_invalid",
        hint="Write them as 10-15 or 22:30-02:00, in UTC",
    )


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%SZ")
