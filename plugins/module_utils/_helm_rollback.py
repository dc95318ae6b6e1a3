# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What the module helm_rollback does: bring a Helm release back to a revision that was whole."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._values import duration, seconds_of

Run = Callable[[Sequence[str]], tuple[int, str, str]]
"""Runs a program: exit code, stdout, stderr."""

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
LOOK_S = 2.0


@dataclass(frozen=True)
class Revision:
    """One entry of `helm history`; ``updated`` in seconds since 1970, ``of`` the revision that it has brought back."""

    number: int
    status: str
    updated: float
    of: int | None = None


def history(text: str) -> list[Revision]:
    """The revisions that `helm history --output json` names, oldest first; ValueError for anything else."""
    found = [
        Revision(int(e["revision"]), str(e["status"]), seconds_of(_micro(e["updated"])), _of(e.get("description")))
        for e in json.loads(text)
    ]
    return sorted(found, key=lambda revision: revision.number)


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
    helm = _Helm(program, params)
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


def _of(description: object) -> int | None:
    """The revision that Helm says it has gone back to."""
    found = re.fullmatch(r"Rollback to (\d+)", str(description))
    return int(found[1]) if found else None


def _micro(text: str) -> str:
    """Helm writes nanoseconds, which Python reads no more than six digits of."""
    head, dot, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return head + dot + rest[: min(digits, 6)] + rest[digits:]


class _Helm:
    def __init__(self, program: Run, params: Mapping[str, Any]) -> None:
        self._program = program
        self._params = params

    def history(self) -> list[Revision]:
        text = self._do("history", "--output", "json", "--max", "100")
        try:
            found = history(text)
        except (ValueError, KeyError, TypeError) as error:
            raise self._fault("history", f"its answer is not understood ({error})") from None
        if not found:
            raise self._fault("history", "it knows no revision")
        return found

    def rollback(self, revision: int) -> None:
        words = ["--wait"] if self._params["wait"] else []
        timeout = duration("wait_timeout", self._params["wait_timeout"])
        self._do("rollback", str(revision), "--timeout", f"{timeout:.0f}s", *words)

    def _do(self, verb: str, *words: str) -> str:
        first, *rest = words
        name = [self._params["name"], first, *rest]
        where = ["--namespace", self._params["namespace"]]
        where += ["--kubeconfig", self._params["kubeconfig"]] if self._params["kubeconfig"] else []
        code, out, err = self._program([self._params["binary_path"], verb, *name, *where])
        if code:
            raise self._fault(verb, (err.strip() or out.strip() or f"exit code {code}").splitlines()[-1])
        return out

    def _fault(self, verb: str, seen: str) -> RolloutError:
        return RolloutError(
            f"`helm {verb}` of the release {self._params['name']} in {self._params['namespace']} failed: {seen}",
            reason=f"helm_{verb}_failed",
            hint="Run helm status for it, and the same command again when that is in order",
        )
