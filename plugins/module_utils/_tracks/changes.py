# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What must change so that an object of the canary is as wanted: operations of a JSON Patch, or none. Pure.

Compared is what we own: labels, annotations, and the whole of each field of the spec that is wanted. Both sides carry
the API server's defaults, because the wanted one is made from a live object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    TrackError,
    annotations_of,
    name_of,
)
from ansible_collections.tars.rollout.plugins.module_utils._traffic.marks import FENCE

Op = Mapping[str, Any]

# A canary is never made smaller under its traffic, and an autoscaler may have made it larger.
_GROW = frozenset({"replicas", "minReplicas", "maxReplicas"})


def fence_there(document: Document) -> int:
    """The fence that an object carries; 0 where there is none that can be read."""
    text = annotations_of(document).get(FENCE, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def check_fence(document: Document, fence: int | None, what: str) -> None:
    """TrackError ``fence_lost`` when a newer run has written the object."""
    if fence is not None and fence_there(document) > fence:
        raise TrackError(
            f"{what} carries the fence {fence_there(document)} and this run holds {fence}: "
            "a newer run or a rollback acts here",
            reason="fence_lost",
            hint="Stop, and look at the region's record for who took over and why",
            details={"object": what, "fence": fence_there(document), "ours": fence},
        )


def operations(live: Document, wanted: Document) -> list[Op]:
    """The patch that makes a live object as wanted, led by tests of what must not have changed; empty: it is."""
    writes = [*_metadata(live, wanted), *_spec(live, wanted)]
    return [*_tests(live), *writes] if writes else []


def template_differs(live: Document, wanted: Document) -> bool:
    """Whether its pods would be replaced."""
    return "template" in wanted["spec"] and _plain(live["spec"]["template"]) != _plain(wanted["spec"]["template"])


def annotated(live: Document, values: Mapping[str, str], spec: Mapping[str, Any], gone: Sequence[str] = ()) -> list[Op]:
    """Set annotations and fields of the spec, remove the annotations ``gone``; of an object that is not ours."""
    notes = annotations_of(live)
    writes: list[Op] = [
        {"op": "add", "path": f"/spec/{key}", "value": value}
        for key, value in spec.items()
        if live["spec"].get(key) != value
    ]
    writes += [{"op": "remove", "path": f"/metadata/annotations/{_escaped(key)}"} for key in gone if key in notes]
    return guarded(live, writes, values)


def guarded(live: Document, writes: Sequence[Op], values: Mapping[str, str]) -> list[Op]:
    """These writes and annotations behind tests of what must not have changed meanwhile; empty when nothing is new."""
    notes = annotations_of(live)
    marks = _set(live, "annotations", {key: value for key, value in values.items() if notes.get(key) != value})
    return [*_tests(live), *writes, *marks] if writes or marks else []


def _tests(live: Document) -> list[Op]:
    tests: list[Op] = [{"op": "test", "path": "/metadata/uid", "value": live["metadata"].get("uid")}]
    if FENCE in annotations_of(live):
        path = f"/metadata/annotations/{_escaped(FENCE)}"
        tests.append({"op": "test", "path": path, "value": annotations_of(live)[FENCE]})
    # The resourceVersion changes with each pod that becomes ready; the generation only with the spec. Where a kind has
    # none, its spec is compared.
    generation = live["metadata"].get("generation")
    if generation is not None:
        return [*tests, {"op": "test", "path": "/metadata/generation", "value": generation}]
    return [*tests, {"op": "test", "path": "/spec", "value": live["spec"]}]


def _metadata(live: Document, wanted: Document) -> Iterator[Op]:
    for part in ("labels", "annotations"):
        values = wanted["metadata"].get(part) or {}
        have = (live["metadata"].get(part)) or {}
        yield from _set(live, part, {key: value for key, value in values.items() if have.get(key) != value})


def _set(live: Document, part: str, values: Mapping[str, str]) -> Sequence[Op]:
    if not values:
        return []
    if not (live["metadata"].get(part) or {}):
        return [{"op": "add", "path": f"/metadata/{part}", "value": dict(values)}]
    return [{"op": "add", "path": f"/metadata/{part}/{_escaped(key)}", "value": value} for key, value in values.items()]


def _spec(live: Document, wanted: Document) -> Iterator[Op]:
    for key, value in wanted["spec"].items():
        there = live["spec"].get(key)
        if key in _GROW and there is not None and int(there) >= int(value):
            continue
        if _plain(there) != _plain(value):
            if key == "selector" and "template" in wanted["spec"]:
                raise TrackError(
                    f"The Deployment {name_of(live)} selects its pods in another way than the canary must, "
                    "and that never changes",
                    reason="canary_selector",
                    hint="Take the canary track away first (state: absent), then make it anew",
                    details={"object": name_of(live)},
                )
            yield {"op": "add", "path": f"/spec/{key}", "value": value}


def _plain(value: Any) -> Any:
    """Without what is absent and what is empty by the server's habit: null, and a template's creationTimestamp."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
