# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objectives and stages of the production inventory are ones that the gate takes."""

from __future__ import annotations

import itertools
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Slo
from ansible_collections.tars.rollout.plugins.module_utils._metrics.match import arms_of
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate import options

ROOT = Path(__file__).parents[3]
LOADER = DataLoader()
# Since core 2.19 only what is trusted is rendered.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in signature(LOADER.load_from_file).parameters else {}
VARS: dict[str, Any] = LOADER.load_from_file(str(ROOT / "inventories/production/group_vars/all.yml"), **TRUSTED)
SERVICES: dict[str, Any] = Templar(LOADER, variables=VARS).template(VARS["rollout_services"])
ARMS = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}


def slos(service: str) -> dict[str, Any]:
    """The objectives of a service, as the inventory puts them together."""
    return dict(SERVICES[service]["slos"])


def plan_of(service: str, stage: dict[str, Any]) -> options.Plan:
    arms = ARMS if stage["weight"] < 100 else {"canary": ARMS["canary"]}
    gate = {"service": service, "arms": arms, "slos": slos(service)}
    return options.read({"services": [gate], "stage": stage, "fail_on": [], "baseline_history": "1h"})


CASES = list(itertools.product(VARS["rollout_services"], range(len(VARS["rollout_stages"]))))


@pytest.mark.parametrize(("service", "number"), CASES)
def test_each_stage_of_each_service_is_a_gate(service: str, number: int) -> None:
    stage = VARS["rollout_gate"] | VARS["rollout_stages"][number]
    found = {slo.name: slo for slo in plan_of(service, stage).specs[0].slos}
    assert {"user_errors", "error_rate", "p95", "restarts"} <= found.keys()
    assert found["user_errors"].limit == found["error_rate"].limit <= 0.02
    assert (found["p95"].max_drift is None) == (stage["weight"] == 100)


def test_the_detectors_of_the_runbooks_are_objectives() -> None:
    assert {"regression", "eval_p95"} <= slos("evaluation").keys()
    assert {"hot_reload_p95", "policy_drift", "memory"} <= slos("ppo").keys()


@pytest.mark.parametrize("service", SERVICES)
def test_exporters_that_know_pods_and_no_tracks_are_asked_for_the_pods_of_the_canary(service: str) -> None:
    spec = plan_of(service, VARS["rollout_gate"] | VARS["rollout_stages"][0]).specs[0]
    found: dict[str, Slo] = {slo.name: slo for slo in spec.slos}
    other = next(name for name in SERVICES if name != service)
    for name in ("restarts", "memory"):
        labels = {"namespace": "tars-production", "container": service, "pod": f"{service}-canary-7d4b9c6f5d-x2x7q"}
        assert arms_of(found[name], spec, labels) == ["any"]
        for pod in (f"{service}-7d4b9c6f5d-x2x7q", f"{other}-canary-7d4b9c6f5d-x2x7q"):
            assert arms_of(found[name], spec, {**labels, "pod": pod}) == []
    assert found["memory"].limit == (1.5e9 if service == "ppo" else 2.5e9)
