# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""From what a route says and what it shall say to a JSON Patch. Pure: an object in, operations out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._traffic import marks, writers
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Plan, Seen, Split, TrafficError, Wish


def plan(seen: Seen, wish: Wish) -> Plan:
    """The patch for one route: first what must still be true, then the weights and our annotations, nothing else."""
    split, target = seen.split, seen.target
    weights = _weights(seen, wish.weight)
    moved = [
        (arm, weight) for arm, weight in zip((split.stable, split.canary), weights, strict=True) if weight != arm.weight
    ]
    marked = marks.plan(seen, wish, moves=bool(moved))
    _refuse_second_writer(seen, wish)
    writes: list[Mapping[str, Any]] = [
        # "add" on a member of an object sets it whether it was there or not.
        *({"op": "add", "path": arm.pointer, "value": weight} for arm, weight in moved),
        *marked.writes,
    ]
    tests: list[Mapping[str, Any]] = [
        *marked.tests,
        *({"op": "test", "path": pointer, "value": value} for pointer, value in split.guards),
    ]
    return Plan(
        target,
        split.share,
        wish.weight,
        split,
        tuple([*tests, *writes] if writes else ()),
        {"stable": split.stable.weight, "canary": split.canary.weight, **marked.before},
        {"stable": weights[0], "canary": weights[1], **marked.after},
        seen.doubts,
    )


def _weights(seen: Seen, wanted: int) -> tuple[int, int]:
    """Weights of stable and canary. What is right already stays, on whatever scale the object counts."""
    split: Split = seen.split
    total = split.stable.weight + split.canary.weight
    if total and split.canary.weight * 100 == wanted * total:
        return split.stable.weight, split.canary.weight
    if not split.others:
        return 100 - wanted, wanted
    if not total and not wanted:
        return 0, 0
    # A destination of somebody else has its part of the route, and keeps exactly that.
    canary, rest = divmod(wanted * total, 100)
    if rest or not total:
        raise TrafficError(
            f"{seen.target} gives weight {split.others} to other destinations and {total} to stable and canary "
            f"together, of which {wanted} % cannot be expressed in whole numbers",
            reason="weight_inexpressible",
            hint="Give stable and canary weights whose sum is a multiple of 100, the others in proportion",
            details={"service": seen.target.service, "others": split.others, "total": total},
        )
    return total - canary, canary


def _refuse_second_writer(seen: Seen, wish: Wish) -> None:
    """Somebody who writes the route by himself, or has written it since this run did, would write it again.

    A cut is never refused: whoever else writes, the canary's weight is 0 at least until then.
    """
    if wish.cut:
        return
    for writer in writers.owners(seen.document):
        if writer.owner not in wish.tolerated:
            raise TrafficError(
                f"{seen.target.object} {writer.seen}",
                reason="second_writer",
                hint=writer.hint,
                details={"service": seen.target.service, "owner": writer.owner},
            )
    if wish.fence is None or marks.fence_of(seen) != wish.fence:
        return
    if (last := writers.since_ours(seen.document)) is not None:
        raise TrafficError(
            f"{seen.target.object} was changed by {last[0]} at {last[1]}, after this rollout wrote it",
            reason="second_writer",
            hint="Stop the second writer (a GitOps sync, Flagger, a person), then run the same command again",
            details={"service": seen.target.service, "writer": last[0], "at": last[1]},
        )
