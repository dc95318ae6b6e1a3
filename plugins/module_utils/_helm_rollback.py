# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What the module helm_rollback does: bring a Helm release back to a revision that was whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._helm import Helm, Revision
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._program import Run

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
LOOK_S = 2.0


def last_good(revisions: Sequence[Revision]) -> Revision | None:
    """The newest revision that is deployed, else the newest that once was; None when there never was one."""
    for status in ("deployed", "superseded"):
        for revision in reversed(revisions):
            if revision.status == status:
                return revision
    return None


def run(call: Call, program: Run) -> Mapping[str, Any]:
    """Look, wait for an operation that may still run, and roll back where that is what is wanted."""
    params = call.params
    helm = Helm(program, params)
    revisions = helm.history()
    until = call.clock.monotonic() + params["stale_after"]
    while _is_pending(revisions) and not _is_stale(revisions, call.clock.now(), params["stale_after"]):
        # Somebody's helm may still be at work on it, and ends by itself.
        call.clock.sleep(LOOK_S, f"waiting for the operation that runs on the Helm release {params['name']}")
        revisions = helm.history()
        if call.clock.monotonic() > until:
            break
    now = revisions[-1]
    good = getattr(last_good(revisions), "number", None)
    result = {"changed": False, "revision": now.number, "status": now.status, "to": None, "good": good}
    if params["only_pending"] and not _is_pending(revisions):
        return result
    wanted = params["revision"] or good
    # First of all: a revision that is brought back already is needed no more, even where Helm has let go of it.
    if wanted is not None and now.status == "deployed" and wanted in (now.number, now.of):
        return result
    if wanted is None or not any(revision.number == wanted for revision in revisions):
        raise RolloutError(
            f"The Helm release {params['name']} in {params['namespace']} has no revision "
            f"{'that was ever whole' if wanted is None else wanted} to go back to",
            reason="no_revision",
            hint=f"It has {', '.join(f'{r.number} ({r.status})' for r in revisions)}",
            details={"good": good},
        )
    if not call.check_mode:
        call.stop.check("about to roll the Helm release back")
        helm.rollback(wanted)
    return {**result, "changed": True, "to": wanted}


def _is_pending(revisions: Sequence[Revision]) -> bool:
    return revisions[-1].status in PENDING


def _is_stale(revisions: Sequence[Revision], now: float, after: float) -> bool:
    return now - revisions[-1].updated > after
