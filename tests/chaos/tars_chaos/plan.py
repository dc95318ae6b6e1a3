# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn, and what the audit log tells. Pure but for reading files."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

KILL, TERM, STOP = "SIGKILL", "SIGTERM", "SIGSTOP"
SIGNALS = (KILL, TERM, STOP)
ROUTES = ("virtualservices", "httproutes")


@dataclass(frozen=True)
class Trial:
    """One rollout and its kill. ``after_s``: seconds from the start of ansible-playbook. ``away_s``: until SIGCONT."""

    number: int
    signal: str
    after_s: float
    away_s: float
    good: bool


def draw(count: int, seed: int, longest_s: float, ttl: float) -> list[Trial]:
    """Every signal in turn, every fourth release a bad one, the moments spread over the whole of a rollout."""
    rng = random.Random(seed)
    # One moment in each part of the way, in drawn order: twenty kills meet every phase.
    parts = [(part + rng.random()) / count for part in range(count)]
    rng.shuffle(parts)
    return [
        Trial(
            number,
            SIGNALS[number % 3],
            round(2 + part * (longest_s - 2), 1),
            # From just before the dead-man has acted to well after it: both are ways to wake up too late.
            ttl * rng.uniform(1.1, 1.8),
            number % 4 != 3,
        )
        for number, part in enumerate(parts)
    ]


@dataclass(frozen=True)
class Write:
    """One write of a route, as the API server's audit log has it."""

    at: float
    agent: str
    name: str
    code: int


def writes(lines: Iterable[str], namespace: str, since: float) -> Iterator[Write]:
    """All writes to routes of a namespace, in the order of the log. Lines that a rotation cut off are none."""
    for line in lines:
        if namespace not in line:
            continue
        try:
            entry: Mapping[str, Any] = json.loads(line)
        except ValueError:
            continue
        about = entry.get("objectRef") or {}
        if about.get("namespace") != namespace or about.get("resource") not in ROUTES or about.get("subresource"):
            continue
        at = datetime.fromisoformat(entry["stageTimestamp"].replace("Z", "+00:00")).timestamp()
        if at >= since and entry.get("stage") == "ResponseComplete":
            code = int((entry.get("responseStatus") or {}).get("code") or 0)
            yield Write(at, str(entry.get("userAgent", "")), str(about.get("name")), code)


def two_actors(fences: Sequence[tuple[float, str, int]]) -> int:
    """How often a smaller fence was accepted after a larger one on the same route: two acted at once.

    ``fences``: moment, route and fence of each change that a watch of the routes saw.
    """
    highest: dict[str, int] = {}
    count = 0
    for _at, name, fence in fences:
        if fence < highest.get(name, 0):
            count += 1
        highest[name] = max(fence, highest.get(name, 0))
    return count
