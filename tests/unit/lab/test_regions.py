# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regions' names, accounts and values; what needs a cluster is shown by the lab's own scenario."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tarslab import access, chart, regions
from tarslab.context import MORE_REGIONS, REGIONS, SERVICES

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
