# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services' chart makes, as the lab's own helm renders it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from ansible_collections.tars.rollout.plugins.module_utils._govern import features
from lab_tools import Lab
from tarslab import chart, files
from tarslab.context import SERVICES

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "tests" / "lab" / "chart" / "tars"


def rendered(*arguments: str) -> list[dict[str, Any]]:
    helm = files.read_json(ROOT / ".lab" / "state.json")["programs"]["helm"]
    argv = [helm, "template", "tars", str(CHART), "--namespace", "tars-us-west-2", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_the_charts_services_are_the_labs() -> None:
    assert tuple(yaml.safe_load((CHART / "values.yaml").read_text())["services"]) == SERVICES


def test_the_chart_makes_what_the_contract_says(lab: Lab) -> None:
    found = {(one["kind"], one["metadata"]["name"]): one for one in rendered()}
    for name in SERVICES:
        selector = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "tars"}
        deployment = found["Deployment", name]["spec"]
        assert deployment["selector"]["matchLabels"] == selector
        assert deployment["template"]["metadata"]["labels"] == selector
        assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "100%"}
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


def test_a_digest_goes_before_the_tag_and_a_service_before_the_rest(lab: Lab) -> None:
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


def test_a_lab_with_three_services_has_three(lab: Lab, tmp_path: Path) -> None:
    three: Any = SimpleNamespace(services=["api", "evaluation", "worker"])
    path = tmp_path / "values.json"
    path.write_text(json.dumps(chart.values(three, "us-west-2", 1, "1.2.3")))
    found = rendered("--values", str(path))
    assert {one["metadata"]["name"] for one in found if one["kind"] == "Deployment"} == set(three.services)
    assert {one["metadata"]["name"] for one in found if one["kind"] == "VirtualService"} == {"api", "evaluation"}
    settings = next(one for one in found if one["kind"] == "ConfigMap")["data"]
    assert (settings["TARS_REDIS_DB"], settings["TARS_REDIS_PREFIX"]) == ("1", "tars:us-west-2")


def test_a_flag_reads_the_same_by_the_chart_as_in_the_canary(lab: Lab, tmp_path: Path) -> None:
    flags = {"NEW_UI": True, "OLD_UI": False, "LIMIT": 1000000, "RATE": 0.25, "MODE": "fast"}
    (tmp_path / "values.yml").write_text(yaml.safe_dump({"features": features.values(flags)}))
    found = {(one["kind"], one["metadata"]["name"]): one for one in rendered("--values", str(tmp_path / "values.yml"))}
    config = found["ConfigMap", "tars-config"]["data"]
    assert {key: value for key, value in config.items() if key.startswith("FEATURE_")} == features.variables(
        flags, "FEATURE_"
    )
