# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What is wrong with a plan, all of it at once: a person corrects it in one go. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate import gatefile, units
from ansible_collections.tars.rollout.plugins.module_utils._govern import features
from ansible_collections.tars.rollout.plugins.module_utils._govern.plan import (
    HOTFIX,
    STANDARD,
    Layout,
    Plan,
    Problem,
    are_routes,
    has_canary,
    is_cohort,
    kind_of,
    seconds_of,
    weight_of,
)
from ansible_collections.tars.rollout.plugins.module_utils._values import number

KINDS = ("routed", "worker", "singleton")
STAGE_KEYS = frozenset(
    {
        "weight",
        "bake",
        "settle",
        "max_bake",
        "scrape",
        "alpha",
        "beta",
        "early_pass",
        "strata",
        "limits",
        "max_drift",
        "decision",
    }
)
RULES = frozenset({"min_stages", "min_bake", "min_soak", "max_first_weight", "max_step", "max_regions_at_once"})


def problems(plan: Plan, layout: Layout, rules: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong, so that a person corrects it at once."""
    found = [*_stages(plan), *_cohorts(plan), *_services(plan), *_waves(layout), *_settings(plan)]
    # What cannot be read is not judged by rules or by the linter of gates.
    return found or [*_gates(plan), *_rules(plan, layout, rules)]


def _stages(plan: Plan) -> Iterator[Problem]:
    if not plan.stages or not all(isinstance(stage, Mapping) for stage in plan.stages):
        yield Problem("plan_stages", "it has no stages", "Give rollout_stages, each with weight and bake")
        return
    for index, stage in enumerate(plan.stages):
        if unknown := sorted(set(map(str, stage)) - STAGE_KEYS):
            yield Problem(
                "plan_stages", f"stage {index} has the key {unknown[0]!r}", f"Known: {', '.join(sorted(STAGE_KEYS))}"
            )
        if stage.get("bake") is None:
            yield Problem("plan_stages", f"stage {index} has no bake", "A stage is judged for some time")
        if stage.get("decision", "auto") not in ("auto", "person"):
            yield Problem(
                "plan_stages", f"stage {index} has the decision {stage['decision']!r}", "It is auto or person"
            )
    weights = plan.weights
    if odd := [stage.get("weight") for stage in plan.stages if not _whole(stage.get("weight"))]:
        yield Problem(
            "plan_stages", f"a stage has the weight {odd[0]!r}", "Write weights as whole numbers, such as 10: percent"
        )
    rising = all(one < other for one, other in pairwise(weights))
    if not rising or weights[0] <= 0 or weights[-1] != 100:
        told = ", ".join(f"{weight:g}" for weight in weights)
        yield Problem("plan_stages", f"the stages have the weights {told}", "Weights rise from above 0 to 100")


def _cohorts(plan: Plan) -> Iterator[Problem]:
    if not plan.cohorts or not all(is_cohort(item) for item in plan.cohorts):
        yield Problem(
            "plan_cohorts", "a cohort has no name or no services", "Give rollout_cohorts, each with name and services"
        )
        return
    names = [str(item["name"]) for item in plan.cohorts]
    inside = [str(name) for item in plan.cohorts for name in item["services"]]
    if twice := _twice(names) or _twice(inside):
        yield Problem(
            "plan_cohorts", f"{twice} is there twice in the cohorts", "Name each cohort and each service once"
        )
    if unknown := sorted(set(inside) - set(plan.tracked)):
        yield Problem(
            "plan_cohorts",
            f"the cohorts name {', '.join(unknown)}, not among the services with a canary",
            "Correct rollout_cohorts or rollout_services",
        )
    if left := [name for name in plan.tracked if name not in inside]:
        hint = "Put each service with a canary into one of rollout_cohorts"
        yield Problem("plan_cohorts", f"{', '.join(left)} is in no cohort", hint)
    if inside and set(inside) <= set(plan.workers):
        yield Problem(
            "plan_cohorts",
            "the cohorts have workers only, so no traffic would be moved",
            "Roll workers out together with a routed service, or with_stable",
        )


def _services(plan: Plan) -> Iterator[Problem]:
    for name, service in plan.services.items():
        kind = kind_of(service)
        if kind not in KINDS:
            yield Problem("plan_services", f"{name} has the kind {kind!r}", f"Known: {', '.join(KINDS)}")
        elif kind == "singleton" and service.get("with_stable") is not True:
            yield Problem(
                "plan_services",
                f"{name} can have no canary beside it",
                "Say with_stable true there if it may change when stable is rolled, without a canary",
            )
        elif not are_routes(service.get("routes")):
            yield Problem("plan_services", f"{name} has routes that are no list of routes", "See rollout_services")
        elif has_canary(service) and not service.get("slos"):
            yield Problem(
                "plan_services", f"{name} has no objectives", "A gate without any would pass everything, so give slos"
            )


def _waves(layout: Layout) -> Iterator[Problem]:
    everywhere = [name for regions in layout.regions.values() for name in regions]
    if layout.regions and not everywhere:
        yield Problem("plan_waves", "no wave has a region", "Put the regions into the groups of rollout_waves")
    elif empty := [wave for wave, regions in layout.regions.items() if not regions]:
        yield Problem(
            "plan_waves",
            f"the waves {', '.join(empty)} name no region",
            "Put a region into the group, or take the group away",
        )
    if twice := _twice(everywhere):
        yield Problem(
            "plan_waves",
            f"the region {twice} is in two waves, or two regions have that name",
            "Put each region into one group of rollout_waves",
        )
    if twice := _twice(list(layout.waves)):
        yield Problem("plan_waves", f"the wave {twice} is there twice", "Name each wave once")


def _settings(plan: Plan) -> Iterator[Problem]:
    if plan.kind not in (STANDARD, HOTFIX):
        yield Problem("plan_kind", f"its kind is {plan.kind!r}", f"rollout_kind is {STANDARD} or {HOTFIX}")
    if not plan.release or not plan.image_tag:
        yield Problem("plan_release", "it names no release or no tag", "Give rollout_release")
    if plan.soak < 0 or plan.hold_for < 0 or plan.longest_request < 0:
        yield Problem("plan_times", "a time is below 0", "Times are seconds from 0 on")
    try:
        units.seconds(plan.back_bake)
    except units.UnitError as error:
        yield Problem("plan_times", f"back_bake: {error}", "Write durations with their unit")
    hint = "rollout_features maps names of A-Z, 0-9 and _ to a text, a number, true or false"
    for seen in features.faults(plan.features, plan.feature_prefix):
        yield Problem("plan_features", seen, hint)


def _whole(weight: Any) -> bool:
    """Whether whoever moves the traffic will take it."""
    try:
        return number("weight", weight, -1, 1000) is not None
    except RolloutError:
        return False


def _judgements(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """All that is judged in a region: its name, what the gate is told, and whether both arms are there."""
    for index, stage in enumerate(plan.stages):
        yield f"stage {index}", stage, weight_of(stage) < 100
    # As the roles shift and promote say it: a soak of any length is judged for a scrape at least.
    soak = max(plan.soak, seconds_of(plan.gate.get("scrape"), 15.0))
    yield "soak", {"bake": f"{soak!r}s", "max_bake": f"{2 * soak!r}s", "settle": "0s", "early_pass": None}, False
    yield "back_bake", {"bake": plan.back_bake, "early_pass": None}, True


def _gates(plan: Plan) -> Iterator[Problem]:
    """The linter of gate files over every service in all that is judged, with the arms that they will have there."""
    arms = {"canary": {"track": "canary"}, "stable": {"track": "stable"}}
    found: dict[tuple[str, str], Problem] = {}
    for name in plan.tracked:
        for what, stage, both in _judgements(plan):
            sides = arms if both else {"canary": arms["canary"]}
            settings = {
                key: value for key, value in {**plan.gate, **stage}.items() if key not in ("weight", "decision")
            }
            try:
                gatefile.parse({"service": name, "slos": plan.services[name]["slos"], "arms": sides}, settings)
            except RolloutError as error:
                problem = Problem("plan_gate", f"{what}: {error.msg}", error.hint or "See docs/gates.md")
                # The same fault in each stage is told once.
                found.setdefault((name, error.msg), problem)
    yield from found.values()


def _rules(plan: Plan, layout: Layout, rules: Mapping[str, Any]) -> Iterator[Problem]:
    """What every plan of its kind must keep to. Even a hot fix has a stage below 100 % that is judged."""
    if unknown := sorted(set(map(str, rules)) - RULES):
        yield Problem("plan_rules", f"the rule {unknown[0]!r} is not known", f"Known: {', '.join(sorted(RULES))}")
        return
    if not rules and plan.kind != HOTFIX:
        return
    allowed = f"as the rules for a {plan.kind} plan say"
    try:
        limits = {key: units.number(value) for key, value in rules.items()}
    except units.UnitError as error:
        yield Problem("plan_rules", f"a rule for plans says {error}", "Write a number or a duration")
        return
    if len(plan.stages) < max(2.0, limits.get("min_stages", 2)):
        yield Problem(
            "plan_rules",
            f"it has {len(plan.stages)} stages",
            f"Give at least {max(2.0, limits.get('min_stages', 2)):g}, {allowed}",
        )
    shortest = min(seconds_of(stage["bake"], 0) for stage in plan.stages)
    if shortest < limits.get("min_bake", 0):
        yield Problem(
            "plan_rules",
            f"a stage is judged for {shortest:g} s only",
            f"Bake at least {limits['min_bake']:g} s, {allowed}",
        )
    if plan.soak < limits.get("min_soak", 0):
        yield Problem(
            "plan_rules", f"it soaks for {plan.soak} s only", f"Soak at least {limits['min_soak']:g} s, {allowed}"
        )
    if plan.weights[0] > limits.get("max_first_weight", 100):
        yield Problem(
            "plan_rules",
            f"it begins with {plan.weights[0]:g} % of the users",
            f"Begin with at most {limits['max_first_weight']:g} %, {allowed}",
        )
    jumps = [other - one for one, other in pairwise(plan.weights)]
    if max(jumps, default=0) > limits.get("max_step", 100):
        yield Problem(
            "plan_rules", f"a stage adds {max(jumps):g} %", f"Add at most {limits['max_step']:g} %, {allowed}"
        )
    crowd = [
        (wave, regions) for wave, regions in layout.order if len(regions) > limits.get("max_regions_at_once", 1000)
    ]
    if crowd:
        yield Problem(
            "plan_rules",
            f"{crowd[0][0]} has {len(crowd[0][1])} regions at once",
            f"At most {limits['max_regions_at_once']:g}, {allowed}",
        )


def _twice(names: Sequence[str]) -> str:
    return next((name for index, name in enumerate(names) if name in names[:index]), "")
