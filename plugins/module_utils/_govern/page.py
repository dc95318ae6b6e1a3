# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The plan on one page of a terminal, in words that a release manager reads once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._govern import features
from ansible_collections.tars.rollout.plugins.module_utils._govern.plan import HOTFIX, Layout, Plan

WIDTH = 100
_HOTFIX = " - A HOT FIX: shorter, and gated all the same"


def lines(plan: Plan, layout: Layout, notes: Sequence[tuple[str, str]] = ()) -> list[str]:
    """The page. ``notes``: more rows with their heading, such as approvals and windows."""
    least, most = plan.seconds()
    waves = len(layout.order)
    out = [
        f"PLAN of {plan.app} {plan.release}{_HOTFIX if plan.kind == HOTFIX else ''}",
        f"  hash {plan.digest}",
        *_rows("regions", _layout(layout)),
        *_rows("services", "; then ".join(f"{item['name']}: {', '.join(item['services'])}" for item in plan.cohorts)),
    ]
    if others := [
        f"{name} ({service.get('kind')})" for name, service in plan.services.items() if name not in plan.tracked
    ]:
        out += _rows("no canary", f"{', '.join(others)}: replaced together with the old version")
    if flags := features.variables(plan.features, plan.feature_prefix):
        told = ", ".join(f"{name}={value}" for name, value in flags.items())
        out += _rows("flags", f"{told}: flip and go back with it")
    out.append(f"  {'stages':<10}users on it   judged for   at most    for each group of services in its turn")
    for weight, stage in zip(plan.weights, plan.stages, strict=True):
        longest = stage.get("max_bake", plan.gate.get("max_bake")) or stage["bake"]
        who = "   then a person decides" if stage.get("decision") == "person" else ""
        out.append(f"  {'':<10}{weight:>9.4g} %{stage['bake']!s:>13}{longest!s:>10}{who}")
    soaked = f"all users stay on it for {_time(plan.soak)} while the old version stands by"
    out += _rows("then", f"{soaked}; the old version is replaced, and users move over in two steps of {plan.back_bake}")
    out += _rows("goes back", f"by itself, at once, where {_objectives(plan)}")
    end = "goes back" if plan.on_hold == "restore" else "stays, and somebody must decide"
    out += _rows("undecided", f"weights stay; after {_time(plan.hold_for)} the traffic {end}")
    all_of_it = f", {_time(least * waves)} to {_time(most * waves)} in all" if waves else ""
    out += _rows("takes", f"{_time(least)} to {_time(most)} a region{all_of_it}")
    for heading, text in notes:
        out += _rows(heading, text)
    return out


def _layout(layout: Layout) -> str:
    return ", then ".join(f"{' and '.join(regions)} ({wave})" for wave, regions in layout.order) or "those of the run"


def _objectives(plan: Plan) -> str:
    """Limits by what they limit, services with the same ones together."""
    found: dict[str, list[str]] = {}
    for name in plan.tracked:
        for slo, what in plan.services[name]["slos"].items():
            found.setdefault(f"{slo} is over {what.get('limit')}", []).append(name)
    everyone = len(plan.tracked)
    told = [f"{text}{'' if len(names) == everyone else f' ({_names(names)})'}" for text, names in found.items()]
    return " or ".join(told[:6]) + (f" or {len(told) - 6} more limits are passed" if len(told) > 6 else "")


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 5 else f"{len(names)} services"


def _rows(heading: str, text: str) -> list[str]:
    """Heading and text, wrapped under itself."""
    rows, row = [], ""
    for word in text.split():
        if row and len(row) + 1 + len(word) > WIDTH - 12:
            rows.append(row)
            row = ""
        row = f"{row} {word}".strip()
    rows.append(row)
    return [f"  {heading if number == 0 else '':<10}{row}" for number, row in enumerate(rows)]


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return (
        f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    )


def policy_notes(policy: Mapping[str, Any], window: str) -> list[tuple[str, str]]:
    """Rows on who must agree and when it may move; ``window`` is what the windows say now."""
    found = []
    if approvals := policy.get("approvals"):
        who = " and ".join(
            f"{item.get('count', 1)} x {item['role']}" if int(item.get("count", 1)) > 1 else str(item["role"])
            for item in approvals
        )
        found.append(
            ("approved", f"by {who}, different people, not older than {_time(float(policy.get('max_age') or 86400))}")
        )
    if poll := policy.get("poll"):
        found.append(("poll", f"{', '.join(map(str, poll))} must say go"))
    if window:
        found.append(("window", window))
    if artifacts := policy.get("artifacts"):
        found.append(("bytes", str(artifacts)))
    for item in policy.get("overrides") or ():
        found.append(("OVERRIDE", f"{item.get('check')} is skipped: {item.get('reason')}"))
    return found
