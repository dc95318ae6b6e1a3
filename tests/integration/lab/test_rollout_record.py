# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollout_record against the lab's API server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab_tools import Demo, call, module


def record(demo: Demo, **options: Any) -> Mapping[str, Any]:
    params = {
        "kubeconfig": demo.lab.kubeconfig, "namespace": demo.namespace, "app": "tars", "region": "lab",
        "release": "2.1.0", "plan_hash": "sha256:1", "run_id": "run-1",
    }  # fmt: skip
    return call("rollout_record", {**params, **options}, demo.folder)


def test_a_life(demo: Demo) -> None:
    entered = record(demo, take_fence=True)
    assert (entered["decision"], entered["record"]["fence"]) == ("new", 1)
    for phase in ("preflight", "backed_up", "migrated", "canary"):
        record(demo, phase=phase, fence=1)
    refused = record(demo, release="2.2.0")
    assert refused["reason"] == "other_release" and "Release 2.1.0 is canary in lab since" in refused["msg"]
    assert record(demo, phase="promoted")["reason"] == "phase_order"
    assert record(demo, state="absent")["reason"] == "record_in_use"
    record(demo, phase="rolling_back", take_fence=True, reason="slo_violated")
    late = record(demo, phase="soaking", fence=1)
    assert late["reason"] == "fence_lost"
    record(demo, phase="rolled_back")
    assert record(demo)["reason"] == "already_rolled_back"
    assert record(demo, state="absent")["changed"]


def test_as_a_playbook_calls_it(demo: Demo) -> None:
    params = {"kubeconfig": demo.lab.kubeconfig, "namespace": demo.namespace, "app": "other", "region": "lab"}
    entered = module("rollout_record", {**params, "release": "1", "plan_hash": "x", "run_id": "y"})
    assert entered["decision"] == "new" and re.search(r"lab planned  20\S+Z  1  PLANNED", entered["live_lines"])
    assert module("rollout_record", {**params, "state": "absent"})["changed"]


def test_two_at_once_write_one_after_the_other(demo: Demo) -> None:
    record(demo)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda run: record(demo, run_id=f"run-{run}", take_fence=True), range(4)))
    fences = sorted(item["record"]["fence"] for item in done if "record" in item)
    # Each that got through has a fence of its own; who lost three times in a row says so.
    assert len(set(fences)) == len(fences) and fences
    assert all(item.get("reason", "record_changed") == "record_changed" for item in done)
    record(demo, state="absent")
