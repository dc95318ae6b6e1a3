# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""How regions stand, for people: one row per region, with the exact command to go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._record import phases
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._record.entry import CONTROLLER_LOST
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease

AWAITING = "awaiting_decision"
# The intent of a rollback of a promoted region: stable is restored in place, see the role rollback.
RESTORE = "restore"
HEADS = ("region", "release", "phase", "cohort", "stage", "weight", "who", "since", "go on with")


@dataclass(frozen=True)
class Row:
    """``who``: who acts there now, or acted last in brackets. ``command``: empty where there is nothing to do."""

    region: str
    release: str = ""
    phase: str = ""
    cohort: str = ""
    stage: str = ""
    weight: str = ""
    who: str = ""
    since: str = ""
    command: str = ""

    def data(self) -> dict[str, str]:
        return asdict(self)


def row(region: str, host: str, record: Record | None, lease: Lease | None, now: float, words: str) -> Row:
    """``host``: its name in the inventory. ``words``: how a playbook of this collection is called, up to its name."""
    if record is None:
        return Row(region, phase="no release yet")
    held = f" of {record.held}" if record.held else ""
    reason = f" ({record.reason})" if record.reason and record.phase not in phases.PATH else ""
    live = lease is not None and bool(lease.holder) and not lease.expired(now)
    return Row(
        region,
        record.release,
        f"{record.phase}{held}{reason}",
        record.cohort,
        "" if record.stage is None else str(record.stage),
        _weights(record),
        lease.holder if live and lease else f"({record.run_id})",
        record.phase_since[:19] + "Z",
        command(host, record, live, words),
    )


def command(host: str, record: Record, live: bool, words: str) -> str:
    """What a person types to go on. Nothing when all is done, or somebody is at work."""
    go_on = f"{words}ga_rollout.yml -e rollout_release={record.release}"
    if record.phase == phases.PROMOTED or live:
        return ""
    if record.phase == phases.HOLDING and record.reason == AWAITING and not approved(record):
        return f"{words}decide.yml --limit {host} -e decide=promote -e decide_why=..."
    if record.phase == phases.ROLLING_BACK and (record.intent or {}).get("act") == RESTORE:
        return f"{words}rollback.yml -e rollback_of={record.release}"
    if record.phase == phases.ROLLED_BACK and record.reason != CONTROLLER_LOST:
        return f"{go_on} -e rollout_supersede=true"
    return go_on


def approved(record: Record) -> bool:
    """Whether a person decided that the cohort and stage at which the record stands may go on."""
    return any(
        (item.get("decision"), item.get("cohort"), item.get("stage")) == ("promote", record.cohort, record.stage)
        for item in record.approvals
    )


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of equal columns, the heads first."""
    cells = [HEADS, *(tuple(item.data().values()) for item in rows)]
    wide = [max(len(line[at]) for line in cells) for at in range(len(HEADS))]
    return ["  ".join(text.ljust(size) for text, size in zip(line, wide, strict=True)).rstrip() for line in cells]


def _weights(record: Record) -> str:
    """One number where all are alike, else each by its service."""
    found: Mapping[str, Any] = record.weights
    if len(set(found.values())) <= 1:
        return "".join(f"{value} %" for value in list(found.values())[:1])
    return ", ".join(f"{name} {value} %" for name, value in sorted(found.items()))
