# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The same for many things at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import TrafficError

Item = TypeVar("Item")
Result = TypeVar("Result")

# The client keeps about so many connections; more at once would only open and close some.
WORKERS = 10


def at_once(
    items: Sequence[Item], act: Callable[[Item], Result], tell: Callable[[int, int], str], workers: int = WORKERS
) -> list[Result]:
    """Do it for all at once, and let every one end. ``tell`` says what it means that so many of so many failed."""
    if not items:
        return []
    with ThreadPoolExecutor(min(workers, len(items)), thread_name_prefix="route") as pool:
        futures = [pool.submit(act, item) for item in items]
    faults = [fault for future in futures if (fault := future.exception()) is not None]
    for fault in faults:
        if not isinstance(fault, RolloutError):
            raise fault
    if faults:
        raise _together([fault for fault in faults if isinstance(fault, RolloutError)], len(items), tell)
    return [future.result() for future in futures]


def _together(faults: Sequence[RolloutError], count: int, tell: Callable[[int, int], str]) -> RolloutError:
    """The first fault as the sentence, every one in the details."""
    first = faults[0]
    if count == 1:
        return first
    return TrafficError(
        f"{first.msg.rstrip('.')} ({tell(len(faults), count)})",
        reason=first.reason,
        hint=first.hint,
        details={**first.details, "faults": [{"reason": fault.reason, "msg": str(fault)} for fault in faults]},
    )
