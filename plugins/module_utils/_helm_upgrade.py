# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What the module helm_upgrade does: a new revision of a Helm release, with some of its values changed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._helm import Helm
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._program import Run


def merged(there: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them: mappings key by key, null takes a key away, anything else replaces."""
    found = dict(there)
    for key, value in values.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            inner = found.get(key)
            found[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            found[key] = value
    return found


def run(call: Call, program: Run, folder: str) -> Mapping[str, Any]:
    """Look, and upgrade unless the last revision is whole, of this chart, and has these values. ``folder``: for a file
    with the values, which may be secret and so never stand in arguments.
    """
    params = call.params
    helm = Helm(program, params)
    last = helm.history()[-1]
    there = helm.values()
    wanted = merged(there, params["values"])
    chart = helm.chart(params["chart_ref"])
    same = last.status == "deployed" and wanted == there and chart != "" and chart == last.chart
    result = {
        "changed": not same, "revision": last.number, "status": last.status,
        "diff": {"before": _shown(there, params["values"]), "after": _shown(wanted, params["values"])},
    }  # fmt: skip
    if same or call.check_mode:
        return result
    call.stop.check("about to upgrade the Helm release")
    handle, path = tempfile.mkstemp(suffix=".json", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(params["values"], file)
        helm.upgrade(params["chart_ref"], path)
    finally:
        os.unlink(path)
    now = helm.history()[-1]
    if now.number <= last.number:
        raise RolloutError(
            f"Helm said that it upgraded the release {params['name']} in {params['namespace']}, whose last revision is "
            f"still {now.number}",
            reason="helm_upgrade_failed",
            hint="See that the same helm and the same storage of releases (HELM_DRIVER) are used everywhere",
        )
    return {**result, "revision": now.number, "status": now.status}


def _shown(values: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Of what is there only that which is asked for: the rest may be secret."""
    return json.dumps(_part(values, wanted), indent=2, sort_keys=True) + "\n"


def _part(values: Any, wanted: Any) -> Any:
    if not isinstance(values, Mapping) or not isinstance(wanted, Mapping):
        return values
    return {key: _part(values.get(key), value) for key, value in wanted.items()}
