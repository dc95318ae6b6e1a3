# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab status`: what is up, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from . import cluster, engine, measure, platform, proc, regions, state
from .context import Lab
from .engine import Engine
from .errors import LabError

Row = tuple[str, str, str]
"""Name, state (`up`, `down`, or a word of the part's own), detail."""


def rows(lab: Lab, seconds: float) -> list[Row]:
    """Return one row for each part of the lab; CPU is measured over `seconds` (0: not at all)."""
    known = state.load(lab)
    kind = engine.remembered(lab, known.get("engine"))
    if kind is None:
        return [("lab", "down", "never brought up in this checkout: `lab up`")]
    found = _engine(lab, str(kind))
    if found is None:
        return [("engine", "down", f"the {kind} Docker does not answer: `lab up` brings it back")]
    lab.engine = found
    report: list[Row] = [("engine", "up", f"{'private' if found.is_private else 'your own'} Docker")]
    if "kubectl" not in lab.programs or not cluster.answers(lab):
        return [*report, ("cluster", "down", "its API server does not answer: `lab up` brings it back")]
    report.append(("cluster", "up", f"{lab.identity.name}, {_nodes(lab)}; KUBECONFIG={lab.paths.kubeconfig}"))
    report += _part(platform.status, "platform", lab)
    report += _part(regions.status, "regions", lab)
    return [*report, *_cost(lab, found, seconds)]


def text(report: list[Row]) -> str:
    """Return rows as a table."""
    widths = [max(len(row[i]) for row in report) for i in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {detail}" for name, value, detail in report)


def _engine(lab: Lab, kind: str) -> Engine | None:
    if kind == "own":
        return engine.own()
    found = engine.attached(lab)
    return found if proc.succeeds([found.program, "version"], env=found.env, timeout=10) else None


def _nodes(lab: Lab) -> str:
    items = json.loads(proc.run([*cluster.kubectl(lab), "get", "nodes", "-o", "json"], timeout=20))["items"]
    ready = sum(any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"]) for n in items)
    return f"{ready} of {len(items)} nodes ready, {items[0]['status']['nodeInfo']['kubeletVersion']}"


def _part(part: Callable[[Lab], Iterable[Row]], name: str, lab: Lab) -> list[Row]:
    try:
        return list(part(lab))
    except LabError as error:
        return [(name, "down", str(error))]


def _cost(lab: Lab, found: Engine, seconds: float) -> list[Row]:
    pods = json.loads(proc.run([*cluster.kubectl(lab), "get", "pods", "-A", "-o", "json"], timeout=30))["items"]
    running = sum(p["status"]["phase"] == "Running" for p in pods)
    counted: Row = ("pods", "up", f"{running} of {len(pods)} running")
    spent = measure.cost(lab, found, seconds) if seconds > 0 else None
    if spent is None:
        return [counted]
    detail = f"{spent.memory / 1024:.2f} GiB (PSS), {spent.cores:.2f} cores over {seconds:.0f} s"
    return [counted, ("cost", "up", f"{detail}, {spent.processes} processes")]
