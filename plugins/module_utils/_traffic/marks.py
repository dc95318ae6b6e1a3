# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Our two annotations on a route: the fence (who may act) and the cut (why the canary gets nothing). Pure.

Their names hold no ``istio.io``: istiod would push the whole mesh for each of them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Cut, Seen, TrafficError, Wish

FENCE = "ga.rollout/fence"
CUT = "ga.rollout/cut"


@dataclass(frozen=True)
class Marks:
    """The two annotations as they shall be, and the tests that make a write of them safe."""

    tests: tuple[Mapping[str, Any], ...]
    writes: tuple[Mapping[str, Any], ...]
    before: Mapping[str, str]
    after: Mapping[str, str]


def fence_of(seen: Seen) -> int | None:
    """The fence on the route, None where there is none; TrafficError for something that is no number."""
    text = seen.annotations.get(FENCE)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise TrafficError(
            f"The annotation {FENCE} of {seen.target.object} is {text!r} and no number",
            reason="fence_unreadable",
            hint="Somebody wrote it by hand: put back the number from the record, or remove the annotation",
        )
    return int(text)


def cut_of(seen: Seen) -> Cut | None:
    """The cut that the route tells of."""
    text = seen.annotations.get(CUT)
    return None if text is None else parse_cut(text)


def parse_cut(text: str) -> Cut:
    """A cut from its annotation. A text that is not ours still means: somebody wanted it cut."""
    try:
        data = json.loads(text)
        return Cut(str(data["release"]), str(data["time"]), str(data["reason"]))
    except (ValueError, TypeError, KeyError):
        return Cut("", "", text)


def plan(seen: Seen, wish: Wish, *, moves: bool) -> Marks:
    """Decide on the annotations for a wish; ``moves``: the weights change as well.

    TrafficError ``fence_lost`` when a newer fence is there, ``route_is_cut`` when weight is asked for on a route that
    was cut for this very release.
    """
    after = dict(_ours(seen))
    # First of all: who has lost the fence hears of that and of nothing else.
    _check_fence(seen, wish)
    if wish.cut:
        marked = cut_of(seen)
        if marked is None or marked.release != wish.cut.release:
            after[CUT] = json.dumps(asdict(wish.cut), sort_keys=True)
    elif wish.weight > 0:
        _may_rise(seen, wish)
        after.pop(CUT, None)
    _set_fence(seen, wish, after, acts=moves or after != _ours(seen))
    return Marks(_tests(seen), tuple(_writes(seen, after)), _ours(seen), after)


def _ours(seen: Seen) -> dict[str, str]:
    return {key: value for key, value in seen.annotations.items() if key in (FENCE, CUT)}


def _set_fence(seen: Seen, wish: Wish, after: dict[str, str], *, acts: bool) -> None:
    if wish.fence is not None:
        after[FENCE] = str(wish.fence)
    elif wish.cut and acts:
        # A rollback holds no lease: it takes the next number from whoever acts here, once. Nothing that somebody wrote
        # may stop it: where that is no number it stays, and the patch tests the text as it was read all the same.
        with contextlib.suppress(TrafficError):
            after[FENCE] = str((fence_of(seen) or 0) + 1)


def _check_fence(seen: Seen, wish: Wish) -> None:
    if wish.fence is None:
        return
    there = fence_of(seen)
    if there is not None and there > wish.fence:
        raise TrafficError(
            f"{seen.target.object} carries the fence {there} and this run holds {wish.fence}: a newer run or a "
            "rollback acts here",
            reason="fence_lost",
            hint="Stop, and look at the region's record for who took over and why",
            details={"service": seen.target.service, "fence": there, "ours": wish.fence},
        )


def _may_rise(seen: Seen, wish: Wish) -> None:
    cut = cut_of(seen)
    if cut is None or wish.lift_cut or (wish.release and cut.release and cut.release != wish.release):
        return
    raise TrafficError(
        f"{seen.target} was cut{f' at {cut.time}' if cut.time else ''} for release {cut.release or 'unknown'}: "
        f"{cut.reason}; it gets no weight again",
        reason="route_is_cut",
        hint="Roll a new release out, or set lift_cut when the reason of the cut is gone",
        details={"service": seen.target.service, "cut": asdict(cut)},
    )


def _tests(seen: Seen) -> tuple[Mapping[str, Any], ...]:
    if FENCE in seen.annotations:
        return ({"op": "test", "path": _pointer(FENCE), "value": seen.annotations[FENCE]},)
    # That an annotation is absent cannot be tested. Nobody of ours has written here yet, so nothing may have changed.
    version = (seen.document.get("metadata") or {}).get("resourceVersion")
    return ({"op": "test", "path": "/metadata/resourceVersion", "value": version},)


def _writes(seen: Seen, after: Mapping[str, str]) -> list[Mapping[str, Any]]:
    before = _ours(seen)
    if before == after:
        return []
    if not seen.annotations:
        return [{"op": "add", "path": "/metadata/annotations", "value": dict(after)}]
    writes: list[Mapping[str, Any]] = [
        {"op": "add", "path": _pointer(key), "value": value} for key, value in after.items() if before.get(key) != value
    ]
    return writes + [{"op": "remove", "path": _pointer(key)} for key in before if key not in after]


def _pointer(annotation: str) -> str:
    return "/metadata/annotations/" + annotation.replace("~", "~0").replace("/", "~1")
