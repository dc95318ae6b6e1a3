# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Who else writes a route: an owner that sets it back by itself, or somebody who has written it since we did. Pure.

All of it stands in the object that is read anyway, so knowing costs no call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MANAGER = "tars.rollout"

OWNERS = ("argo_cd", "argo_rollouts", "flagger")
"""Who may be said to leave the weights alone, by the names of the option ``tolerate``."""

# The programs' own names, under which the API server notes what they write.
_MANAGERS = {
    "argocd-controller": "argo_cd",
    "argocd-application-controller": "argo_cd",
    "rollouts-controller": "argo_rollouts",
    "argo-rollouts": "argo_rollouts",
    "flagger": "flagger",
}
_ARGO_CD = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
_ROUTES = {"f:http", "f:rules"}


@dataclass(frozen=True)
class Writer:
    """``owner`` is one of OWNERS, or empty for somebody who wrote once. ``seen`` completes "<object> ..."."""

    owner: str
    seen: str
    hint: str


def owners(document: Mapping[str, Any]) -> Iterator[Writer]:
    """Programs that write this route by themselves, again and again."""
    metadata = document.get("metadata") or {}
    for owner in metadata.get("ownerReferences") or []:
        group = str(owner.get("apiVersion", "")).partition("/")[0]
        if (group, owner.get("kind")) == ("flagger.app", "Canary"):
            hint = "Delete that Canary, or let Flagger roll this service out"
            yield Writer("flagger", f"belongs to Flagger's Canary {owner.get('name')}", hint)
        if (group, owner.get("kind")) == ("argoproj.io", "Rollout"):
            hint = "Let Argo Rollouts roll this service out, or take the route from it"
            yield Writer("argo_rollouts", f"belongs to the Rollout {owner.get('name')} of Argo Rollouts", hint)
    told = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    for key in _ARGO_CD:
        if told.get(key):
            hint = "Pause auto-sync or let it ignore the weights, its parents as well, and then say so with tolerate"
            yield Writer("argo_cd", f"is under Argo CD ({str(told[key]).partition(':')[0]}), which sets it back", hint)
            break
    last = _last(_writes(document))
    if last and (owner := _MANAGERS.get(last[0])) and owner != "argo_cd":
        yield Writer(
            owner, f"was last written by {last[0]}", "Let it go of this route first, or let it roll the service out"
        )


def since_ours(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Who wrote the routes after us, and when, by the API server's own notes; None when what we wrote stands.

    The list of routes has one owner: whoever changed it last. Others appear beside us when they write the same values.
    Where we wrote our annotations alone, the list stays its writer's, who wrote it before.
    """
    writes = _writes(document)
    last = _last(writes)
    if last is None or any(manager == MANAGER for manager, _at in writes):
        return None
    # The notes count in seconds: within one of them nobody knows who was first, and then it is said.
    return last if last[1] >= _ours_at(document) else None


def _writes(document: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [
        (str(entry.get("manager", "")), str(entry.get("time", "")))
        for entry in (document.get("metadata") or {}).get("managedFields") or []
        if _ROUTES & set((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]


def _ours_at(document: Mapping[str, Any]) -> str:
    """When we last wrote anything of the object, empty where we did not."""
    noted = (document.get("metadata") or {}).get("managedFields") or []
    return max((str(entry.get("time", "")) for entry in noted if entry.get("manager") == MANAGER), default="")


def _last(writes: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    return max(writes, key=lambda write: write[1]) if writes else None
