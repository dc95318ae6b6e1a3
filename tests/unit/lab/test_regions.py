# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regions' names, accounts and values; what needs a cluster is shown by the lab's own scenario."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from tarslab import access, chart, files, regions
from tarslab.context import MORE_REGIONS, REGIONS, SERVICES

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "tests" / "lab" / "chart" / "tars"
CLUSTER = {"server": "https://127.0.0.1:20000", "certificate-authority-data": "abc"}
NOW = 1_000_000.0


def token(uid: str, expires: float) -> str:
    claims = {"exp": expires, "kubernetes.io": {"serviceaccount": {"uid": uid}}}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{middle}.signature"


def test_names_of_a_region() -> None:
    assert regions.region_name("us_west_2") == "us-west-2"
    assert regions.namespace("staging") == "tars-staging"
    everywhere = (*REGIONS, *MORE_REGIONS)
    assert len({regions.redis_db(region) for region in everywhere}) == len(everywhere)


def test_no_account_gets_a_right_on_secrets_or_on_everything() -> None:
    for document in access.documents(["tars-staging"]):
        for rule in document.get("rules", []):
            assert not {"*", "secrets"} & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}


def test_a_regions_account_writes_in_its_own_namespace_only() -> None:
    for document in access.documents(["tars-staging", "tars-us-west-2"]):
        verbs = {verb for rule in document.get("rules", []) for verb in rule["verbs"]}
        if document["metadata"].get("namespace") not in ("tars-staging", "tars-us-west-2"):
            assert verbs <= {"get", "list", "watch"}
    bound = [d for d in access.documents(["tars-staging", "tars-us-west-2"]) if d["kind"] == "RoleBinding"]
    for binding in bound:
        place = binding["metadata"]["namespace"]
        assert place in ("istio-system", binding["subjects"][0]["namespace"])


@pytest.mark.parametrize(
    ("uid", "cluster", "expires", "usable"),
    [
        ("one", CLUSTER, NOW + access.RENEW_SECONDS + 60, True),
        ("one", CLUSTER, NOW + access.RENEW_SECONDS - 60, False),
        ("another", CLUSTER, NOW * 2, False),
        ("one", {**CLUSTER, "certificate-authority-data": "new"}, NOW * 2, False),
    ],
)
def test_a_kubeconfig_is_kept_while_it_is_good(
    tmp_path: Path, uid: str, cluster: dict[str, Any], expires: float, usable: bool
) -> None:
    path = tmp_path / "staging.yaml"
    path.write_text(access.kubeconfig(CLUSTER, "tars-staging", token("one", expires)))
    assert access._usable(path, cluster, uid, NOW) is usable


@pytest.mark.parametrize("text", ["", "{", "users: []", access.kubeconfig(CLUSTER, "x", "no token")])
def test_a_damaged_kubeconfig_is_made_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "staging.yaml"
    assert access._usable(path, CLUSTER, "one", NOW) is False
    path.write_text(text)
    assert access._usable(path, CLUSTER, "one", NOW) is False


def test_services_that_the_lab_does_not_have_are_switched_off() -> None:
    lab: Any = SimpleNamespace(services=["api", "worker"])
    found = chart.values(lab, "us-west-2", 1, "1.0.0")["services"]
    assert {name for name, one in found.items() if one["enabled"]} == {"api", "worker"}
    assert set(found) == set(SERVICES)


def rendered(*arguments: str) -> list[dict[str, Any]]:
    known = files.read_json(ROOT / ".lab" / "state.json").get("programs", {}).get("helm", "")
    helm = known if Path(known).is_file() else shutil.which("helm")
    if helm is None:
        pytest.skip("no helm: neither a lab that was up once nor one on the PATH")
    argv = [helm, "template", "tars", str(CHART), "--namespace", "tars-us-west-2", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_the_charts_services_are_the_labs() -> None:
    assert tuple(yaml.safe_load((CHART / "values.yaml").read_text())["services"]) == SERVICES


def test_the_chart_makes_what_the_contract_says() -> None:
    found = {(one["kind"], one["metadata"]["name"]): one for one in rendered()}
    for name in SERVICES:
        selector = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "tars"}
        deployment = found["Deployment", name]["spec"]
        assert deployment["selector"]["matchLabels"] == selector
        assert deployment["template"]["metadata"]["labels"] == selector
        assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert found["Service", name]["spec"]["selector"] == selector
        if name == "worker":
            assert ("VirtualService", name) not in found
            continue
        canary = found["Service", f"{name}-canary"]["spec"]["selector"]
        assert canary == {**selector, "app.kubernetes.io/name": f"{name}-canary"}
        routes = {route["name"]: route for route in found["VirtualService", name]["spec"]["http"]}
        assert list(routes) == ["canary-header", "primary"]
        assert [one["weight"] for one in routes["primary"]["route"]] == [100, 0]
    assert [name for kind, name in found if kind == "HTTPRoute"] == ["insight"]


def test_a_digest_goes_before_the_tag_and_a_service_before_the_rest() -> None:
    found = rendered(
        "--set", "image.digest=sha256:aa", "--set", "services.api.image.tag=2", "--set", "services.api.image.digest="
    )
    images = {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in found
        if one["kind"] == "Deployment"
    }
    assert images["api"] == "lab.invalid/tars/app:2"
    assert images["ppo"] == "lab.invalid/tars/app@sha256:aa"


def test_a_lab_with_three_services_has_three(tmp_path: Path) -> None:
    lab: Any = SimpleNamespace(services=["api", "evaluation", "worker"])
    path = tmp_path / "values.json"
    path.write_text(json.dumps(chart.values(lab, "us-west-2", 1, "1.2.3")))
    found = rendered("--values", str(path))
    assert {one["metadata"]["name"] for one in found if one["kind"] == "Deployment"} == set(lab.services)
    assert {one["metadata"]["name"] for one in found if one["kind"] == "VirtualService"} == {"api", "evaluation"}
    settings = next(one for one in found if one["kind"] == "ConfigMap")["data"]
    assert (settings["TARS_REDIS_DB"], settings["TARS_REDIS_PREFIX"]) == ("1", "tars:us-west-2")
