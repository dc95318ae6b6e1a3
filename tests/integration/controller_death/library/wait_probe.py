# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that only waits: writes a live line and a heart-beat file, and ends when told to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._module import Call, run_module
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line
from ansible_collections.tars.rollout.plugins.module_utils._wait import Observation, wait_for

BEAT = 0.05


def run(call: Call) -> Mapping[str, Any]:
    region = call.params["region"]
    beats = Path(call.params["folder"], f"{region}.beats")
    end = call.clock.monotonic() + call.params["seconds"]

    def look() -> Observation:
        with beats.open("a") as file:
            file.write(f"{call.clock.now():.3f}\n")
        return Observation(call.clock.monotonic() >= end, "still waiting")

    call.progress.line(Line(region, "wait[1]", "probe", f"written {call.clock.now():.4f} {call.params['token']}"))
    if call.params["deaf"]:
        while not look().done:
            time.sleep(BEAT)
    waited = wait_for("the end of the test", look, clock=call.clock, budget=call.params["seconds"], interval=BEAT)
    call.progress.line(Line(region, "wait[1]", "probe", f"written {call.clock.now():.4f}", "DONE"))
    return {"changed": False, "attempts": waited.attempts}


def main() -> None:
    spec = {
        "folder": {"type": "path", "required": True},
        "region": {"type": "str", "required": True},
        "seconds": {"type": "float", "required": True},
        "deaf": {"type": "bool", "default": False},
        "token": {"type": "str", "no_log": True, "default": ""},
    }
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), run)


if __name__ == "__main__":
    main()
