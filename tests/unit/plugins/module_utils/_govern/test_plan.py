# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a whole: every fault is named, the hash follows what matters, the page says it in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _rollout_plan
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._gate import stages
from ansible_collections.tars.rollout.plugins.module_utils._govern import lint, plan
from ansible_collections.tars.rollout.plugins.module_utils._govern.plan import Plan
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop

SLOS = {"error_rate": {"ratio": "http_requests_total", "bad": {"status": "5.."}, "limit": "1%", "violation": "5%"}}
P95 = {"latency": "http_request_duration_seconds", "quantile": "p95", "limit": "100ms"}
GOOD: Mapping[str, Any] = {
    "app": "tars", "release": "1.0.1", "image_tag": None, "kind": "standard",
    "stages": [{"weight": 10, "bake": "10m"}, {"weight": 50, "bake": "10m"}, {"weight": 100, "bake": "10m"}],
    "cohorts": [{"name": "backend", "services": ["api", "insight"]}, {"name": "agents", "services": ["ppo"]}],
    "services": {
        "api": {"slos": SLOS, "routes": [{"provider": "istio"}, {"provider": "gateway_api", "kind": "HTTPRoute"}]},
        "insight": {"slos": {**SLOS, "p95": P95}},
        "ppo": {"slos": SLOS},
        "worker": {"kind": "worker", "with_stable": True},
    },
    "gate": {"settle": "30s", "max_bake": "20m", "scrape": "15s", "alpha": "1%", "beta": "5%"},
    "soak": 1800, "back_bake": "10m", "longest_request": 30, "hold_for": 3600, "on_hold": "restore",
    "features": {}, "feature_prefix": "FEATURE_",
    "waves": ["staging", "wave_1", "wave_2"], "regions": {"staging": ["staging"], "wave_1": ["us-west-2", "us-east-1"]},
    "rules": {}, "policy": {}, "show": False, "region": "", "namespace": "tars", "check_rights": False, "rights": [],
    "check_capacity": False, "max_use": "100%", "certificates": [], "secrets": [], "skip": [],
    "enforce": True,
}  # fmt: skip
Run = Callable[..., Mapping[str, Any]]


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def run(clock: Any, warnings: list[str]) -> Run:
    def act(**change: Any) -> Mapping[str, Any]:
        params = {**copy.deepcopy(dict(GOOD)), **change}
        return _rollout_plan.run(Call(params, False, warnings.append, clock, Stop(), Progress(), Scrubber()))

    return act


def test_a_good_plan(run: Run) -> None:
    found = run()
    assert found["names"] == ["api", "insight", "ppo"] and found["regions"] == ["staging", "us-west-2", "us-east-1"]
    assert [(step["cohort"], step["stage"], step["what"]["weight"]) for step in found["steps"]] == [
        (cohort, stage, weight) for cohort in ("backend", "agents") for stage, weight in enumerate((10, 50, 100))
    ]
    assert [route["name"] for route in found["routes"]["api"]] == ["api", "api (gateway_api)"]
    assert found["routes"]["ppo"] == [
        {"name": "ppo", "provider": "istio", "object": {"namespace": "tars", "name": "ppo"}, "route": "primary",
         "stable": "ppo", "canary": "ppo-canary"}
    ]  # fmt: skip
    asked = {**GOOD["services"], "ppo": {"routes": [{"provider": "gateway_api", "kind": "GRPCRoute"}]}}
    made = Plan("tars", "1", "1", "standard", [], GOOD["cohorts"], asked, {}, 0, "10m")
    assert plan.route_kinds(made) == ["GRPCRoute", "HTTPRoute", "VirtualService"]
    assert found["tracks"] == [{"name": name} for name in ("api", "insight", "ppo")]
    assert found["workers"] == []
    # Two cohorts of three stages, a soak, two steps back, two longest requests.
    assert found["seconds"]["least"] == 2 * 3 * 600 + 1800 + 2 * 600 + 60


def test_a_worker_with_a_canary_has_no_route(run: Run) -> None:
    services = {**GOOD["services"], "worker": {"kind": "worker", "slos": SLOS}}
    found = run(services=services, cohorts=[{"name": "all", "services": ["worker", "api", "insight", "ppo"]}])
    assert found["workers"] == ["worker"] and found["names"][0] == "worker"
    assert sorted(found["routes"]) == ["api", "insight", "ppo"]
    assert found["tracks"][0] == {"name": "worker", "kind": "worker"}


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"stages": []}, "plan_stages", "no stages"),
    ({"stages": [{"weight": 50, "bake": "10m"}, {"weight": 10, "bake": "10m"}]}, "plan_stages", "weights 50, 10"),
    ({"stages": [{"weight": 0, "bake": "10m"}, {"weight": 100, "bake": "10m"}]}, "plan_stages", "weights 0, 100"),
    ({"stages": [{"weight": True, "bake": "10m"}, {"weight": 100, "bake": "10m"}]}, "plan_stages", "weights -1"),
    ({"stages": [{"weight": 12.5, "bake": "10m"}, {"weight": 100, "bake": "10m"}]}, "plan_stages", "whole numbers"),
    ({"back_bake": "90m"}, "plan_gate", "back_bake: "),
    ({"back_bake": "5s"}, "plan_gate", "back_bake: "),
    ({"soak": 300000}, "plan_gate", "soak: "),
    ({"stages": [{"weight": 100}]}, "plan_stages", "stage 0 has no bake"),
    ({"stages": [{"weight": 100, "bake": "10m", "wait": 1}]}, "plan_stages", "the key 'wait'"),
    ({"stages": [{"weight": 100, "bake": "10m", "decision": "coin"}]}, "plan_stages", "the decision 'coin'"),
    ({"stages": [{"weight": 100, "bake": 10}]}, "plan_gate", "bake"),
    ({"stages": ["10", "100"]}, "plan_stages", "no stages"),
    ({"kind": "urgent"}, "plan_kind", "its kind is 'urgent'"),
    ({"cohorts": [{"name": "a"}]}, "plan_cohorts", "no name or no services"),
    ({"cohorts": ["api"]}, "plan_cohorts", "no name or no services"),
    ({"cohorts": [{"name": "a", "services": "api"}]}, "plan_cohorts", "no name or no services"),
    ({"cohorts": [{"name": "a", "services": ["api", "insight", "ppo", 7]}]}, "plan_cohorts", "name 7"),
    ({"services": {**GOOD["services"], "ppo": "x"}}, "plan_cohorts", "the kind 'none'"),
    ({"services": {**GOOD["services"], "ppo": {"slos": SLOS, "routes": "x"}}}, "plan_services", "no list of routes"),
    ({"services": {**GOOD["services"], "ppo": {"slos": SLOS, "routes": ["x"]}}}, "plan_services", "no list of routes"),
    ({"cohorts": []}, "plan_cohorts", "no name or no services"),
    ({"cohorts": [{"name": "a", "services": ["api"]}, {"name": "a", "services": ["insight", "ppo"]}]},
     "plan_cohorts", "a is there twice"),
    ({"cohorts": [{"name": "a", "services": ["api", "insight", "ppo", "api"]}]},
     "plan_cohorts", "api is there twice"),
    ({"cohorts": [{"name": "a", "services": ["api", "insight", "ppo", "gone"]}]}, "plan_cohorts", "name gone"),
    ({"cohorts": [{"name": "a", "services": ["api", "insight", "ppo", "worker"]}]}, "plan_cohorts", "name worker"),
    ({"cohorts": [{"name": "a", "services": ["api"]}]}, "plan_cohorts", "insight, ppo is in no cohort"),
    ({"services": {**GOOD["services"], "worker": {"kind": "worker"}}}, "plan_cohorts", "worker is in no cohort"),
    ({"services": {**GOOD["services"], "worker": {"kind": "worker"}}}, "plan_cohorts", "worker has no objectives"),
    ({"services": {"worker": {"kind": "worker", "slos": SLOS}}, "cohorts": [{"name": "a", "services": ["worker"]}]},
     "plan_cohorts", "workers only"),
    ({"services": {**GOOD["services"], "leader": {"kind": "singleton"}}},
     "plan_services", "leader can have no canary beside it"),
    ({"services": {**GOOD["services"], "worker": {"kind": "daemon"}}}, "plan_services", "the kind 'daemon'"),
    ({"services": {**GOOD["services"], "ppo": {}}}, "plan_services", "ppo has no objectives"),
    ({"services": {**GOOD["services"], "ppo": {"slos": {"x": {"ratio": "a", "limit": 1}}}}},
     "plan_gate", "service ppo"),
    ({"regions": {"staging": ["a"], "wave_1": ["a"]}}, "plan_waves", "the region a is in two waves"),
    ({"region": "eu-west-1"}, "plan_waves", "eu-west-1 is in none of the waves"),
    ({"regions": {"staging": []}}, "plan_waves", "no wave has a region"),
    ({"regions": {"staging": "a"}}, "plan_waves", "is no list"),
    ({"back_bake": "10"}, "plan_times", "back_bake"),
    ({"soak": -1}, "plan_times", "below 0"),
    ({"features": ["NEW_UI"]}, "plan_features", "its flags are ['NEW_UI'], which is no mapping"),
    ({"features": {"new-ui": True}}, "plan_features", "a flag has the name 'new-ui'"),
    ({"features": {7: True}}, "plan_features", "a flag has the name 7"),
    ({"features": {"NEW_UI": None}}, "plan_features", "the flag NEW_UI has the value None"),
    ({"features": {"NEW_UI": float("inf")}}, "plan_features", "the flag NEW_UI has the value inf"),
    ({"features": {"2_UIS": True}, "feature_prefix": ""}, "plan_features", "would be the variable 2_UIS"),
    ({"features": {"NEW_UI": True}, "feature_prefix": "my-"}, "plan_features", "variables is 'my-'"),
    ({"release": "", "image_tag": ""}, "plan_release", "no release"),
    ({"rules": {"standard": {"min_stages": 5}}}, "plan_rules", "it has 3 stages"),
    ({"rules": {"standard": {"min_bake": "15m"}}}, "plan_rules", "judged for 600 s only"),
    ({"rules": {"standard": {"min_soak": "1h"}}}, "plan_rules", "soaks for 1800 s"),
    ({"rules": {"standard": {"max_first_weight": 5}}}, "plan_rules", "begins with 10 %"),
    ({"rules": {"standard": {"max_step": 45}}}, "plan_rules", "a stage adds 50 %"),
    ({"rules": {"standard": {"max_regions_at_once": 1}}}, "plan_rules", "wave_1 has 2 regions at once"),
    ({"rules": {"standard": {"min_steps": 1}}}, "plan_rules", "the rule 'min_steps'"),
    ({"rules": {"standard": {"min_bake": "long"}}}, "plan_rules", "'long'"),
    ({"kind": "hotfix", "stages": [{"weight": 100, "bake": "10m"}]}, "plan_rules", "it has 1 stages"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "words"), WRONG)
def test_what_is_wrong_is_named(run: Run, change: Mapping[str, Any], code: str, words: str) -> None:
    with pytest.raises(RolloutError) as caught:
        run(**change)
    assert caught.value.reason == code and words in str(caught.value), str(caught.value)


def test_everything_that_is_wrong_is_named_at_once(run: Run) -> None:
    with pytest.raises(RolloutError) as caught:
        run(stages=[{"weight": 5, "bake": "1m"}], cohorts=[{"name": "a", "services": ["api"]}])
    assert "weights 5" in str(caught.value) and "is in no cohort" in str(caught.value)
    assert len(caught.value.details["problems"]) == 2


@pytest.mark.parametrize("change", [change for change, _code, _words in WRONG])
def test_a_rollback_is_told_and_not_stopped(run: Run, warnings: list[str], change: Mapping[str, Any]) -> None:
    found = run(enforce=False, **change)
    assert any("The plan would be refused" in text for text in warnings)
    # What can be read of the plan is brought back.
    cohorts = [item for item in change.get("cohorts", GOOD["cohorts"]) if isinstance(item, dict)]
    given = [item.get("services") for item in cohorts if item.get("name") and isinstance(item.get("services"), list)]
    names = [name for names in given for name in names if isinstance(name, str)]
    routed = [name for name in dict.fromkeys(names) if name not in found["workers"]]
    assert found["names"] == names and list(found["routes"]) == routed


def test_a_hot_fix_may_be_shorter_and_is_gated(run: Run) -> None:
    rules = {"standard": {"min_stages": 3, "min_bake": "10m", "min_soak": "30m"}, "hotfix": {"min_bake": "3m"}}
    short = {"stages": [{"weight": 25, "bake": "3m"}, {"weight": 100, "bake": "3m"}], "soak": 300, "rules": rules}
    with pytest.raises(RolloutError):
        run(**short)
    found = run(**short, kind="hotfix")
    assert "A HOT FIX" in found["page"][0] and found["plan_hash"] != run()["plan_hash"]
    with pytest.raises(RolloutError):
        run(**{**short, "services": {**GOOD["services"], "ppo": {"slos": {}}}}, kind="hotfix")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"regions": {"staging": ["other"]}}, True),
        ({"policy": {"poll": ["sre"]}}, True),
        ({"image_tag": "1.0.1"}, True),
        ({"image_tag": "v1.0.1"}, False),
        ({"soak": 1801}, False),
        ({"gate": {**GOOD["gate"], "alpha": "2%"}}, False),
        ({"on_hold": "keep"}, False),
        ({"release": "1.0.2"}, False),
        ({"features": {"NEW_UI": True}}, False),
        ({"feature_prefix": "FLAG_"}, True),
    ],
)
def test_the_hash_follows_what_happens_in_a_region(run: Run, change: Mapping[str, Any], same: bool) -> None:
    assert (run(**change)["plan_hash"] == run()["plan_hash"]) is same
    assert run(**change)["plan_hash"].startswith("sha256:") and len(run()["plan_hash"]) == 71


def test_the_page(run: Run) -> None:
    policy = {
        "approvals": [{"role": "release_manager"}, {"role": "sre", "count": 2}], "max_age": 86400, "poll": ["qa_lead"],
        "windows": [{"name": "weekly", "effect": "allow", "start": "00:00", "end": "24:00", "time_zone": "Etc/UTC"}],
        "overrides": [{"check": "capacity", "reason": "nodes arrive in an hour"}],
    }  # fmt: skip
    page = run(policy=policy)["page"]
    text = "\n".join(page)
    assert len(page) <= 40 and max(map(len, page)) <= 110
    for words in (
        "PLAN of tars 1.0.1",
        "staging (staging), then us-west-2 and us-east-1 (wave_1)", "backend: api, insight; then agents: ppo",
        "worker (worker): replaced together with the old version", "10 %",
        "error_rate is over 1%", "p95 is over 100ms (insight)",
        "after 60 min the traffic goes back", "111 min to 3 h 41 min a region",
        "by release_manager and 2 x sre", "not older than 24 h",
        "it may move now: 'weekly' allows it", "capacity is skipped: nodes arrive in an hour",
    ):  # fmt: skip
        assert words in text, f"{words!r} is not in\n{text}"


FLAGS = {"NEW_UI": True, "LIMIT": 1000000, "RATE": 0.25, "MODE": "fast"}


def test_flags_read_the_same_on_both_tracks(run: Run) -> None:
    services = {**GOOD["services"], "ppo": {"slos": SLOS, "env": {"FEATURE_MODE": "slow", "X": "1"}}}
    found = run(features=FLAGS, services=services)
    everywhere = {"FEATURE_NEW_UI": "true", "FEATURE_LIMIT": "1000000", "FEATURE_RATE": "0.25", "FEATURE_MODE": "fast"}
    assert [track["env"] for track in found["tracks"]] == [
        everywhere, everywhere, {**everywhere, "FEATURE_MODE": "slow", "X": "1"},
    ]  # fmt: skip
    # A chart would write a number as the float that Helm has made of it.
    assert found["features"] == {"NEW_UI": True, "LIMIT": "1000000", "RATE": "0.25", "MODE": "fast"}
    page = "\n".join(found["page"])
    assert "flags     FEATURE_NEW_UI=true, FEATURE_LIMIT=1000000, FEATURE_RATE=0.25, FEATURE_MODE=fast: flip" in page
    assert run(features=FLAGS, feature_prefix="FLAG_")["plan_hash"] != run(features=FLAGS)["plan_hash"]
    assert run(features={**FLAGS, "MODE": "slow"})["plan_hash"] != run(features=FLAGS)["plan_hash"]
    assert run()["tracks"][0] == {"name": "api"} and run()["features"] == {} and "flags" not in "".join(run()["page"])


def test_the_keys_of_a_stage_are_those_of_the_gate() -> None:
    assert stages.KEYS == lint.STAGE_KEYS
