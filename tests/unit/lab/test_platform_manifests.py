# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's manifests: how they are filled in, and that those of the lab fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tarslab.errors import LabError
from tarslab.identity import NODE_PORTS
from tarslab.platform import crds, install, manifests

LAB = Path(__file__).resolve().parents[2] / "lab"
FOLDER = LAB / "manifests"
VALUES = {name: f"lab.invalid/{key}:1" for name, key in install.IMAGES.items()}
VALUES |= {"GATEWAYS": "1", "REDIS_MASTER": "redis-0"}


def everything() -> list[dict[str, Any]]:
    return [document for path in sorted(FOLDER.glob("*.yaml")) for document in manifests.read(path, VALUES)]


def test_placeholders_are_filled_and_other_dollars_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text('---\nkind: List\nitems:\n  - a: ${ONE}\n    b: "$(POD_IP) $x ${lower} $$"\n')
    assert manifests.read(path, {"ONE": "x:2"}) == [{"a": "x:2", "b": "$(POD_IP) $x ${lower} $$"}]


@pytest.mark.parametrize(("text", "words"), [("a: ${NOPE}", "asks for NOPE"), ("a: [", "is not YAML")])
def test_a_bad_manifest_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(LabError, match=rf"bad\.yaml.*{words}"):
        manifests.read(path, {})


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"none\.yaml: No such file"):
        manifests.read(tmp_path / "none.yaml", {})


def deployment(**pod: Any) -> dict[str, Any]:
    template = {"metadata": {}, "spec": {"containers": [{"name": "a"}], **pod}}
    return {"kind": "Deployment", "metadata": {"name": "d", "namespace": "n"}, "spec": {"template": template}}


def config(text: str, namespace: str = "n") -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace}, "data": {"k": text}}


def stamped(*documents: dict[str, Any]) -> str | None:
    found: dict[str, Any] = manifests.stamp(documents)[0]["spec"]["template"]["metadata"]
    return found.get("annotations", {}).get(manifests.CONFIG_HASH)


def test_changed_configuration_changes_the_template() -> None:
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    first, second = (stamped(deployment(volumes=volumes), config(text)) for text in ("1", "2"))
    assert first and second and first != second
    assert first == stamped(deployment(volumes=volumes), config("1"))


def test_a_secret_in_a_variable_counts_too() -> None:
    reference = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    containers = [{"name": "a", "env": [{"name": "X", **reference}]}]
    assert stamped(deployment(containers=containers), manifests.secret("n", "s", {"k": "1"}))


def test_configuration_of_others_does_not_count() -> None:
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    assert stamped(deployment(), config("1")) is None
    assert stamped(deployment(volumes=volumes), config("1", namespace="other")) is None


def test_files_become_keys(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("2")
    (tmp_path / "a.txt").write_text("1")
    found = manifests.config_map("n", "c", tmp_path.iterdir())
    assert list(found["data"].items()) == [("a.txt", "1"), ("b.txt", "2")]


def test_every_manifest_of_the_lab_can_be_read_and_is_used() -> None:
    used = {f"{name}.yaml" for name in (*install.FILES, "gateways", "redis-outside")}
    assert used == {path.name for path in FOLDER.glob("*.yaml")}
    assert len(manifests.workloads(everything())) == 8


def test_the_node_ports_are_those_that_the_lab_forwards() -> None:
    services = [document for document in everything() if document["kind"] == "Service"]
    ports = [port["nodePort"] for service in services for port in service["spec"]["ports"] if "nodePort" in port]
    assert sorted(ports) == sorted(NODE_PORTS.values())


def test_every_pod_asks_for_little_and_can_be_probed() -> None:
    for document in everything():
        if document["kind"] not in ("Deployment", "StatefulSet"):
            continue
        containers = document["spec"]["template"]["spec"]["containers"]
        assert "readinessProbe" in containers[0], document["metadata"]["name"]
        for container in containers:
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "command" in container, "the entry points of our images and the upstream ones differ"


def crd(group: str) -> str:
    return yaml.safe_dump({"kind": "CustomResourceDefinition", "metadata": {"name": group}, "spec": {"group": group}})


def test_kinds_come_from_both_sources(tmp_path: Path) -> None:
    istio, folder = tmp_path / "istio.yaml", tmp_path / "gateway"
    folder.mkdir()
    istio.write_text("---\n".join(crd(group) for group in crds.ISTIO_GROUPS))
    (folder / "a.yaml").write_text(crd("gateway.networking.k8s.io") + "---\nkind: ValidatingAdmissionPolicy\n")
    assert len(crds.wanted(istio, folder)) == len(crds.ISTIO_GROUPS) + 1


def test_an_empty_module_is_noticed(tmp_path: Path) -> None:
    istio = tmp_path / "istio.yaml"
    istio.write_text(crd("networking.istio.io"))
    with pytest.raises(LabError, match=r"No kind of security\.istio\.io"):
        crds.wanted(istio, tmp_path / "nowhere")
    with pytest.raises(LabError, match="Could not read the kinds"):
        crds.wanted(tmp_path / "missing.yaml", tmp_path)
