# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuse cuts every route it can, through the traffic provider, and never takes the verdict with it."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._slo_gate.fuse import RouteFuse
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import Kubernetes
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from fake_prometheus import Clock, FakePrometheus, judge


def route(name: str) -> dict[str, Any]:
    split = [
        {"destination": {"host": name}, "weight": 90},
        {"destination": {"host": f"{name}-canary"}, "weight": 10},
    ]
    return {
        "metadata": {"name": name, "namespace": "tars", "resourceVersion": "5"},
        "spec": {"http": [{"name": "primary", "route": split}]},
    }


class Objects:
    """An API server that keeps routes, and refuses those named."""

    def __init__(self, *names: str) -> None:
        self.routes = {name: route(name) for name in names}
        self.refused: set[str] = set()
        # Whose patch is not allowed; None: nobody may ask for that.
        self.read_only: set[str] | None = set()
        self.asked: list[dict[str, Any]] = []
        self.writes = 0
        self._lock = threading.Lock()

    def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any]:
        if name in self.refused:
            raise RolloutError(f"{name} was refused", reason="kube_forbidden")
        return copy.deepcopy(self.routes[name])

    def json_patch(self, kind: Any, namespace: str, name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        with self._lock:
            self.writes += 1
            for op in ops:
                *way, last = [part.replace("~1", "/") for part in op["path"].split("/")[1:]]
                place: Any = self.routes[name]
                for part in way:
                    place = place[int(part)] if isinstance(place, list) else place[part]
                if op["op"] != "test":
                    place[last] = op["value"]
            return copy.deepcopy(self.routes[name])

    def create(self, kind: Any, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert kind.plural == "selfsubjectaccessreviews", "nothing else is ever created here"
        with self._lock:
            self.asked.append(body["spec"]["resourceAttributes"])
        if self.read_only is None:
            raise RolloutError("create selfsubjectaccessreviews was refused", reason="kube_forbidden")
        return {"status": {"allowed": body["spec"]["resourceAttributes"]["name"] not in self.read_only}}

    def weights(self, name: str) -> list[int]:
        return [entry["weight"] for entry in self.routes[name]["spec"]["http"][0]["route"]]


def fuse(objects: Objects, *names: str) -> RouteFuse:
    services = [
        {"name": name, "provider": "istio", "object": {"namespace": "tars"}, "route": "primary"} for name in names
    ]
    return RouteFuse(Kubernetes(objects), SystemClock(Stop()), services, "2.1.0")


def test_all_routes_are_cut_at_once_with_the_reason_on_them() -> None:
    objects = Objects("api", "evaluation", "insight")
    began = time.monotonic()
    told = fuse(objects, *objects.routes).blow("WORSE_THAN_STABLE")
    assert time.monotonic() - began < 5
    assert told["done"] and told["patches"] == 3
    for name, document in objects.routes.items():
        assert objects.weights(name) == [100, 0]
        assert "WORSE_THAN_STABLE" in document["metadata"]["annotations"]["ga.rollout/cut"]


def test_a_fuse_that_has_looked_does_not_look_again() -> None:
    objects = Objects("api", "evaluation")
    ready = fuse(objects, "api", "evaluation")
    ready.check()
    objects.refused = {"api", "evaluation"}  # reading is refused, writing is not
    told = ready.blow("WORSE_THAN_STABLE")
    assert told["done"] and told["patches"] == 2
    assert objects.weights("api") == objects.weights("evaluation") == [100, 0]


def test_a_route_that_cannot_be_cut_does_not_keep_the_others_from_it() -> None:
    objects = Objects("api", "evaluation")
    objects.refused.add("api")
    told = fuse(objects, "api", "evaluation").blow("ABOVE_LIMIT")
    assert not told["done"] and "api was refused" in told["error"]
    assert objects.weights("evaluation") == [100, 0]


def test_a_fault_that_nobody_expected_does_not_take_the_verdict_with_it() -> None:
    objects = Objects("api", "evaluation")
    good = objects.json_patch

    def odd(kind: Any, namespace: str, name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {}["spec"] if name == "api" else good(kind, namespace, name, ops)

    objects.json_patch = odd  # type: ignore[method-assign]
    told = fuse(objects, "api", "evaluation").blow("ABOVE_LIMIT")
    assert not told["done"] and "KeyError" in told["error"] and "Traceback" not in told["error"]
    assert told["details"]["type"] == "KeyError" and told["details"]["at"]
    assert objects.weights("evaluation") == [100, 0]


def test_a_fuse_that_could_not_cut_is_known_before_the_bake() -> None:
    objects = Objects("api")
    before = copy.deepcopy(objects.routes)
    fuse(objects, "api").check()
    assert objects.routes == before
    objects.refused.add("api")
    with pytest.raises(RolloutError):
        fuse(objects, "api").check()


def test_the_right_to_patch_is_asked_for_each_route_and_its_lack_is_known_before_the_bake() -> None:
    objects = Objects("api", "evaluation")
    assert fuse(objects, "api", "evaluation").check() == []
    assert sorted(objects.asked, key=lambda one: one["name"]) == [
        {"verb": "patch", "group": "networking.istio.io", "resource": "virtualservices", "namespace": "tars", "name": n}
        for n in ("api", "evaluation")
    ]
    objects.read_only = {"evaluation"}
    with pytest.raises(RolloutError, match="This login may not patch VirtualService tars/evaluation") as caught:
        fuse(objects, "api", "evaluation").check()
    assert caught.value.reason == "rights_missing" and "patch on virtualservices" in caught.value.hint
    assert objects.writes == 0


def test_who_may_not_ask_for_rights_is_told_and_not_refused() -> None:
    objects = Objects("api")
    objects.read_only = None
    (text,) = fuse(objects, "api").check()
    assert "whether VirtualService tars/api may be patched could not be asked" in text


def test_check_mode_tries_the_fuse_and_writes_nothing() -> None:
    objects = Objects("api", "evaluation", "insight")
    before = copy.deepcopy(objects.routes)
    objects.refused, objects.read_only = {"api"}, {"insight"}
    result = judge(FakePrometheus(Clock(), bad=0.5), check=True, fuse=fuse(objects, *objects.routes))
    told = [text for text in result["forecast"]["findings"] if text.startswith("cut_traffic: ")]
    assert len(told) == 2 and "api was refused" in told[0] and "may not patch VirtualService tars/insight" in told[1]
    assert result["verdict"] == "not yet" and result["cut"] is None
    assert objects.routes == before and objects.writes == 0
    objects.refused, objects.read_only = set(), set()
    result = judge(FakePrometheus(Clock()), check=True, fuse=fuse(objects, *objects.routes))
    assert not [text for text in result["forecast"]["findings"] if "cut_traffic" in text]


def test_check_mode_says_when_the_cluster_of_the_fuse_cannot_be_reached(tmp_path: Path) -> None:
    where = {"namespace": "tars"}
    services = [{"name": "api", "provider": "istio", "object": where, "route": "primary"}]
    options = {"kubeconfig": str(tmp_path / "none"), "context": None, "api_timeout": 1.0}
    cut = {"release": "2.1.0", "services": services}
    findings = judge(FakePrometheus(Clock()), check=True, cut_traffic=cut, **options)["forecast"]["findings"]
    assert any(text.startswith("cut_traffic: ") and "none" in text for text in findings), findings
