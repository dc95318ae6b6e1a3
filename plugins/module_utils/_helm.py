# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Helm's own program, asked about one release: its revisions and its values, and what it is told to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._program import Run
from ansible_collections.tars.rollout.plugins.module_utils._values import duration, seconds_of

HELM_OPTIONS: Mapping[str, Any] = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "raw", "default": 600},
    "kubeconfig": {"type": "path"},
    "binary_path": {"type": "str", "default": "helm"},
}
"""What every module of a Helm release takes."""


@dataclass(frozen=True)
class Revision:
    """One entry of `helm history`; ``updated`` in seconds since 1970, ``of`` the revision that it has brought back."""

    number: int
    status: str
    updated: float
    of: int | None = None
    chart: str = ""


def history(text: str) -> list[Revision]:
    """The revisions that `helm history --output json` names, oldest first; ValueError for anything else."""
    found = [
        Revision(
            int(e["revision"]), str(e["status"]), seconds_of(_micro(e["updated"])), _of(e.get("description")),
            str(e.get("chart", "")),
        )
        for e in json.loads(text)
    ]  # fmt: skip
    return sorted(found, key=lambda revision: revision.number)


def chart_of(text: str) -> str:
    """Name and version as `helm history` writes them, from what `helm show chart` says; empty where it does not."""
    found = dict(re.findall(r"^(name|version):[ ]*[\"']?([^\"'#\n]+)", text, re.MULTILINE))
    return f"{found['name'].strip()}-{found['version'].strip()}" if len(found) == 2 else ""


def _of(description: object) -> int | None:
    """The revision that Helm says it has gone back to."""
    found = re.fullmatch(r"Rollback to (\d+)", str(description))
    return int(found[1]) if found else None


def _micro(text: str) -> str:
    """Helm writes nanoseconds, which Python reads no more than six digits of."""
    head, dot, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return head + dot + rest[: min(digits, 6)] + rest[digits:]


class Helm:
    """One release; ``params`` are HELM_OPTIONS. Every fault is a RolloutError ``helm_<verb>_failed``."""

    def __init__(self, program: Run, params: Mapping[str, Any]) -> None:
        self._program = program
        self._params = params

    def history(self) -> list[Revision]:
        """At least one revision."""
        text = self._do("history", "--output", "json", "--max", "100")
        try:
            found = history(text)
        except (ValueError, KeyError, TypeError) as error:
            raise self._fault("history", f"its answer is not understood ({error})") from None
        if not found:
            raise self._fault("history", "it knows no revision")
        return found

    def values(self) -> dict[str, Any]:
        """What its user has given, without what the chart says by itself."""
        text = self._ask("get", "values", self._params["name"], "--output", "json")
        try:
            found = json.loads(text) or {}
        except ValueError as error:
            raise self._fault("get", f"its answer is not understood ({error})") from None
        return dict(found) if isinstance(found, Mapping) else {}

    def chart(self, reference: str) -> str:
        """Name and version of a chart, see ``chart_of``."""
        return chart_of(self._run("show", ["chart", reference]))

    def rollback(self, revision: int) -> None:
        self._do("rollback", str(revision), *self._waiting())

    def upgrade(self, chart: str, values_file: str) -> None:
        """A new revision of a release that there is; whatever the file does not say stays."""
        self._do("upgrade", chart, "--reuse-values", "--values", values_file, *self._waiting())

    def _waiting(self) -> list[str]:
        timeout = duration("wait_timeout", self._params["wait_timeout"])
        return ["--timeout", f"{timeout:.0f}s", *(["--wait"] if self._params["wait"] else [])]

    def _do(self, verb: str, *words: str) -> str:
        return self._ask(verb, self._params["name"], *words)

    def _ask(self, verb: str, *words: str) -> str:
        where = ["--namespace", self._params["namespace"]]
        where += ["--kubeconfig", self._params["kubeconfig"]] if self._params["kubeconfig"] else []
        return self._run(verb, [*words, *where])

    def _run(self, verb: str, words: Sequence[str]) -> str:
        code, out, err = self._program([self._params["binary_path"], verb, *words])
        if code:
            raise self._fault(verb, (err.strip() or out.strip() or f"exit code {code}").splitlines()[-1])
        return out

    def _fault(self, verb: str, seen: str) -> RolloutError:
        return RolloutError(
            f"`helm {verb}` of the release {self._params['name']} in {self._params['namespace']} failed: {seen}",
            reason=f"helm_{verb}_failed",
            hint="Run helm status for it, and the same command again when that is in order",
        )
