# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""canary_weight against the lab's API server, istiod and gateways: what it writes, and what users then get."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._traffic import marks, request
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Wish
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from lab_demo import GRPC_ROUTES, HTTP_ROUTES, SERVICES, by_subsets, destination_rule, grpc_route, http_route
from lab_tools import VIRTUAL_SERVICES, Demo, Load, call, module, until


def shift(demo: Demo, *names: str, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    params = {"kubeconfig": demo.lab.kubeconfig, "services": demo.services(*names), "region": "lab", **options}
    return call("canary_weight", params, demo.folder, check_mode=check_mode)


def weights(demo: Demo, service: str) -> list[int]:
    return [entry["weight"] for entry in demo.route(service)["spec"]["http"][1]["route"]]


def rest(document: dict[str, Any]) -> dict[str, Any]:
    """What must never change: all but the weights of the named route, our annotations and the server's notes."""
    kept = copy.deepcopy(document)
    for entry in kept["spec"]["http"][1]["route"]:
        entry.pop("weight")
    for key in ("resourceVersion", "generation", "managedFields", "annotations"):
        kept["metadata"].pop(key, None)
    return kept


@pytest.fixture
def fresh(demo: Demo) -> Demo:
    """All services at 100/0 and without our marks."""
    for service in SERVICES:
        document = demo.route(service)
        ours = [key for key in document["metadata"].get("annotations") or {} if key in (marks.FENCE, marks.CUT)]
        ops: list[dict[str, Any]] = [
            {"op": "remove", "path": f"/metadata/annotations/{key.replace('/', '~1')}"} for key in ours
        ]
        ops += [
            {"op": "replace", "path": f"/spec/http/1/route/{at}/weight", "value": value}
            for at, value in ((0, 100), (1, 0))
        ]
        demo.lab.client.json_patch(VIRTUAL_SERVICES, demo.namespace, service, ops)
    return demo


def test_ten_services_in_one_call(fresh: Demo) -> None:
    before = {name: fresh.route(name) for name in SERVICES}
    first = shift(fresh, *SERVICES, weight=10, fence=1)
    assert (first["changed"], first["reads"], first["patches"]) == (True, 10, 10), first
    for name in SERVICES:
        assert weights(fresh, name) == [90, 10]
        assert rest(fresh.route(name)) == rest(before[name])
    again = shift(fresh, *SERVICES, weight=10, fence=1)
    assert (again["changed"], again["reads"], again["patches"]) == (False, 10, 0)


def test_the_share_follows_and_then_the_cut(fresh: Demo, tmp_path: Path) -> None:
    with Load(fresh, ("s0", "s1"), 40) as load:
        up = shift(fresh, "s0", "s1", weight=50, fence=1, observe={})
        assert [entry["share"]["state"] for entry in up["services"]] == ["proven", "proven"], up
        assert [line["result"] for line in up["lines"]][-2:] == ["FOLLOWED", "FOLLOWED"]
        began = time.time()
        down = shift(
            fresh, "s0", "s1", cut={"reason": "test"}, release="2", observe={}, ledger=str(tmp_path / "ledger")
        )
        assert [entry["share"]["state"] for entry in down["services"]] == ["proven", "proven"], down
        time.sleep(1)
    assert load.failed == [] and len(load.seen) > 100
    patched = json.loads((tmp_path / "ledger").read_text().splitlines()[0])
    assert patched["kind"] == "cut"
    marked = json.loads(fresh.route("s0")["metadata"]["annotations"][marks.CUT])
    assert (marked["release"], marked["reason"]) == ("2", "test")
    assert max(load.last_canary(name) for name in ("s0", "s1")) - began < 12
    # The route by header is as it was.
    assert fresh.ask("s0", **{"x-canary": "true"}).headers["x-version"] == "canary"


def test_as_a_playbook_calls_it(fresh: Demo) -> None:
    params = {"kubeconfig": fresh.lab.kubeconfig, "services": fresh.services("s4"), "weight": 25, "region": "lab"}
    done = module("canary_weight", params)
    assert done["changed"] and weights(fresh, "s4") == [75, 25]
    assert "lab weight 25 %  s4  0 % -> 25 %, patched after" in done["live_lines"]
    failed = module("canary_weight", {**params, "weight": "25%"})
    assert failed["reason"] == "weight_invalid" and failed["msg"].startswith("weight is '25%', which is a text. Give ")


def test_a_canary_without_pods_gets_its_share_all_the_same(fresh: Demo) -> None:
    """The gateway answers those requests itself, with 503. They are no silence."""
    kind, name = Kind("v1", "services"), "s6-canary"
    select = {"op": "replace", "path": "/spec/selector", "value": {"track": "nobody"}}
    fresh.lab.client.json_patch(kind, fresh.namespace, name, [select])
    with Load(fresh, ("s6",), 80) as load:
        up = shift(fresh, "s6", weight=50, fence=1, observe={})
        assert up["services"][0]["share"]["state"] == "proven", up
        shift(fresh, "s6", cut={"reason": "test"}, release="2", observe={})
        time.sleep(0.3)
        last = len(load.seen)
        time.sleep(0.5)
    assert load.failed and not [item for item in load.seen[last:] if item[2] != 200]
    fresh.lab.client.json_patch(kind, fresh.namespace, name, [{**select, "value": {"track": "canary"}}])


def test_no_traffic_is_reported(fresh: Demo) -> None:
    result = shift(fresh, "s2", weight=25, observe={"quiet": 1.5})
    assert result["services"][0]["share"]["state"] == "no_traffic"
    assert result["services"][0]["gateway_after"] < 12


def test_a_canary_that_does_not_exist_gets_nothing(fresh: Demo) -> None:
    kind, name = Kind("v1", "services"), "s8-canary"
    service = fresh.lab.client.get(kind, fresh.namespace, name)
    fresh.lab.client.delete(kind, fresh.namespace, name)
    try:
        time.sleep(2)
        failed = shift(fresh, "s8", weight=50, observe={})
        assert failed["reason"] == "backend_unknown" and f"the Service {name}.{fresh.namespace}" in failed["msg"]
        assert weights(fresh, "s8") == [100, 0]
    finally:
        spec = {key: service["spec"][key] for key in ("selector", "ports")}
        fresh.lab.client.create(kind, fresh.namespace, {**service, "metadata": {"name": name}, "spec": spec})


def test_a_rule_of_the_gateway_api(fresh: Demo) -> None:
    fresh.lab.client.create(HTTP_ROUTES, fresh.namespace, http_route("s9", fresh.host("s9")))
    services = [{**fresh.services("s9")[0], "provider": "gateway_api"}]
    with Load(fresh, ("s9",), 80, os.environ["LAB_GATEWAY_API_URL"]) as load:
        until(lambda: bool(load.seen) and load.seen[-1][2] == 200, 20, "the route of the Gateway API to answer")
        load.seen.clear()
        up = shift(fresh, services=services, weight=50, fence=1, observe={})
        assert up["services"][0]["share"]["state"] == "proven", up
        down = shift(fresh, services=services, weight=0, fence=1, observe={})
        assert down["services"][0]["share"]["state"] == "proven", down
    assert load.failed == []
    # The VirtualService of the same host has not been touched.
    assert weights(fresh, "s9") == [100, 0]


def test_a_grpc_route_is_judged_by_the_api_server(fresh: Demo) -> None:
    made = fresh.lab.client.create(GRPC_ROUTES, fresh.namespace, grpc_route("s8", fresh.host("s8")))
    place = {"namespace": fresh.namespace, "kind": "GRPCRoute"}
    services = [{**fresh.services("s8")[0], "provider": "gateway_api", "object": place}]
    up = shift(fresh, services=services, weight=25, fence=4)
    assert (up["services"][0]["before"], up["services"][0]["after"]) == (0, 25), up
    after = fresh.lab.client.get(GRPC_ROUTES, fresh.namespace, "s8")
    assert [ref["weight"] for ref in after["spec"]["rules"][1]["backendRefs"]] == [75, 25]
    assert after["metadata"]["annotations"][marks.FENCE] == "4"
    for ref in (*after["spec"]["rules"][1]["backendRefs"], *made["spec"]["rules"][1]["backendRefs"]):
        ref.pop("weight")
    assert after["spec"] == made["spec"]
    again = shift(fresh, services=services, weight=25, fence=4)
    assert (again["changed"], again["reads"], again["patches"]) == (False, 1, 0)
    late = shift(fresh, services=services, weight=50, fence=3)
    assert late["reason"] == "fence_lost", late
    down = shift(fresh, services=services, cut={"reason": "requested"}, release="2.0")
    assert down["services"][0]["after"] == 0, down


def test_two_subsets_of_one_service(fresh: Demo) -> None:
    for kind, body in by_subsets("sub", fresh.host("sub")):
        fresh.lab.client.create(kind, fresh.namespace, body)
    time.sleep(1)
    with Load(fresh, ("sub",), 80) as load:
        # Nobody has made the subsets yet. (Both are unknown, so that is seen as: nothing counts this service.)
        early = shift(fresh, "sub", weight=0, observe={})
        assert early["services"][0]["share"]["state"] == "not_counted"
        rules = Kind("networking.istio.io/v1", "destinationrules")
        fresh.lab.client.create(rules, fresh.namespace, destination_rule("sub"))
        until(lambda: bool(load.seen) and load.seen[-1][2] == 200, 20, "the subsets to answer")
        load.seen.clear()
        done = shift(fresh, "sub", weight=50, observe={})
        assert done["services"][0]["share"]["state"] == "proven", done
    assert load.failed == []


def test_a_hundred_late_patches_of_a_zombie(fresh: Demo) -> None:
    """What a run planned before it was stopped for a while: the API server refuses all of it, and says which."""
    provider = Kubernetes(fresh.lab.client)
    where = request.target({**fresh.services("s7")[0], "provider": "istio"})
    shift(fresh, "s7", weight=50, fence=7)
    seen = provider.observe(where)
    plans = [provider.plan(seen, Wish(1 + number % 49, fence=7)) for number in range(100)]
    shift(fresh, "s7", cut={"reason": "by_hand"}, release="2")
    reasons = []
    for plan in plans:
        with pytest.raises(RolloutError) as caught:
            provider.patch(plan)
        reasons.append(caught.value.reason)
    assert reasons == ["kube_patch_test_failed"] * 100 and weights(fresh, "s7") == [100, 0]


def test_the_proof_by_prometheus(fresh: Demo) -> None:
    gateways = {"prometheus": {"url": os.environ["LAB_PROMETHEUS_URL"]}}
    with Load(fresh, ("s5",), 40) as load:
        # Prometheus shall know these counters before anything moves.
        time.sleep(11)
        done = shift(fresh, "s5", weight=50, fence=1, gateways=gateways, observe={"route_timeout": 20, "timeout": 40})
    assert done["services"][0]["share"]["state"] == "proven", done
    assert load.failed == []


def test_check_mode_and_diff(fresh: Demo) -> None:
    planned = shift(fresh, "s0", "s1", weight=25, fence=4, check_mode=True)
    assert planned["changed"] and weights(fresh, "s0") == [100, 0]
    done = shift(fresh, "s0", "s1", weight=25, fence=4)
    assert planned["diff"] == done["diff"] and weights(fresh, "s0") == [75, 25]


def test_if_one_cannot_be_planned_none_is_patched(fresh: Demo) -> None:
    services = [*fresh.services("s0", "s1"), {**fresh.services("s2")[0], "route": "main"}]
    failed = shift(fresh, weight=25, services=services)
    assert failed["reason"] == "route_unknown" and "canary-header, primary" in failed["msg"]
    assert weights(fresh, "s0") == [100, 0]


def test_a_newer_fence_wins(fresh: Demo) -> None:
    shift(fresh, "s0", weight=25, fence=7)
    shift(fresh, "s0", cut={"reason": "by_hand"}, release="2")
    late = shift(fresh, "s0", weight=50, fence=7, release="3")
    assert late["reason"] == "fence_lost" and weights(fresh, "s0") == [100, 0]
    again = shift(fresh, "s0", weight=50, fence=9, release="2")
    assert again["reason"] == "route_is_cut"
    assert shift(fresh, "s0", weight=50, fence=9, release="3")["services"][0]["cut"] is False


def test_a_second_writer_is_named(fresh: Demo) -> None:
    shift(fresh, "s3", weight=25, fence=2)
    kubectl(fresh, "s3", [{"op": "replace", "path": "/spec/http/1/route", "value": [
        {**entry, "weight": value} for entry, value in zip(
            fresh.route("s3")["spec"]["http"][1]["route"], (60, 40), strict=True)
    ]}])  # fmt: skip
    failed = shift(fresh, "s3", weight=50, fence=2)
    assert failed["reason"] == "second_writer" and "was changed by kubectl-patch" in failed["msg"]


def kubectl(demo: Demo, name: str, ops: list[dict[str, Any]]) -> None:
    subprocess.run(
        [os.environ["LAB_KUBECTL"], "--kubeconfig", demo.lab.kubeconfig, "-n", demo.namespace, "patch",
         "virtualservice", name, "--type", "json", "-p", json.dumps(ops)],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("weight", "words"), [(101, "weight is 101"), (True, "a boolean"), ("10%", "a text"), (-1, "weight is -1")]
)
def test_bad_weights(demo: Demo, weight: Any, words: str) -> None:
    failed = shift(demo, "s0", weight=weight)
    assert failed["reason"] == "weight_invalid" and words in failed["msg"]


def test_an_object_that_is_not_there(demo: Demo) -> None:
    failed = shift(demo, "nothing", weight=10)
    assert failed["reason"] == "kube_not_found"
    assert "virtualservices.networking.istio.io/nothing" in failed["msg"]
