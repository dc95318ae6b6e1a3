# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead-man against an API server that keeps objects: what it does in which phase, and when it does nothing."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles" / "dead_man" / "files" / "dead_man.py"
_spec = importlib.util.spec_from_file_location("dead_man", PROGRAM)
assert _spec is not None and _spec.loader is not None
dead_man = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dead_man)

NAME = "ga-rollout-tars"
NOW = 1_700_000_000.0
ROUTES = [
    {"name": "api", "provider": "istio", "object": {"namespace": "tars"}, "route": "primary"},
    {"name": "api (gateway_api)", "provider": "gateway_api", "object": {"namespace": "tars", "name": "api"},
     "route": "primary", "stable": "api", "canary": "api-canary"},
]  # fmt: skip


class Api:
    """Keeps objects; a patch is refused as a whole when a test in it does not hold, and moves the version otherwise."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Any] = {}
        self.events: list[Any] = []
        self.version = 0
        self.down = False
        self.before_patch: Any = lambda: None

    def put(self, plural: str, name: str, body: dict[str, Any]) -> None:
        self.version += 1
        body["metadata"] = {**body.get("metadata", {}), "name": name, "namespace": "tars"}
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[plural, name] = body

    def get(self, api: str, plural: str, namespace: str, name: str) -> Any:
        if self.down:
            raise OSError("away")
        return copy.deepcopy(self.objects.get((plural, name)))

    def patch(self, api: str, plural: str, namespace: str, name: str, ops: list[Any]) -> Any:
        self.before_patch()
        body = self.get(api, plural, namespace, name)
        for op in ops:
            *way, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
            place: Any = body
            for part in way:
                place = place[int(part)] if isinstance(place, list) else place[part]
            there = place[int(last)] if isinstance(place, list) else place.get(last)
            if op["op"] == "test" and there != op["value"]:
                return None
            if op["op"] == "add":
                place[last] = op["value"]
        self.put(plural, name, body)
        return body

    def create(self, api: str, plural: str, namespace: str, body: Any) -> None:
        self.events.append(body)


class World:
    """One region in mid-rollout: a lease that ``alice`` holds, a record, two routes at 25 %."""

    def __init__(self) -> None:
        self.api, self.time, self.said = Api(), 0.0, []
        self.lease("alice", 1)
        self.record(phase="canary")
        entries = [
            {"destination": {"host": "api"}, "weight": 75},
            {"destination": {"host": "api-canary"}, "weight": 25},
        ]
        notes = {"annotations": {"ga.rollout/fence": "7"}}
        header = {"name": "canary-header", "route": [entries[1]]}
        http = [header, {"name": "primary", "route": entries}]
        self.api.put("virtualservices", "api", {"kind": "VirtualService", "metadata": notes, "spec": {"http": http}})
        refs = [{"name": "api", "weight": 75}, {"name": "api-canary", "weight": 25}]
        rules = {"rules": [{"name": "primary", "backendRefs": refs}]}
        self.api.put("httproutes", "api", {"kind": "HTTPRoute", "metadata": copy.deepcopy(notes), "spec": rules})
        self.man = dead_man.DeadMan(
            self.api, "tars", "tars", "dead-man/1", self.said.append, lambda: self.time, lambda: NOW + self.time
        )

    def lease(self, holder: str, renewal: int) -> None:
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 55, "renewTime": f"t{renewal}"}
        self.api.put("leases", NAME, {"spec": spec, "metadata": {"annotations": {"ga.rollout/fence": "8"}}})

    def record(self, **fields: Any) -> None:
        base = {
            "format": 1, "region": "us-west-2", "release": "2", "phase": "canary", "held": "", "routes": ROUTES,
            "fence": 8, "weights": {"api": 25}, "history": [], "reason": "", "hold_until": "", "on_hold": "restore",
            "phase_since": "x", "intent": {"act": "weight"},
        }  # fmt: skip
        self.api.put("configmaps", NAME, {"data": {"record.json": json.dumps({**base, **fields})}})

    def run(self, seconds: float) -> None:
        end = self.time + seconds
        while self.time < end:
            self.man.look()
            self.time += 2

    @property
    def now(self) -> Any:
        return json.loads(self.api.objects["configmaps", NAME]["data"]["record.json"])

    @property
    def weights(self) -> list[int]:
        route = self.api.objects["virtualservices", "api"]["spec"]["http"][1]["route"]
        refs = self.api.objects["httproutes", "api"]["spec"]["rules"][0]["backendRefs"]
        return [*(item["weight"] for item in route), *(item["weight"] for item in refs)]

    @property
    def told(self) -> list[str]:
        return [item["event"] for item in self.said]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("phase", ["canary", "soaking"])
def test_stable_is_back_when_nobody_renews(world: World, phase: str) -> None:
    world.record(phase=phase)
    world.run(55)
    assert world.weights == [75, 25, 75, 25]
    world.run(6)
    assert world.weights == [100, 0, 100, 0]
    record = world.now
    assert (record["phase"], record["reason"], record["fence"]) == ("rolled_back", "controller_lost", 9)
    assert record["weights"] == {"api": 0} and record["intent"] is None and record["history"][-1]["by"] == "dead-man/1"
    route = world.api.objects["virtualservices", "api"]["metadata"]["annotations"]
    assert route["ga.rollout/fence"] == "9" and json.loads(route["ga.rollout/cut"])["reason"] == "controller_lost"
    lease = world.api.objects["leases", NAME]
    assert lease["spec"]["holderIdentity"] == "" and lease["metadata"]["annotations"]["ga.rollout/fence"] == "9"
    assert world.told == ["restored"] and world.api.events[0]["reason"] == "Restored"
    assert 55 <= world.said[0]["lease_unrenewed_s"] <= 57
    world.run(300)
    assert world.told == ["restored"]


def test_nothing_while_somebody_renews(world: World) -> None:
    for number in range(40):
        world.lease("alice", number + 2)
        # Each 15 s, sometimes 5 s early, sometimes 5 s late.
        world.run(15 + (number % 3 - 1) * 5)
    assert world.told == [] and world.weights == [75, 25, 75, 25] and world.now["phase"] == "canary"


def test_its_own_restart_and_a_blind_time_begin_to_count_anew(world: World) -> None:
    world.run(50)
    world.man = dead_man.DeadMan(
        world.api, "tars", "tars", "dead-man/2", world.said.append, lambda: world.time, lambda: NOW + world.time
    )
    world.run(50)
    assert world.told == []
    # Away for longer than a look or two: whether it was renewed meanwhile is not known.
    world.time += 30
    world.run(50)
    assert world.told == []
    world.run(10)
    assert world.told == ["restored"]


def test_a_server_that_is_away(world: World) -> None:
    world.run(30)
    world.api.down = True
    for _time in range(30):
        with pytest.raises(OSError):
            world.run(2)
        world.time += 2
    world.api.down = False
    world.run(50)
    assert world.told == []


@pytest.mark.parametrize(
    ("phase", "told"),
    [("planned", ["alert"]), ("migrated", ["alert"]), ("promoting", ["alert"]), ("promoted", []), ("rolled_back", [])],
)
def test_phases_in_which_no_traffic_is_moved(world: World, phase: str, told: list[str]) -> None:
    world.record(phase=phase)
    world.run(300)
    assert world.told == told and world.weights == [75, 25, 75, 25] and world.now["phase"] == phase


def test_a_rollback_that_did_not_end_is_cut_and_stays_to_be_ended(world: World) -> None:
    world.record(phase="rolling_back", reason="SLO")
    world.run(60)
    assert world.weights == [100, 0, 100, 0] and world.now["phase"] == "rolling_back" and world.now["reason"] == "SLO"


@pytest.mark.parametrize("holder", ["", "alice"])
@pytest.mark.parametrize(
    ("on_hold", "held", "weights"),
    [
        ("restore", "canary", [100, 0, 100, 0]),
        ("keep", "canary", [75, 25, 75, 25]),
        ("restore", "promoting", [75, 25, 75, 25]),
    ],
)
def test_a_hold_ends_at_its_deadline_and_never_promotes(
    world: World, holder: str, on_hold: str, held: str, weights: list[int]
) -> None:
    world.lease(holder, 1)
    until = dead_man.stamp(NOW + 600)
    world.record(phase="holding", held=held, on_hold=on_hold, hold_until=until)
    world.run(599)
    assert world.weights == [75, 25, 75, 25] and world.told == []
    world.run(10)
    assert world.weights == weights
    assert (world.now["phase"], world.told) == (
        ("rolled_back", ["restored"]) if weights[0] == 100 else ("holding", ["alert"])
    )
    assert world.now["reason"] == ("hold_expired" if weights[0] == 100 else "")


def test_a_newer_fence_on_a_route_is_left_alone(world: World) -> None:
    def newer() -> None:
        if world.api.objects["leases", NAME]["spec"]["holderIdentity"] == "dead-man/1":
            world.api.objects["virtualservices", "api"]["metadata"]["annotations"]["ga.rollout/fence"] = "99"

    world.api.before_patch = newer
    world.run(60)
    assert world.weights == [75, 25, 100, 0] and world.now["phase"] == "canary" and world.told == ["alert"]
    assert world.api.objects["leases", NAME]["spec"]["holderIdentity"] == ""


def test_who_renews_in_the_last_moment_keeps_it(world: World) -> None:
    world.api.before_patch = lambda: world.lease("alice", 99)
    world.run(60)
    assert world.told == [] and world.weights == [75, 25, 75, 25]


def test_one_route_that_cannot_be_cut_does_not_keep_the_others_from_it_and_is_tried_again(world: World) -> None:
    route = world.api.objects["virtualservices", "api"]["spec"]["http"][1]
    entries, route["route"] = route["route"], [route["route"][0]]
    world.run(58)
    assert world.weights[1:] == [100, 0] and "not_cut" in world.told and world.now["phase"] == "canary"
    route = world.api.objects["virtualservices", "api"]["spec"]["http"][1]
    route["route"] = entries
    world.run(4)
    assert world.weights == [100, 0, 100, 0] and world.now["phase"] == "rolled_back"


def test_a_record_of_another_format_or_edited_by_hand_is_told_and_not_obeyed(world: World) -> None:
    world.record(format=2)
    world.run(100)
    assert world.told == ["unreadable"] and "format 2" in world.said[0]["seen"]
    world.api.put("configmaps", NAME, {"data": {"record.json": "{"}})
    world.run(4)
    assert world.told == ["unreadable"] * 2 and world.weights == [75, 25, 75, 25]
