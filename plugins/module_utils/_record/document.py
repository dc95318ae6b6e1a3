# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The record: the durable state of one release in one region, as one JSON document. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record import phases
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of

FORMAT = 1
# A ConfigMap holds 1 MiB. The whole story is in the ledger and the report.
HISTORY = 200
# Came after the first versions of this format: absent where empty, so that those read what they can understand.
_LATER = ("before",)
_MOMENTS = ("phase_since", "stage_since", "soak_until", "hold_until")


class RecordError(RolloutError):
    """What is asked does not fit what the record says."""


@dataclass(frozen=True)
class Record:
    """What is true of a release in a region. Moments are UTC texts, see ``_values``; empty means not set.

    ``weights``: percent per service as last proven. ``intent``: the act that was begun and not yet known to be done.
    ``routes``: which routes carry its traffic, as canary_weight takes them; the dead-man cuts these.
    ``before``: what stable was before it was replaced, with ``owner`` helm and its ``release`` and ``revision``, or
    ``owner`` plain and its ``deployments``. Written first and never again, so that a rollback need not guess.
    ``held``: the phase that ``holding`` holds. ``reason``: why it holds or was rolled back, a stable code.
    """

    app: str
    region: str
    release: str
    plan_hash: str
    run_id: str
    stable_release: str = ""
    phase: str = phases.PLANNED
    held: str = ""
    cohort: str = ""
    stage: int | None = None
    weights: Mapping[str, int] = field(default_factory=dict)
    fence: int = 0
    intent: Mapping[str, Any] | None = None
    phase_since: str = ""
    stage_since: str = ""
    soak_until: str = ""
    hold_until: str = ""
    on_hold: str = "restore"
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    pinned: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    routes: tuple[Mapping[str, Any], ...] = ()
    approvals: tuple[Mapping[str, Any], ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    format: int = FORMAT

    @property
    def final(self) -> bool:
        return self.phase in phases.FINAL

    def remember(self, entry: Mapping[str, Any]) -> Record:
        """With one more entry in the history, the oldest of too many gone."""
        return replace(self, history=(*self.history, dict(entry))[-HISTORY:])


def dump(record: Record) -> str:
    """The document as text, the same for the same record."""
    data = {key: value for key, value in asdict(record).items() if value or key not in _LATER}
    return json.dumps(data, sort_keys=True)


def load(text: str, where: str) -> Record:
    """The record in a document; ``where`` names it in sentences. RolloutError for anything that is not ours."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise _odd(where, f"it is no JSON ({error})") from None
    if not isinstance(data, dict):
        raise _odd(where, "it is no JSON object")
    form = data.get("format")
    if isinstance(form, int) and form > FORMAT:
        raise RolloutError(
            f"The record {where} has the format {form} and this collection knows formats up to {FORMAT}",
            reason="record_newer",
            hint="Use the version of the collection that wrote it, or a newer one",
        )
    if problem := _problem(data):
        raise _odd(where, problem)
    return Record(**{**data, **{name: tuple(data[name]) for name in ("routes", "approvals", "history")}})


_TYPES: Mapping[str, tuple[type, ...]] = {
    "stage": (int, type(None)),
    "fence": (int,),
    "format": (int,),
    "weights": (dict,),
    "evidence": (dict,),
    "pinned": (dict,),
    "before": (dict,),
    "intent": (dict, type(None)),
    "routes": (list,),
    "approvals": (list,),
    "history": (list,),
}


def _problem(data: Mapping[str, Any]) -> str:
    """What is wrong with a document, empty when nothing is. A record edited by hand shall be noticed, not obeyed."""
    names = {item.name for item in fields(Record)} - {name for name in _LATER if name not in data}
    if wrong := sorted(names ^ set(data)):
        return f"the fields {', '.join(wrong)} are {'missing' if set(wrong) <= names else 'missing or unknown'}"
    for name in names:
        value = data[name]
        if isinstance(value, bool) or not isinstance(value, _TYPES.get(name, (str,))):
            return f"{name} is {value!r}"
    if data["format"] < 1 or data["fence"] < 0:
        return f"format is {data['format']} and fence is {data['fence']}"
    if data["phase"] not in phases.PHASES:
        return f"phase is {data['phase']!r}"
    if not all(isinstance(item, int) and 0 <= item <= 100 for item in data["weights"].values()):
        return f"weights are {data['weights']!r}"
    if not _is_before(data.get("before") or {}):
        return f"before is {data['before']!r}"
    for name in _MOMENTS:
        try:
            seconds_of(data[name] or "1970-01-01T00:00:00Z")
        except ValueError:
            return f"{name} is {data[name]!r} and no moment"
    return ""


def _is_before(found: Mapping[str, Any]) -> bool:
    """Whether a rollback can go by it."""
    if found.get("owner") == "helm":
        revision = found.get("revision")
        return isinstance(revision, int) and not isinstance(revision, bool) and bool(found.get("release"))
    return not found or (found.get("owner") == "plain" and isinstance(found.get("deployments"), dict))


def _odd(where: str, problem: str) -> RolloutError:
    return RolloutError(
        f"The record {where} is not as this collection writes it: {problem}",
        reason="record_invalid",
        hint="It was edited by hand, or is none of ours: put it right, or take it away when no rollout is under way",
    )


def refused(record: Record, msg: str, reason: str, hint: str) -> RecordError:
    """The fault for a step that the record does not allow; the details say how the region stands."""
    return RecordError(
        msg, reason=reason, hint=hint,
        details={"region": record.region, "release": record.release, "phase": record.phase, "fence": record.fence},
    )  # fmt: skip
