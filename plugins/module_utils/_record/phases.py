# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The phases of a release in a region and which may follow which. Pure."""

from __future__ import annotations

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError

PLANNED = "planned"
PREFLIGHT = "preflight"
BACKED_UP = "backed_up"
MIGRATED = "migrated"
CANARY = "canary"
SOAKING = "soaking"
PROMOTING = "promoting"
PROMOTED = "promoted"
HOLDING = "holding"
ROLLING_BACK = "rolling_back"
ROLLED_BACK = "rolled_back"

PATH = (PLANNED, PREFLIGHT, BACKED_UP, MIGRATED, CANARY, SOAKING, PROMOTING, PROMOTED)
"""The way of a release that is good."""
PHASES = (*PATH, HOLDING, ROLLING_BACK, ROLLED_BACK)
FINAL = frozenset({PROMOTED, ROLLED_BACK})
TRAFFIC = frozenset({CANARY, SOAKING, PROMOTING, HOLDING, ROLLING_BACK})
"""Phases in which the canary may have traffic."""

# Where a hold was decided is where it goes on: the stage, the soak, or the traffic's way back.
_HELD = frozenset({CANARY, SOAKING, PROMOTING})
# Cohorts come one after the other, stages within them: canary follows canary.
_AGAIN = frozenset({CANARY})


class PhaseError(RolloutError):
    """A phase that may not follow the one in the record."""


def successors(phase: str, held: str = "") -> frozenset[str]:
    """Phases that may follow. ``held``: for ``holding`` the phase that is being held."""
    if phase in PATH[:-1]:
        after = {PATH[PATH.index(phase) + 1], ROLLING_BACK}
        return frozenset(after | ({HOLDING} if phase in _HELD else set()) | ({phase} & _AGAIN))
    if phase == HOLDING:
        # A decision to promote goes on where it stood, or to what comes after it.
        return frozenset({held, ROLLING_BACK}) | (successors(held) - {HOLDING} if held in _HELD else frozenset())
    # A promoted release may still be rolled back by a person; a rolled back one is done with.
    return {ROLLING_BACK: frozenset({ROLLED_BACK}), PROMOTED: frozenset({ROLLING_BACK})}.get(phase, frozenset())


def check(now: str, then: str, held: str = "") -> None:
    """PhaseError unless ``then`` may follow ``now``; the same phase once more is no step and always right."""
    if then not in PHASES:
        raise PhaseError(
            f"There is no phase {then!r}", reason="phase_unknown", hint=f"The phases are {', '.join(PHASES)}"
        )
    if then == now or then in successors(now, held):
        return
    allowed = sorted(successors(now, held), key=PHASES.index)
    raise PhaseError(
        f"The region is {now} and cannot become {then}; next may be {', '.join(allowed) or 'nothing'}",
        reason="phase_order",
        hint="Run the playbook of the rollout again: it reads the record and takes the step that is next",
        details={"phase": now, "wanted": then, "allowed": allowed},
    )
