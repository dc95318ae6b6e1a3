# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._slo_import import promql


class ImportFault(RolloutError):
    """A document that cannot be read at all."""

    def __init__(self, where: str, seen: str, hint: str = "") -> None:
        super().__init__(f"{where} cannot be imported: {seen}", reason="slo_import", hint=hint, details={"at": where})


@dataclass
class Imported:
    """A gate file as far as a document tells it. ``not_carried``: one sentence for each thing that it said as well."""

    slos: dict[str, dict[str, Any]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    service: str = ""
    not_carried: list[str] = field(default_factory=list)

    def add(self, name: str, slo: dict[str, Any]) -> None:
        """Add an objective under a name of its own."""
        base = re.sub(r"[^a-zA-Z0-9_]+", "_", name).strip("_") or "objective"
        name, number = base, 2
        while name in self.slos:
            name, number = f"{base}_{number}", number + 1
        self.slos[name] = slo

    def lose(self, where: str, what: str) -> None:
        self.not_carried.append(f"{where}: {what}")

    def as_data(self) -> dict[str, Any]:
        found: dict[str, Any] = {"slos": self.slos, "not_carried": self.not_carried}
        return found | ({"defaults": self.defaults} if self.defaults else {}) | self._service()

    def _service(self) -> dict[str, str]:
        return {"service": self.service} if self.service else {}


def mapping(value: Any) -> Mapping[str, Any]:
    """The mapping that is given, or an empty one: documents of others hold anything."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def share_or_expression(
    part: str, total: str, good: bool, share: float, arm_labels: Iterable[str]
) -> tuple[dict[str, Any], str]:
    """An objective for "at most ``share`` of total are bad", and why it is only an expression (or nothing)."""
    chosen, whole = promql.counted(part), promql.counted(total)
    if chosen and whole:
        slo = promql.ratio(chosen.without(arm_labels), whole.without(arm_labels), good, share)
        if slo:
            return slo, ""
    query = f"({part}) / ({total})"
    why = "its queries are not two selectors of which one is part of the other, so there are no counts to judge by"
    return promql.expression(f"1 - {query}" if good else query, round(share, 9), True), why
