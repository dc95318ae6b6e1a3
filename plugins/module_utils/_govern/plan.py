# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The plan of a release as a whole: its hash, its steps and routes, and how long it takes. Pure.

What is wrong with one says ``lint``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate import units
from ansible_collections.tars.rollout.plugins.module_utils._govern import features as flags

STANDARD, HOTFIX = "standard", "hotfix"
# What a route is where none is named.
_KIND = {"istio": "VirtualService", "gateway_api": "HTTPRoute"}
# What of a service is the canary's own.
_TRACK = ("kind", "container", "image", "tag", "digest", "env", "config_maps", "secrets")


class Problem(NamedTuple):
    """One thing that is wrong; ``code`` is stable, ``seen`` completes "the plan cannot be used: "."""

    code: str
    seen: str
    hint: str


@dataclass(frozen=True)
class Plan:
    """What is rolled out and how, as the inventory says it. Durations carry their unit, ``soak`` and below are
    seconds."""

    app: str
    release: str
    image_tag: str
    kind: str
    stages: Sequence[Mapping[str, Any]]
    cohorts: Sequence[Mapping[str, Any]]
    services: Mapping[str, Mapping[str, Any]]
    gate: Mapping[str, Any]
    soak: int
    back_bake: str
    longest_request: int = 0
    hold_for: int = 0
    on_hold: str = "restore"
    features: Mapping[str, Any] = field(default_factory=dict)
    feature_prefix: str = "FEATURE_"

    @property
    def digest(self) -> str:
        """Of everything that decides what happens in a region; what records and approvals are bound to."""
        what = asdict(self)
        if not self.features:
            # A plan without flags is the one that it was before plans could have some.
            del what["features"], what["feature_prefix"]
        text = json.dumps(what, sort_keys=True, default=str)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    @property
    def tracked(self) -> list[str]:
        """Names of the services that have a canary."""
        return [name for name, service in self.services.items() if has_canary(service)]

    @property
    def workers(self) -> list[str]:
        """Names of those whose canary has its share by pods, in the order of the cohorts."""
        inside = [name for cohort in self.cohorts for name in cohort["services"]]
        services = {name: self.services.get(name) for name in inside}
        return [name for name, item in services.items() if kind_of(item) == "worker" and has_canary(item)]

    @property
    def weights(self) -> list[float]:
        return [weight_of(stage) for stage in self.stages]

    def seconds(self) -> tuple[float, float]:
        """The shortest and the longest time that a region takes when nothing holds, without the work in between."""
        bakes = [seconds_of(stage.get("bake"), 600) for stage in self.stages]
        most = [max(bake, seconds_of(stage.get("max_bake", self.gate.get("max_bake")), bake))
                for bake, stage in zip(bakes, self.stages, strict=True)]  # fmt: skip
        back = seconds_of(self.back_bake, 0)
        rest = self.soak + 2 * self.longest_request
        # The soak and the steps back may go on as long again until they are decided.
        longer = self.soak + 2 * max(back, seconds_of(self.gate.get("max_bake"), 0))
        return len(self.cohorts) * sum(bakes) + rest + 2 * back, len(self.cohorts) * sum(most) + rest + longer


@dataclass(frozen=True)
class Layout:
    """Where it goes: the names of waves in their order, and the regions of each."""

    waves: Sequence[str] = ()
    regions: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def order(self) -> list[tuple[str, Sequence[str]]]:
        """The waves that have regions."""
        return [(wave, self.regions[wave]) for wave in self.waves if self.regions.get(wave)]


def refuse(plan: Plan, found: Sequence[Problem]) -> RolloutError:
    """The one fault for all of them."""
    return RolloutError(
        f"The plan of {plan.release or 'no release'} cannot be used: {'; '.join(item.seen for item in found)}",
        reason=found[0].code, hint="; ".join(dict.fromkeys(item.hint for item in found)),
        details={"problems": [item._asdict() for item in found]},
    )  # fmt: skip


def well_formed(plan: Plan) -> Plan:
    """The plan without what could not even be read: a rollback goes by what is left of it."""
    named = [item for item in plan.cohorts if is_cohort(item)]
    return replace(
        plan,
        features={} if any(flags.faults(plan.features, plan.feature_prefix)) else plan.features,
        stages=[stage for stage in plan.stages if isinstance(stage, Mapping)],
        cohorts=[{**item, "services": [name for name in item["services"] if isinstance(name, str)]} for item in named],
        services={
            str(name): service if are_routes(service.get("routes")) else {**service, "routes": []}
            for name, service in plan.services.items()
            if isinstance(service, Mapping)
        },
    )


def is_cohort(item: Any) -> bool:
    """Whether it has a name and a list of services."""
    services = item.get("services") if isinstance(item, Mapping) else None
    return bool(services) and isinstance(services, list | tuple) and bool(item.get("name"))


def are_routes(found: Any) -> bool:
    """Whether it is a list of routes, or none are given."""
    return found is None or (isinstance(found, list | tuple) and all(isinstance(route, Mapping) for route in found))


def steps(plan: Plan) -> list[dict[str, Any]]:
    """One entry per cohort and stage, in the order in which they happen."""
    return [
        {"cohort": cohort["name"], "services": list(cohort["services"]), "stage": number, "what": dict(stage)}
        for cohort in plan.cohorts
        for number, stage in enumerate(plan.stages)
    ]


def routes(plan: Plan, namespace: str) -> dict[str, list[dict[str, Any]]]:
    """The routes of each service as canary_weight wants them. A service may be routed by both APIs."""
    found: dict[str, list[dict[str, Any]]] = {}
    workers = plan.workers
    for name in (name for cohort in plan.cohorts for name in cohort["services"] if name not in workers):
        given = (plan.services.get(name) or {}).get("routes") or [{}]
        found[name] = [_route(name, route, number, namespace) for number, route in enumerate(given)]
    return found


def route_kinds(plan: Plan) -> list[str]:
    """The kinds of object that move the plan's traffic, each once."""
    found = [route for routes_of in routes(plan, "").values() for route in routes_of]
    kinds = [_KIND.get(route["provider"], "") for route in found]
    return sorted({route["object"].get("kind", kind) for route, kind in zip(found, kinds, strict=True)})


def tracks(plan: Plan) -> list[dict[str, Any]]:
    """The services with a canary, as canary_track wants them. Its own variables go before the flags of the release."""
    names = [name for cohort in plan.cohorts for name in cohort["services"]]
    return [_track(plan, name) for name in names]


def stables(plan: Plan) -> list[dict[str, Any]]:
    """All services, those without a canary among them, as stable_in_place wants them."""
    return [_track(plan, name) for name in plan.services]


def _track(plan: Plan, name: str) -> dict[str, Any]:
    service = plan.services.get(name) or {}
    found = {"name": name, **{key: service[key] for key in _TRACK if key in service}}
    if plan.features:
        found["env"] = {**flags.variables(plan.features, plan.feature_prefix), **(found.get("env") or {})}
    return found


def _route(name: str, route: Mapping[str, Any], number: int, namespace: str) -> dict[str, Any]:
    provider = route.get("provider", "istio")
    place = {"namespace": namespace, "name": route.get("name", name)}
    return {
        "name": name if number == 0 else f"{name} ({provider})",
        "provider": provider,
        "object": {**place, **({"kind": route["kind"]} if "kind" in route else {})},
        "route": route.get("route", "primary"),
        "stable": route.get("stable", name),
        "canary": route.get("canary", f"{name}-canary"),
    }


def kind_of(service: Any) -> str:
    return str(service.get("kind", "routed")) if isinstance(service, Mapping) else "none"


def has_canary(service: Any) -> bool:
    """A routed service always; a worker unless it changes with stable."""
    kind = kind_of(service)
    return kind == "routed" or (kind == "worker" and service.get("with_stable") is not True)


def weight_of(stage: Mapping[str, Any]) -> float:
    try:
        return float(stage.get("weight", 0)) if not isinstance(stage.get("weight"), bool) else -1.0
    except (TypeError, ValueError):
        return -1.0


def seconds_of(value: Any, otherwise: float) -> float:
    try:
        return otherwise if value is None else units.seconds(value)
    except units.UnitError:
        return otherwise
