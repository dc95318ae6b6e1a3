# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objectives and stages of the production inventory are ones that the gate takes."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate import options

ROOT = Path(__file__).parents[3]
VARS: dict[str, Any] = yaml.safe_load((ROOT / "inventories/production/group_vars/all.yml").read_text(encoding="utf-8"))
ARMS = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}


def slos(service: str) -> dict[str, Any]:
    """What the template of a service's objectives adds up to."""
    names = re.findall(r"tars_\w*slos", VARS["rollout_services"][service]["slos"])
    return {key: value for name in names for key, value in VARS[name].items()}


CASES = list(itertools.product(VARS["rollout_services"], range(len(VARS["rollout_stages"]))))


@pytest.mark.parametrize(("service", "number"), CASES)
def test_each_stage_of_each_service_is_a_gate(service: str, number: int) -> None:
    stage = VARS["rollout_gate"] | VARS["rollout_stages"][number]
    arms = ARMS if stage["weight"] < 100 else {"canary": ARMS["canary"]}
    gate = {"service": service, "arms": arms, "slos": slos(service)}
    plan = options.read({"services": [gate], "stage": stage, "fail_on": [], "baseline_history": "1h"})
    found = {slo.name: slo for slo in plan.specs[0].slos}
    assert {"user_errors", "error_rate", "p95", "restarts"} <= found.keys()
    assert found["user_errors"].limit == found["error_rate"].limit <= 0.02
    assert (found["p95"].max_drift is None) == (stage["weight"] == 100)


def test_the_detectors_of_the_runbooks_are_objectives() -> None:
    assert {"regression", "eval_p95"} <= slos("evaluation").keys()
    assert {"hot_reload_p95", "policy_drift", "memory"} <= slos("ppo").keys()
