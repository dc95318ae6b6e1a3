# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable made another release where it stands: exactly the fields that are meant, and exactly back again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _stable_in_place
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from ansible_collections.tars.rollout.plugins.module_utils._tracks import owners, replacing
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Service
from ansible_collections.tars.rollout.plugins.module_utils._traffic.marks import FENCE
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop
from platform_objects import KEY, SPACE, deployment

NEW = "registry.example:5000/tars/app:2.0.0"


def plain(name: str = "api", **pod: Any) -> dict[str, Any]:
    """One that was applied from manifests, the label of a chart that somebody rendered among them."""
    found = deployment(name, **pod)
    found["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "4"}
    return found


class Cluster:
    """Deployments whose pods follow at once, unless their name is ``late``."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self.objects = {item["metadata"]["name"]: item for item in found}
        self.patches: list[tuple[str, list[str]]] = []
        self.late: set[str] = set()
        self.before: Callable[[str], None] = lambda name: None
        self._follow()

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        return copy.deepcopy(self.objects[name])

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        return copy.deepcopy(list(self.objects.values())) if kind.plural == "deployments" else []

    def json_patch(
        self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Any]:
        self.before(name)
        found = copy.deepcopy(self.objects[name])
        for op in ops:
            *way, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
            place: Any = found
            for part in way:
                place = place[int(part)] if isinstance(place, list) else place[part]
            if op["op"] == "test" and place.get(last) != op["value"]:
                raise KubeError("no", reason="kube_patch_test_failed", details={"status": 422})
            if op["op"] == "add":
                place[last] = copy.deepcopy(op["value"])
            if op["op"] == "remove":
                del place[last]
        if not dry_run:
            found["metadata"]["generation"] += 1
            self.objects[name] = found
            self.patches.append((name, [op["path"] for op in ops if op["op"] != "test"]))
            self._follow()
        return found

    def _follow(self) -> None:
        for name, item in self.objects.items():
            pods = item["spec"]["replicas"]
            counts = {"replicas": pods, "updatedReplicas": pods, "availableReplicas": 0 if name in self.late else pods}
            item["status"] = {"observedGeneration": item["metadata"]["generation"], **counts}

    def spec(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.objects[name]["spec"]["template"]["spec"]
        return found


@pytest.fixture
def act(clock: Any, tmp_path: Path) -> Any:
    def run(cluster: Cluster, *services: Mapping[str, Any], check_mode: bool = False, **more: Any) -> Mapping[str, Any]:
        base = {"kind": "routed", "with_stable": False, "env": {}, "config_maps": {}, "secrets": {}}
        params = {
            "namespace": SPACE, "services": [{**base, **item} for item in services], "tag": "2.0.0", "restore": {},
            "track_label": KEY, "fence": 7, "wait_timeout": 60.0, "interval": 1.0, "fault_patience": 10.0,
            "release": "2.0.0", "region": "us-west-2", "ledger": str(tmp_path / "ledger"), **more,
        }  # fmt: skip
        call = Call(params, check_mode, lambda text: None, clock, Stop(), Progress(), Scrubber())
        return _stable_in_place.run(call, cluster)

    run.ledger = str(tmp_path / "ledger")  # type: ignore[attr-defined]
    return run


def test_images_and_flags_of_all_and_nothing_else(act: Any) -> None:
    cluster = Cluster(plain(), plain("worker"))
    there = copy.deepcopy(cluster.objects)
    result = act(cluster, {"name": "api", "env": {"MODE": "fast", "FEATURE_NEW_UI": "true"}}, {"name": "worker"})
    mark = f"/metadata/annotations/{FENCE.replace('/', '~1')}"
    root = "/spec/template/spec/containers/0"
    assert dict(cluster.patches) == {"api": [f"{root}/image", f"{root}/env", mark], "worker": [f"{root}/image", mark]}
    first, second = cluster.spec("api")["containers"]
    assert first["image"] == NEW and second["image"] == "proxy:3.1"
    assert first["env"] == [{"name": "MODE", "value": "fast"}, {"name": "FEATURE_NEW_UI", "value": "true"}]
    assert [item["ready"] for item in result["services"]] == [3, 3]
    assert sorted((event.kind, event.subject) for event in ledger.read(act.ledger)) == [
        ("stable", "api"), ("stable", "worker"),
    ]  # fmt: skip
    assert '"FEATURE_NEW_UI": "true"' in result["diff"][0]["after"] and "plain" in result["diff"][0]["before"]

    # The same once more: nothing is written.
    cluster.patches.clear()
    again = act(cluster, {"name": "api", "env": {"MODE": "fast", "FEATURE_NEW_UI": "true"}}, {"name": "worker"})
    assert (again["changed"], again["diff"], cluster.patches) == (False, [], [])

    # What was written down, as JSON in the record, brings back what there was.
    act(cluster, restore=json.loads(json.dumps(result["before"])), fence=8)
    for name, item in there.items():
        assert cluster.spec(name) == item["spec"]["template"]["spec"]
        assert cluster.objects[name]["metadata"]["annotations"][FENCE] == "8"


def test_mounts_that_have_another_name_with_the_release_and_back(act: Any) -> None:
    volumes = [{"name": "v", "secret": {"secretName": "keys-1"}}, {"name": "w", "configMap": {"name": "other"}}]
    cluster = Cluster(plain(volumes=volumes))
    there = copy.deepcopy(cluster.spec("api"))
    release = {"name": "api", "config_maps": {"tars-config": "tars-config-2"}, "secrets": {"keys-1": "keys-2"}}
    result = act(cluster, release)
    assert cluster.spec("api")["containers"][0]["envFrom"] == [{"configMapRef": {"name": "tars-config-2"}}]
    assert [item.get("secret") for item in cluster.spec("api")["volumes"]] == [{"secretName": "keys-2"}, None]
    assert act(cluster, release)["changed"] is False
    act(cluster, restore=result["before"])
    assert cluster.spec("api") == there


def test_check_mode_tells_the_same_and_writes_nothing(act: Any) -> None:
    cluster = Cluster(plain())
    planned = act(cluster, {"name": "api"}, check_mode=True)
    assert cluster.patches == [] and planned["changed"] and planned["services"][0]["ready"] == "not yet"
    done = act(cluster, {"name": "api"})
    assert (planned["before"], planned["diff"]) == (done["before"], done["diff"])


def test_somebody_wrote_meanwhile(act: Any) -> None:
    cluster = Cluster(plain())

    def meddle(_name: str) -> None:
        cluster.before = lambda name: None
        cluster.objects["api"]["metadata"]["generation"] += 1
        cluster.objects["api"]["spec"]["template"]["spec"]["containers"].reverse()

    cluster.before = meddle
    act(cluster, {"name": "api", "container": "api"})
    # Decided again: the container is found where it is now.
    assert [item["image"] for item in cluster.spec("api")["containers"]] == ["proxy:3.1", NEW]


def test_a_newer_run_is_not_overwritten(act: Any) -> None:
    cluster = Cluster(plain())
    cluster.objects["api"]["metadata"]["annotations"][FENCE] = "9"
    with pytest.raises(RolloutError) as caught:
        act(cluster, {"name": "api"})
    assert caught.value.reason == "fence_lost" and cluster.patches == []


def test_one_that_does_not_become_whole(act: Any) -> None:
    cluster = Cluster(plain(), plain("insight"))
    cluster.late = {"insight"}
    with pytest.raises(RolloutError, match="The Deployment insight is not ready after 60 s: 0/3 ready") as caught:
        act(cluster, {"name": "api"}, {"name": "insight"})
    assert caught.value.reason == "stable_not_ready"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"annotations": {owners.HELM: "tars"}}, "owned_by_helm", "belongs to the Helm release tars"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "owned_by_flux", "under Flux"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "tars:x"}}, "owned_by_argo_cd", "under Argo CD"),
        ({"ownerReferences": [{"kind": "App", "name": "a", "controller": True}]}, "owned", "owned by the App a"),
    ],
)
def test_who_would_set_it_back_is_named_and_nothing_is_touched(
    act: Any, change: Mapping[str, Any], code: str, words: str
) -> None:
    cluster = Cluster(plain(), plain("insight"))
    before = act(cluster, {"name": "insight"}, check_mode=True)["before"]
    cluster.objects["insight"]["metadata"] |= change
    with pytest.raises(RolloutError, match=words) as caught:
        act(cluster, {"name": "api"}, {"name": "insight"})
    assert caught.value.reason == code and cluster.patches == []
    # A rollback takes back what was written here, whoever has come meanwhile.
    assert act(cluster, restore=before)["changed"] is False


def test_what_cannot_be_planned(act: Any) -> None:
    cluster = Cluster(plain())
    cluster.spec("api")["containers"][0]["env"].append({"name": "DB_PASSWORD", "value": "s3cret"})
    wrong: list[tuple[tuple[Mapping[str, Any], ...], dict[str, Any], str, str]] = [
        (({"name": "api"}, {"name": "gone"}), {}, "deployment_missing", "no Deployment gone"),
        (({"name": "api", "env": {"DB_PASSWORD": "x"}},), {}, "env_secret", "must not be written down"),
        (({"name": "api", "container": "web"},), {}, "container_unknown", "web"),
        ((), {}, "no_services", "nothing to do"),
        ((), {"restore": {"api": {"image": 7}}}, "before_invalid", "api"),
        ((), {"restore": {"api": {"container": "web", "image": "x"}}}, "container_missing", "no container web"),
    ]  # fmt: skip
    for asked, more, code, words in wrong:
        with pytest.raises(RolloutError, match=words) as caught:
            act(cluster, *asked, **more)
        assert caught.value.reason == code and "s3cret" not in str(caught.value) and cluster.patches == []


def test_which_helm_release_owns_it() -> None:
    assert owners.helm_release(plain()) == "" and owners.helm_release(deployment()) == "tars"
    elsewhere = deployment()
    elsewhere["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = "apps"
    assert owners.helm_release(elsewhere) == "apps/tars"


def test_a_variable_keeps_its_place_and_its_source() -> None:
    """Later variables may be made of it, and what comes from a Secret goes back there."""
    live = plain()
    source = {"name": "LEVEL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    live["spec"]["template"]["spec"]["containers"][0]["env"] = [source, {"name": "ALL", "value": "$(LEVEL)"}]
    wanted = replacing.target(live, Service("api", tag="2.0.0", env={"LEVEL": "3"}))
    there = replacing.before(live, wanted)
    after = replacing.replaced(live, wanted)
    assert [item["name"] for item in after["spec"]["template"]["spec"]["containers"][0]["env"]] == ["LEVEL", "ALL"]
    assert there["env"] == {"LEVEL": source}
    assert replacing.replaced(after, replacing.kept(there, "api")) == live


def test_a_switch_is_no_secret_whatever_its_name(act: Any) -> None:
    cluster = Cluster(plain())
    cluster.spec("api")["containers"][0]["env"].append({"name": "FEATURE_PASSWORDLESS_LOGIN", "value": "false"})
    done = act(cluster, {"name": "api", "env": {"FEATURE_PASSWORDLESS_LOGIN": "true"}})
    assert done["before"]["api"]["env"]["FEATURE_PASSWORDLESS_LOGIN"]["value"] == "false"


class Slow(Cluster):
    """Its controller still says of the change before that it came to nothing, and takes some looks to be whole."""

    looks = 0

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        found = super().list(kind, namespace, labels=labels)
        if kind.plural == "deployments":
            self.looks += 1
            said = {
                "type": "Progressing",
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "message": "too late",
            }
            for item in found if self.patches and self.looks < 9 else []:
                item["status"] |= {"availableReplicas": 0, "conditions": [said]}
        return found


def test_what_was_said_of_the_change_before_ends_nothing(act: Any) -> None:
    assert act(Slow(plain()), {"name": "api"})["services"][0]["ready"] == 3
    with pytest.raises(RolloutError) as caught:
        act(Slow(plain()), {"name": "api"}, fault_patience=2.0)
    assert caught.value.reason == "progress_deadline"


def test_one_that_selects_by_expressions_alone(act: Any) -> None:
    cluster = Cluster(plain())
    there = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}
    cluster.objects["api"]["spec"]["selector"] = there
    assert act(cluster, {"name": "api", "with_stable": True})["services"][0]["ready"] == 3
