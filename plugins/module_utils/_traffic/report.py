# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What a call tells of each route: the result's entries, the diff, the live lines and the ledger. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._traffic import marks
from ansible_collections.tars.rollout.plugins.module_utils._traffic.follow import Followed
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Plan
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import Moved

# What each state of the second half of the proof means for a person.
WORDS = {
    "proven": "FOLLOWED",
    "unchanged": "UNCHANGED",
    "undecided": "NOT YET SHOWN",
    "not_followed": "NOT FOLLOWED",
    "no_traffic": "NO TRAFFIC",
    "not_counted": "NOT COUNTED",
    "probed": "PROBED",
}


NOT_YET = "not yet"


def planned(plan: Plan, *, observed: bool) -> dict[str, Any]:
    """One route as it would become: the result of check mode, with the keys of a real run."""
    entry = _entry(plan, changed=bool(plan.ops), reads=1, patches=0, patched_after=None)
    share = {"state": NOT_YET, **dict.fromkeys(("canary", "total", "percent", "low", "high", "after"))}
    return {**entry, "gateways": None, "gateway_after": None, "share": share} if observed else entry


def moved(item: Moved) -> dict[str, Any]:
    """One route as it became."""
    changed = item.after is not None
    patched = round(item.patched_after, 3) if changed else None
    entry = _entry(item.plan, changed=changed, reads=item.reads, patches=item.patches, patched_after=patched)
    # What the API server answered, and not what was sent to it.
    return {**entry, "after": item.after.split.share} if item.after else entry


def followed(entry: Mapping[str, Any], seen: Followed) -> dict[str, Any]:
    """The entry with what was seen at the gateways."""
    return {
        **entry,
        "gateways": seen.gateways,
        "gateway_after": round(seen.route_after, 3),
        "share": {**{key: _round(value) for key, value in asdict(seen.share).items()}, "state": seen.state,
                  "after": round(seen.share_after, 3)},
    }  # fmt: skip


def diff(plans: Sequence[Plan]) -> list[dict[str, str]]:
    """What Ansible shows with --diff: per route the weights and our annotations, as they were and as they become."""
    return [
        {
            "before_header": str(plan.target),
            "after_header": str(plan.target),
            "before": _lines(plan.diff_before),
            "after": _lines(plan.diff_after),
        }
        for plan in plans
        if plan.ops
    ]


def patched_text(item: Moved) -> str:
    before = "unknown" if item.plan.before is None else f"{item.plan.before:g} %"
    if item.after is None:
        return f"{before} already"
    return f"{before} -> {item.plan.wanted} %, patched after {item.patched_after:.2f} s"


def share_text(seen: Followed) -> str:
    """For instance: canary 52/503 (10.3 %, 7.9..13.3 %) at 2 gateways."""
    share = seen.share
    if seen.state == "probed":
        return f"all of {share.total} requests through the gateway were answered by stable"
    where = f"at {seen.gateways} gateway{'s' if seen.gateways > 1 else ''}"
    if share.percent is None:
        return f"no request {where} in {seen.share_after:.1f} s"
    return f"canary {share.canary}/{share.total} ({share.percent:.1f} %, {share.low:.1f}..{share.high:.1f} %) {where}"


def _entry(plan: Plan, *, changed: bool, reads: int, patches: int, patched_after: float | None) -> dict[str, Any]:
    target = plan.target
    fence = plan.diff_after.get(marks.FENCE)
    return {
        "service": target.service,
        "provider": target.provider,
        "object": target.object,
        "route": target.route,
        "before": plan.before,
        "wanted": plan.wanted,
        "after": float(plan.wanted),
        "changed": changed,
        "fence": int(fence) if fence is not None and fence.isdigit() else None,
        "cut": marks.CUT in plan.diff_after,
        "reads": reads,
        "patches": patches,
        "patched_after": patched_after,
    }


def _lines(data: Mapping[str, Any]) -> str:
    return "".join(f"{key}: {value if isinstance(value, str) else json.dumps(value)}\n" for key, value in data.items())


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2) if isinstance(value, float) else value
