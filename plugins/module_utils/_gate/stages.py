# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._gate import units
from ansible_collections.tars.rollout.plugins.module_utils._gate.checked import GateFileError, mapping, only, typed

TIMES = ("bake", "settle", "max_bake", "scrape", "alpha", "beta", "early_pass")
# Who decides after the gate, a person or nobody, is no matter of the gate: a stage is one entry of data all the same.
KEYS = {*TIMES, "strata", "weight", "limits", "max_drift", "decision"}

Stage = Mapping[str, Any]


def chosen(here: str, raw: Any, stage: Stage, check: Callable[[Stage], object]) -> Stage:
    """What holds in ``stage``: the entry of the gate file's own stages that has its weight, under what ``stage`` says.

    ``check`` parses the gate file as judged in an entry. Every entry is checked, whichever is chosen: a fault in a
    later stage is better known before the first one.
    """
    if raw is None:
        return stage
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise GateFileError(f"{here}: stages", f"{raw!r} is no list", "Such as stages: [{weight: 10, bake: 10m}]")
    entries: dict[float, Stage] = {}
    for number, item in enumerate(raw):
        where = f"{here}: stages[{number}]"
        entry = mapping(where, item)
        only(entry, KEYS, where)
        weight = typed(f"{where}: weight", units.weight, entry.get("weight"))
        if weight in entries:
            raise GateFileError(where, f"the weight {weight:g} is there twice", "Put all of a stage into one entry")
        try:
            check(entry)
        except GateFileError as error:
            raise GateFileError(where, f"{error.where.removeprefix(f'{here}: ')}: {error.seen}", error.hint) from None
        entries[weight] = entry
    if stage.get("weight") is None:
        return stage
    entry = entries.get(typed(f"{here}: stage weight", units.weight, stage["weight"]), {})
    limits = {**mapping(here, entry.get("limits")), **mapping(f"{here}: stage limits", stage.get("limits"))}
    return {**entry, **{key: value for key, value in stage.items() if value is not None}, "limits": limits}
