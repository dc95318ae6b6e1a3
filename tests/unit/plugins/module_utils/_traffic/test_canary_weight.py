# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's run, with an API server and gateways that are dicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _canary_weight
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from mesh import Server, counted, fault, virtual_service

GATEWAYS = {
    "namespace": "istio-system",
    "labels": "istio=gw",
    "port": 15090,
    "dump": "/config_dump",
    "stats": "/stats",
    "prometheus": None,
}
OBSERVE = {"route_timeout": 12.0, "timeout": 30.0, "interval": 0.5, "quiet": 3.0, "away": 6.0}


class Run:
    """One call after the other against the same server."""

    def __init__(self, clock: Any, folder: Path, *names: str) -> None:
        self.api = Server(*(virtual_service(name=name) for name in names))
        self.clock, self.folder = clock, folder
        self.warnings: list[str] = []

    def __call__(self, check_mode: bool = False, **options: Any) -> Mapping[str, Any]:
        place = {"namespace": "tars-us-west-2", "name": None, "kind": None}
        services = [{"name": name, "provider": "istio", "object": place, "route": "primary"} for name in self.names]
        params = {
            "services": services, "weight": 25, "cut": None, "release": "2.1.0", "lift_cut": False, "tolerate": [],
            "fence": 3, "observe": None, "gateways": GATEWAYS, "timeout": 10.0, "region": "us-west-2",
            "ledger": str(self.folder / "ledger"), "probes": None, **options,
        }  # fmt: skip
        progress = self.folder / "progress"
        progress.touch()
        call = Call(params, check_mode, self.warnings.append, self.clock, Stop(), Progress(str(progress)), Scrubber())
        return _canary_weight.run(call, self.api)

    @property
    def names(self) -> list[str]:
        return list(self.api.objects)

    @property
    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.folder / "progress").read_text().splitlines()]


@pytest.fixture
def run(clock: Any, tmp_path: Path) -> Run:
    return Run(clock, tmp_path, "api", "evaluation")


def test_weights_without_observation(run: Run) -> None:
    result = run()
    assert (result["changed"], result["reads"], result["patches"]) == (True, 2, 2)
    entry = result["services"][0]
    assert (entry["before"], entry["wanted"], entry["after"], entry["fence"]) == (10, 25, 25, 3)
    assert "share" not in entry and run.api.count("pod_get") == 0
    assert result["diff"][0]["before"] == "stable: 90\ncanary: 10\n"
    assert result["diff"][0]["after"] == "stable: 75\ncanary: 25\nga.rollout/fence: 3\n"
    events = ledger.read(str(run.folder / "ledger"))
    assert sorted((event.kind, event.subject, event.data["after"]) for event in events) == [
        ("weight", "api", 25), ("weight", "evaluation", 25),
    ]  # fmt: skip
    again = run()
    assert (again["changed"], again["patches"], again["diff"]) == (False, 0, [])
    assert len(ledger.read(str(run.folder / "ledger"))) == 2


def test_check_mode_says_the_same_and_writes_nothing(run: Run) -> None:
    planned = run(check_mode=True)
    assert run.api.count("patch") == 0 and not (run.folder / "ledger").exists()
    done = run()
    assert planned["diff"] == done["diff"]
    assert {*planned} == {*done}
    assert [{*entry} for entry in planned["services"]] == [{*entry} for entry in done["services"]]
    assert planned["changed"] and not run(check_mode=True)["changed"]


def test_check_mode_has_the_keys_of_an_observed_run(run: Run) -> None:
    planned, done = run(check_mode=True, observe=OBSERVE), run(observe=OBSERVE)
    assert [{*entry} for entry in planned["services"]] == [{*entry} for entry in done["services"]]
    assert {*planned["services"][0]["share"]} == {*done["services"][0]["share"]}
    assert planned["services"][0]["share"]["state"] == "not yet"


def test_share_is_proven(run: Run) -> None:
    start = moment(run.clock.now())
    result = run(observe=OBSERVE)
    # The gateways had the routes at once; the rest of the time was counting under the new weight.
    assert result["moved_at"] == start and result["elapsed"] >= 0.5
    share = result["services"][0]["share"]
    assert share["state"] == "proven" and share["low"] > 10
    assert result["services"][0]["gateways"] == 2
    assert [line["result"] for line in run.lines] == ["WRITTEN", "WRITTEN", "FOLLOWED", "FOLLOWED"]
    assert run.lines[2]["seen"].startswith("canary ") and run.lines[2]["seen"].endswith(" at 2 gateways")


def test_a_cut_is_one_patch_with_its_reason(run: Run) -> None:
    run()
    result = run(weight=None, fence=None, cut={"reason": "slo_violated"}, observe=OBSERVE)
    assert [entry["cut"] for entry in result["services"]] == [True, True]
    assert result["services"][0]["fence"] == 4
    assert ledger.read(str(run.folder / "ledger"))[-1].kind == "cut"
    with pytest.raises(RolloutError, match="holds 3"):
        run(weight=50)


def test_no_traffic_is_reported_and_not_waited_for(run: Run) -> None:
    names = ("api", "api-canary", "evaluation", "evaluation-canary")
    stats = "\n".join(line for name in names for line in counted(name, 7))
    answer = run.api.answer
    run.api.answer = lambda pod, path: stats if path == "/stats" else answer(pod, path)  # type: ignore[method-assign]
    start = run.clock.time
    result = run(observe=OBSERVE)
    assert {entry["share"]["state"] for entry in result["services"]} == {"no_traffic"}
    assert run.clock.time - start < 4
    assert run.lines[-1]["seen"] == "no request at 2 gateways in 3.0 s"


def test_gateways_that_do_not_count_are_said(run: Run) -> None:
    answer = run.api.answer
    run.api.answer = lambda pod, path: "" if path == "/stats" else answer(pod, path)  # type: ignore[method-assign]
    assert run(observe=OBSERVE)["services"][0]["share"]["state"] == "not_counted"


@pytest.mark.parametrize("still", [True, False])
def test_a_second_cut_is_no_proof_where_gateways_show_no_routes(run: Run, still: bool) -> None:
    """Nothing is written then, so no gateway takes new routes: only requests tell whether the first one arrived."""
    run.api.reloads = lambda: 7
    blind = {"observe": OBSERVE, "gateways": {**GATEWAYS, "dump": ""}}
    cut = {"weight": None, "fence": None, "cut": {"reason": "requested"}}
    run(**cut)
    asked = [0]

    def stats(pod: str, path: str) -> str:
        asked[0] += 1
        counts = {"api": asked[0] * 10, "api-canary": asked[0] * 5 if still else 40}
        both = {**counts, **{name.replace("api", "evaluation"): count for name, count in counts.items()}}
        lines = [line for name, count in both.items() for line in counted(name, count)]
        return "\n".join([*lines, "envoy_control_plane_connected_state{} 1"])

    run.api.answer = stats  # type: ignore[method-assign]
    if not still:
        assert {item["share"]["state"] for item in run(**cut, **blind)["services"]} == {"unchanged"}
        return
    with pytest.raises(RolloutError) as caught:
        run(**cut, **blind)
    assert caught.value.reason == "share_not_followed"


def test_a_gateway_that_does_not_follow(run: Run) -> None:
    old = run.api.answer("gw-b", "/config_dump")
    answer = run.api.answer
    run.api.answer = lambda pod, path: (  # type: ignore[method-assign]
        old if pod == "gw-b" and path == "/config_dump" else answer(pod, path)
    )
    with pytest.raises(RolloutError) as caught:
        run(observe=OBSERVE)
    assert caught.value.reason == "gateway_not_following"
    assert "12 s later the gateways still have something else: gw-b: 10 % (2 of 2 routes)" in caught.value.msg


def deaf(run: Run, back_at: float = 1e9) -> float:
    """Gateways that keep their routes and say that no control plane reaches them, until the clock says otherwise."""
    began, answer = run.clock.time, run.api.answer
    old = {pod: answer(pod, "/config_dump") for pod in ("gw-a", "gw-b")}

    def said(pod: str, path: str) -> str:
        if run.clock.time - began >= back_at:
            return answer(pod, path)
        if path == "/config_dump":
            return old[pod]
        return answer(pod, path).replace("connected_state{} 1", "connected_state{} 0")

    run.api.answer = said  # type: ignore[method-assign]
    return float(began)


def test_a_cut_without_the_control_plane_is_told_early_and_stays_written(run: Run) -> None:
    began = deaf(run)
    with pytest.raises(RolloutError) as caught:
        run(cut={"reason": "slo_violated"}, weight=None, fence=None, observe=OBSERVE)
    assert caught.value.reason == "control_plane_away" and run.clock.time - began < 8.5
    assert "the gateways gw-a, gw-b have no connection" in caught.value.msg
    assert run.api.count("patch") == 2
    # What a rollback goes on with.
    assert [(entry["after"], entry["fence"]) for entry in caught.value.details["services"]] == [(0, 1), (0, 1)]


def test_a_restart_of_the_control_plane_is_waited_out(run: Run) -> None:
    deaf(run, 5)
    result = run(cut={"reason": "slo_violated"}, weight=None, fence=None, observe=OBSERVE)
    assert result["services"][0]["gateway_after"] >= 5


def test_who_waits_for_it_waits_as_long_as_told(run: Run) -> None:
    deaf(run, 200)
    patient = {**OBSERVE, "route_timeout": 300.0, "away": 300.0}
    result = run(cut={"reason": "slo_violated"}, weight=None, fence=None, observe=patient)
    assert 200 <= result["services"][0]["gateway_after"] < 202


def test_one_deaf_gateway_at_the_end_is_the_reason(run: Run) -> None:
    deaf(run)
    with pytest.raises(RolloutError) as caught:
        run(cut={"reason": "x"}, weight=None, fence=None, observe={**OBSERVE, "route_timeout": 2.0})
    assert caught.value.reason == "control_plane_away"


def test_slow_gateways_are_a_warning(run: Run) -> None:
    old, begin, answer = run.api.answer("gw-a", "/config_dump"), run.clock.time, run.api.answer
    run.api.answer = lambda pod, path: (  # type: ignore[method-assign]
        old if path == "/config_dump" and run.clock.time < begin + 5 else answer(pod, path)
    )
    result = run(observe=OBSERVE)
    assert result["services"][0]["gateway_after"] == pytest.approx(5, abs=0.2)
    assert "took 5." in run.warnings[0]


def test_a_fault_after_the_write_says_that_it_is_written(run: Run) -> None:
    answer = run.api.answer

    def forbidden(pod: str, path: str) -> str:
        if path == "/config_dump":
            raise fault("kube_forbidden", 403, "get pods/proxy was refused with 403")
        return answer(pod, path)

    run.api.answer = forbidden  # type: ignore[method-assign]
    with pytest.raises(RolloutError) as caught:
        run(weight=0, observe=OBSERVE)
    assert caught.value.reason == "kube_forbidden"
    assert "the weights are written, whether traffic follows is not known" in caught.value.msg
    assert [entry["after"] for entry in caught.value.details["services"]] == [0, 0]


def test_traffic_that_does_not_follow_is_a_fault(run: Run) -> None:
    real = run.api.answer
    asked = iter(range(1, 10**6))

    def stuck(pod: str, path: str) -> str:
        if path != "/stats":
            return real(pod, path)
        number = next(asked)
        shares = [(f"{service}{tail}", number * part) for service in run.names for tail, part in STUCK]
        return "\n".join(line for item in shares for line in counted(*item))

    run.api.answer = stuck  # type: ignore[method-assign]
    with pytest.raises(RolloutError) as caught:
        run(observe={**OBSERVE, "timeout": 5.0})
    assert caught.value.reason == "share_not_followed"
    assert caught.value.details["services"][0]["share"]["state"] == "not_followed"


STUCK = (("", 90), ("-canary", 10))


def test_a_deaf_gateway_stops_a_rise_and_no_fall(run: Run) -> None:
    answer = run.api.answer
    run.api.answer = lambda pod, path: answer(pod, path).replace("state{} 1", "state{} 0")  # type: ignore[method-assign]
    with pytest.raises(RolloutError) as caught:
        run(observe=OBSERVE)
    assert caught.value.reason == "gateway_disconnected" and run.api.count("patch") == 0
    assert run(weight=0, observe=OBSERVE)["changed"]


def test_a_canary_that_the_gateways_do_not_know_gets_nothing(run: Run) -> None:
    answer = run.api.answer
    run.api.answer = lambda pod, path: answer(pod, path).replace("||api-canary.", "||api-gone.")  # type: ignore[method-assign]
    with pytest.raises(RolloutError) as caught:
        run(observe=OBSERVE)
    assert caught.value.reason == "backend_unknown" and run.api.count("patch") == 0
    seen = "the Service api-canary.tars-us-west-2.svc.cluster.local port 80, which the gateways gw-a, gw-b do not know"
    assert seen in caught.value.msg


def test_a_gateway_that_is_replaced_meanwhile(run: Run) -> None:
    answer, names = run.api.answer, ["gw-a", "gw-b"]
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    run.api.list = lambda *_words, **_more: [{"metadata": {"name": name}, "status": ready} for name in names]  # type: ignore[method-assign]

    def moving(pod: str, path: str) -> str:
        if path == "/config_dump":
            names[1] = "gw-c"
        if pod not in names:
            raise fault("kube_not_found", 404, f"get pods/proxy/{pod}")
        return answer(pod, path)

    run.api.answer = moving  # type: ignore[method-assign]
    assert run(observe=OBSERVE)["services"][0]["share"]["state"] == "proven"


def test_without_a_config_dump_by_the_count_of_new_routes(run: Run) -> None:
    run.api.reloads = lambda: 5 + run.api.count("patch")
    where = {**GATEWAYS, "dump": ""}
    assert run(observe=OBSERVE, gateways=where)["services"][0]["share"]["state"] == "proven"
    assert run(weight=0, observe=OBSERVE, gateways=where)["services"][0]["share"]["state"] == "proven"
    assert not run(weight=0, observe=OBSERVE, gateways=where)["changed"]
    run.api.reloads = lambda: 5
    with pytest.raises(RolloutError, match="gw-a: no new route; gw-b: no new route"):
        run(weight=50, observe=OBSERVE, gateways=where)
    run.api.reloads = None
    with pytest.raises(RolloutError) as caught:
        run(weight=75, observe=OBSERVE, gateways=where)
    assert caught.value.reason == "not_provable"


def test_a_path_that_no_gateway_knows_is_said_at_once(run: Run) -> None:
    answer = run.api.answer

    def without(pod: str, path: str) -> str:
        if path == "/config_dump":
            raise fault("kube_not_found", 404, f"get pods/proxy/{pod}:15090/config_dump was refused with 404")
        return answer(pod, path)

    run.api.answer = without  # type: ignore[method-assign]
    start = run.clock.time
    with pytest.raises(RolloutError, match="config_dump was refused with 404"):
        run(observe=OBSERVE)
    assert run.clock.time - start < 1


def test_what_was_moved_is_told_although_another_route_could_not_be(run: Run) -> None:
    def forbidden(verb: str, name: str) -> None:
        if (verb, name) == ("patch", "api"):
            raise fault("kube_forbidden", 403, "patch virtualservices/api was refused with 403")

    run.api.before = forbidden
    with pytest.raises(RolloutError, match="1 of 2 routes were not changed, the other 1 say what was wanted"):
        run()
    assert [event.subject for event in ledger.read(str(run.folder / "ledger"))] == ["evaluation"]
    assert [line["subject"] for line in run.lines] == ["evaluation"]


def test_a_ledger_that_cannot_be_written_is_a_warning(run: Run) -> None:
    assert run(ledger=str(run.folder / "missing" / "ledger"))["changed"]
    assert "The ledger" in run.warnings[0]


def test_told_to_stop_nothing_is_written(run: Run) -> None:
    stop = Stop()
    stop.set("got SIGTERM")
    place = {"namespace": "tars-us-west-2", "name": None, "kind": None}
    params = {
        "services": [{"name": "api", "provider": "istio", "object": place, "route": "primary"}], "weight": 25,
        "cut": None, "release": None, "lift_cut": False, "tolerate": [], "fence": None, "observe": None,
        "gateways": GATEWAYS, "timeout": 10.0, "region": "", "ledger": None, "probes": None,
    }  # fmt: skip
    with pytest.raises(RolloutError, match="Stopped while about to write the weights: got SIGTERM"):
        _canary_weight.run(Call(params, False, print, run.clock, stop, Progress(), Scrubber()), run.api)
    assert run.api.count("patch") == 0
