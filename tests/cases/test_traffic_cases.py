# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What traffic must get right before anything else (numbers of the acceptance set), and decision cases of peers.

CASES has every case of peer_traffic_cases.json (weight, abort, replicas, readiness): what is answered here to what a
peer was asked, by a check or by a line that says why it is no question here. Where ours differs, a comment says so.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._tracks import copying, findings, legs, readiness, removing
from ansible_collections.tars.rollout.plugins.module_utils._tracks.findings import Wish as Tracks
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service, TrackError
from ansible_collections.tars.rollout.plugins.module_utils._traffic import left, planning
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Cut, TrafficError, Wish
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import Mover, Wanted
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS, Kubernetes
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/plugins/module_utils/_traffic"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/plugins/module_utils/_tracks"))

import platform_objects as objects
from mesh import Server, apply, destination, http_route, rule, seen, target, virtual_service

UNIT = Path(__file__).resolve().parents[1] / "unit/plugins/module_utils"
CUT = Cut("2.1.0", "2026-01-31T12:00:00.000Z", "slo_violated")
STABLE, CANARY = objects.labels("api"), objects.labels("api-canary")


def weights(document: Mapping[str, Any], wish: Wish, where: Any = None) -> list[int]:
    """Stable's and the canary's weight after a wish."""
    where = where or target()
    done = apply(document, planning.plan(seen(document, where), wish).ops)
    split = DIALECTS[where.provider].read(done, where)
    return [split.stable.weight, split.canary.weight]


def at(weight: int) -> dict[str, Any]:
    return virtual_service(
        {"name": "primary", "route": [destination("api", 100 - weight), destination("api-canary", weight)]}
    )


def canary(**status: int) -> dict[str, Any]:
    made = objects.deployment("api-canary", status.get("replicas", 2))
    made["status"] |= {f"{key}Replicas": value for key, value in status.items() if key in ("updated", "available")}
    return made


def ready(made: dict[str, Any], wanted: int) -> bool:
    return readiness.progress(made, [], wanted).ready


# The acceptance set.


def test_9_the_same_weight_twice_is_one_read_and_no_write() -> None:
    server = Server(virtual_service())
    mover = Mover(Kubernetes(server), SystemClock(Stop()), 10)
    wanted = [Wanted(target(), Wish(10))]
    (moved,) = mover.patch(wanted, mover.plan(wanted))
    assert server.calls == [("get", "api")] and moved.after is None


def test_10_a_route_with_a_foreign_backend_or_a_user_route_is_untouched() -> None:
    own = {"name": "legacy", "match": [{"uri": {"prefix": "/v1"}}], "route": [destination("old")], "timeout": "3s"}
    split = {"name": "primary", "route": [destination("api", 50), destination("x", 50), destination("api-canary", 0)]}
    before = virtual_service(own, split)
    after = apply(before, planning.plan(seen(before), Wish(10)).ops)
    assert after["spec"]["http"][0] == own
    assert [entry["weight"] for entry in after["spec"]["http"][1]["route"]] == [45, 50, 5]


def test_11_an_abort_with_one_stable_pod_unready_is_weight_0_at_once_and_a_warning_of_capacity() -> None:
    server = Server(at(50))
    mover = Mover(Kubernetes(server), SystemClock(Stop()), 10)
    wanted = [Wanted(target(), Wish(0, cut=CUT))]
    (moved,) = mover.patch(wanted, mover.plan(wanted))
    assert moved.after and moved.after.split.share == 0
    # Nothing but the route was asked before it was written.
    assert server.calls == [("get", "api"), ("patch", "api")]
    server.objects["api"] = objects.deployment("api") | {"status": {"availableReplicas": 2}}
    assert left.shortages(server, [moved.plan]) == [
        "Stable of api has 2 of 3 pods ready and takes all of the traffic now"
    ]


# Cases of peers. Each check is a function without arguments.


def shifts(before: int, *steps: int) -> Callable[[], None]:
    def check() -> None:
        document = at(before)
        for step in steps:
            assert weights(document, Wish(step)) == [100 - step, step]
            document = at(step)

    return check


def pods(replicas: int, weight: int, wanted: int) -> Callable[[], None]:
    return lambda: _equal(copying.copies(replicas, weight), wanted)


def _equal(found: Any, wanted: Any) -> None:
    assert found == wanted


def cut_asks_nobody() -> None:
    assert weights(at(100), Wish(0, cut=CUT)) == [100, 0]
    assert weights(at(50), Wish(0, cut=CUT)) == [100, 0]


def only_the_named_route() -> None:
    other = {"name": "secondary", "route": [destination("api", 100), destination("api-canary", 0)]}
    before = virtual_service({**copy.deepcopy(other), "name": "primary"}, other)
    after = apply(before, planning.plan(seen(before), Wish(10)).ops)
    assert [entry["weight"] for entry in after["spec"]["http"][0]["route"]] == [90, 10]
    assert after["spec"]["http"][1] == other


def connections_are_refused() -> None:
    for kind in ("tls", "tcp"):
        with pytest.raises(TrafficError, match=f"also routes {kind}"):
            seen(virtual_service(**{kind: [{"route": [destination("api")]}]}))


def not_ready_with_four_of_five() -> None:
    assert copying.copies(10, 50) == 5
    assert not ready(canary(replicas=5, updated=5, available=4), 5)


def not_ready_before_its_spec_is_seen() -> None:
    made = canary()
    made["metadata"]["generation"] = 3
    assert not ready(made, 2)


def past_its_deadline_is_final() -> None:
    made = canary(updated=2, available=1)
    made["status"]["conditions"] = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    found = readiness.progress(made, [], 2)
    assert not found.ready and found.fault and found.fault.final


def stable_at_zero_is_a_finding() -> None:
    world = objects.world(deployments=[objects.deployment(replicas=0)])
    found = findings.findings(world, [Service("api", tag="2.0.0")], Tracks(objects.KEY, 50, False, True))
    assert "stable_scaled_to_zero" in [item.code for item in found]


def pods_alone(weight: int, replicas: int, share: int) -> Callable[[], None]:
    def check() -> None:
        world = objects.world(deployments=[objects.deployment(replicas=replicas)], virtual_services=[])
        told = findings.warnings(world, [Service("api", tag="2.0.0")], Tracks(objects.KEY, weight, False, True))
        (found,) = [item for item in told if item.code == "no_router"]
        assert f"get {share} % of the requests" in found.seen

    return check


def a_canary_with_all_traffic_stays() -> None:
    made = objects.deployment("api-canary")
    made["metadata"]["labels"] = {**CANARY, "ga.rollout/track": "canary"}
    world = objects.world(deployments=[objects.deployment(), made], virtual_services=[objects.route("api", 100)])
    with pytest.raises(TrackError, match="still gives it weight 100"):
        removing.plan(world, [Service("api")], objects.KEY, None)


def a_header_is_no_weight() -> None:
    world = objects.world(virtual_services=[objects.route("api", 0)])
    assert legs.weighted(world, CANARY, STABLE) == [] and len(legs.legs(world)) == 3


def users_at_one_pod_are_told() -> None:
    policy = {"loadBalancer": {"consistentHash": {"httpCookie": {"name": "u"}}}}
    rules = [{"metadata": objects.meta("api"), "spec": {"host": "api", "trafficPolicy": policy}}]
    told = findings.warnings(
        objects.world(destination_rules=rules), [Service("api", tag="2.0.0")], Tracks(objects.KEY, 50, False, True)
    )
    assert "consistent_hash" in [item.code for item in told]


def a_foreign_backend_is_kept() -> None:
    refs = [{"name": "api", "weight": 100}, {"name": "api-canary", "weight": 0}, {"name": "extra", "weight": 1}]
    before = http_route({"name": "primary", "backendRefs": refs})
    after = apply(before, planning.plan(seen(before, rule(target())), Wish(30)).ops)
    assert [ref["weight"] for ref in after["spec"]["rules"][0]["backendRefs"]] == [70, 30, 1]


def one_backend_is_refused() -> None:
    with pytest.raises(TrafficError, match="has one backend and two are needed"):
        seen(http_route({"name": "primary", "backendRefs": [{"name": "api-canary"}]}), rule(target()))


def subsets_are_cut_as_well() -> None:
    route = {"name": "primary", "route": [destination("api", 50, "stable"), destination("api", 50, "canary")]}
    assert weights(virtual_service(route), Wish(0, cut=CUT)) == [100, 0]


def shown(path: str, name: str) -> Callable[[], None]:
    """Shown elsewhere, by a test that must exist."""
    return lambda: _equal(f"def {name}(" in (UNIT / path).read_text(), True)


WEIGHT = "_traffic/test_canary_weight.py"
GATE = "a question to the gate: tests/cases/gate_cases.json"
CASES: dict[str, Callable[[], None] | str] = {
    "argo-112": GATE,
    # The peer steps back with stable's capacity; here stable stayed whole, and a cut asks nobody.
    "argo-122": cut_asks_nobody,
    "argo-130": cut_asks_nobody,
    # The peer goes on with four of the five pods that the weight needs; here all of them are waited for.
    "argo-132": not_ready_with_four_of_five,
    "argo-135": pods(2, 50, 1),
    "argo-141": shown(WEIGHT, "test_a_gateway_that_does_not_follow"),
    "argo-142": shown(WEIGHT, "test_a_fault_after_the_write_says_that_it_is_written"),
    "argo-143": stable_at_zero_is_a_finding,
    # Where the peer splits by pods, a router splits here: stable keeps its pods, the canary has those of its weight.
    "argo-145": pods(1, 49, 1),
    "argo-149": pods(1, 100, 1),
    "argo-152": pods_alone(1, 2, 33),
    "argo-156": pods_alone(25, 3, 25),
    "argo-159": pods(10, 1, 1),
    "argo-162": pods(10, 99, 10),
    "argo-166": pods(10, 24, 3),
    "argo-169": "a canary without weight keeps one pod here: requests by header reach it",
    "argo-173": pods(10, 99, 10),
    "argo-175": only_the_named_route,
    # The peer moves tls and tcp routes as well; here they are refused: a weight of connections moves no request.
    "argo-176": connections_are_refused,
    "argo-179": test_9_the_same_weight_twice_is_one_read_and_no_write,
    "argo-185": shifts(0, 10),
    "argo-194": "DestinationRules are never written here",
    "argo-199": subsets_are_cut_as_well,
    "argo-200": shown(WEIGHT, "test_share_is_proven"),
    # The peer ends at 60 % with a maximum of 50 %; here the weights are a list and each is taken as it stands.
    "flagger-001": shifts(0, 20, 40, 50),
    "flagger-006": a_canary_with_all_traffic_stays,
    "flagger-009": shifts(0, 100, 50, 0),
    "flagger-012": a_header_is_no_weight,
    "flagger-022": GATE,
    "flagger-024": "a cut sends no message; messages come after it, by other modules",
    "flagger-029": not_ready_before_its_spec_is_seen,
    "flagger-030": lambda: _equal(ready(canary(replicas=1), 1), True),
    "flagger-031": lambda: _equal(ready(canary(updated=1), 2), False),
    "flagger-035": past_its_deadline_is_final,
    "flagger-039": users_at_one_pod_are_told,
    "gwplugin-003": a_foreign_backend_is_kept,
    "gwplugin-005": one_backend_is_refused,
    "gwplugin-008": "routes by header are the user's own; none is made here",
}


@pytest.mark.parametrize("case", [name for name, check in CASES.items() if callable(check)])
def test_a_case_of_a_peer(case: str) -> None:
    check = CASES[case]
    assert callable(check)
    check()


def test_what_is_no_question_here_says_why() -> None:
    assert all(len(text) > 20 for text in CASES.values() if isinstance(text, str))


def test_every_case_of_a_peer_has_its_answer_in_the_table() -> None:
    path = Path(__file__).with_name("peer_traffic_cases.json")
    known = [case["id"] for case in json.loads(path.read_text(encoding="utf-8"))["cases"]]
    assert sorted(CASES) == sorted(known) and len(set(known)) == len(known)
