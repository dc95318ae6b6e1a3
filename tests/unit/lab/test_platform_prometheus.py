# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels that the lab's series carry: what the discovery writes and what Prometheus' rules make of it."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

FILES = Path(__file__).resolve().parents[2] / "lab" / "manifests" / "files"


def load_discovery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lab_discovery", FILES / "discovery.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


discovery = load_discovery()
JOBS = {job["job_name"]: job for job in yaml.safe_load((FILES / "prometheus.yml").read_text())["scrape_configs"]}


def relabel(rules: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, str] | None:
    """Prometheus' relabelling as far as the lab uses it; None for what it drops."""
    for rule in rules:
        pattern = re.compile(str(rule.get("regex", "(.*)")))
        if rule.get("action") == "labeldrop":
            labels = {name: value for name, value in labels.items() if not pattern.fullmatch(name)}
            continue
        found = pattern.fullmatch(";".join(labels.get(name, "") for name in rule.get("source_labels", [])))
        action = rule.get("action", "replace")
        if (action == "keep" and not found) or (action == "drop" and found):
            return None
        if action == "replace" and found:
            template = re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1"))
            value = found.expand(template)
            labels = {**labels, rule["target_label"]: value}
            if not value:
                del labels[rule["target_label"]]
    return labels


def visible(labels: dict[str, str] | None) -> dict[str, str] | None:
    return None if labels is None else {k: v for k, v in labels.items() if not k.startswith("__")}


def pod(name: str = "api-7d9f8b6c5d-x2v4w", app: str = "api", **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "metadata": {
            "uid": name,
            "name": name,
            "namespace": "tars-us-west-2",
            "labels": {"app.kubernetes.io/name": app},
            "annotations": {"prometheus.io/scrape": "true"},
        },
        "spec": {"nodeName": "n1", "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"podIP": "10.244.0.7", "phase": "Running"},
    }
    found["metadata"] |= changes.pop("metadata", {})
    return found | changes


def scraped(job: str, found: dict[str, Any]) -> list[tuple[str, dict[str, str] | None]]:
    targets = discovery.pod_targets(found)
    results = []
    for target in targets:
        labels = relabel(JOBS[job]["relabel_configs"], {"__address__": target["targets"][0], **target["labels"]})
        results.append(((labels or {}).get("__address__", ""), visible(labels)))
    return results


@pytest.mark.parametrize(("app", "track"), [("api", "stable"), ("api-canary", "canary")])
def test_a_pods_name_tells_service_and_track(app: str, track: str) -> None:
    labels = {"region": "us-west-2", "namespace": "tars-us-west-2", "pod": "p", "service": "api", "track": track}
    assert scraped("tars-pods", pod("p", app)) == [("10.244.0.7:8080", labels)]


def test_the_port_may_be_named_by_annotation() -> None:
    notes = {"prometheus.io/scrape": "true", "prometheus.io/port": "9100"}
    assert scraped("tars-pods", pod(metadata={"annotations": notes}))[0][0] == "10.244.0.7:9100"


@pytest.mark.parametrize(
    "found",
    [
        pod(metadata={"annotations": None}),
        pod(metadata={"namespace": "default"}),
        pod(status={"podIP": "10.244.0.7", "phase": "Failed"}),
    ],
)
def test_other_pods_are_left_alone(found: dict[str, Any]) -> None:
    assert [labels for _address, labels in scraped("tars-pods", found)] == [None]


def test_a_pod_without_an_address_or_port() -> None:
    assert discovery.pod_targets(pod(status={"phase": "Pending"})) == []
    bare = discovery.pod_targets(pod(spec={"containers": [{}]}))
    assert [target["targets"] for target in bare] == [["10.244.0.7"]]


def test_the_gateway_is_found_by_its_stats_port() -> None:
    ports = [{"containerPort": number} for number in (8080, 8081, 15090)]
    found = pod(
        metadata={"namespace": "istio-system", "labels": {"istio": "ingressgateway"}},
        spec={"containers": [{"ports": ports}]},
    )
    kept = [address for address, labels in scraped("gateway", found) if labels]
    assert kept == ["10.244.0.7:15090"]


@pytest.mark.parametrize(
    ("cluster", "labels"),
    [
        ("outbound|80||api.tars-us-west-2.svc.cluster.local", ("api", "stable", "us-west-2", "")),
        ("outbound|80||api-canary.tars-staging.svc.cluster.local", ("api", "canary", "staging", "")),
        ("outbound|80|v2|api.tars-us-east-1.svc.cluster.local", ("api", "stable", "us-east-1", "v2")),
    ],
)
def test_a_destination_tells_service_track_and_region(cluster: str, labels: tuple[str, str, str, str]) -> None:
    found = relabel(
        JOBS["gateway"]["metric_relabel_configs"], {"__name__": "envoy_cluster_upstream_rq", "cluster_name": cluster}
    )
    assert found is not None
    assert tuple(found.get(name, "") for name in ("service", "track", "region", "subset")) == labels
    assert found["destination_host"] == cluster.rpartition("|")[2]
    assert not [name for name in found if name.startswith("__tmp")]


def test_destinations_outside_the_regions_are_dropped_and_the_gateways_own_series_stay() -> None:
    rules = JOBS["gateway"]["metric_relabel_configs"]
    outside = {"__name__": "envoy_cluster_upstream_rq", "cluster_name": "outbound|5432||postgres-primary.data.svc.x"}
    assert relabel(rules, outside) is None
    assert relabel(rules, {"__name__": "envoy_control_plane_connected_state"}) is not None
    assert relabel(rules, {"__name__": "envoy_server_days_until_first_cert_expiring"}) is not None
    assert relabel(rules, {"__name__": "go_threads"}) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("api-7d9f8b6c5d-x2v4w", ("api", "stable")),
        ("api-canary-7d9f8b6c5d-x2v4w", ("api", "canary")),
        ("tars-insight-84cf5f8d7-abcde", ("tars-insight", "stable")),
    ],
)
def test_the_kubelets_figures_get_service_and_track(name: str, expected: tuple[str, str]) -> None:
    labels = {"__name__": "container_memory_working_set_bytes", "container": "api", "id": "/kubepods/x"}
    labels |= {"namespace": "tars-us-west-2", "pod": name}
    found = relabel(JOBS["cadvisor"]["metric_relabel_configs"], labels)
    assert found is not None
    assert (found["service"], found["track"]) == expected
    assert found["region"] == "us-west-2" and "id" not in found


@pytest.mark.parametrize("container", ["", "POD"])
def test_sums_of_the_kubelet_are_dropped(container: str) -> None:
    labels = {
        "__name__": "container_memory_working_set_bytes",
        "container": container,
        "namespace": "tars-x",
        "pod": "p",
    }
    assert relabel(JOBS["cadvisor"]["metric_relabel_configs"], labels) is None


def test_a_node_is_its_kubelet() -> None:
    node = {
        "metadata": {"uid": "1", "name": "n1"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}, {"type": "Hostname", "address": "n1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    }
    expected = {"targets": ["172.18.0.2:10250"], "labels": {"__meta_kubernetes_node_name": "n1"}}
    assert discovery.node_targets(node) == [expected]
    node["status"]["addresses"] = []
    assert discovery.node_targets(node) == []


def test_the_book_follows_changes_and_writes_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    book = discovery.Book(path, discovery.pod_targets)
    book.replace([pod("a"), pod("b")])
    book.write()
    assert len(json.loads(path.read_text())) == 2
    book.note("DELETED", pod("a"))
    book.note("BOOKMARK", {"metadata": {}})
    book.write()
    assert len(json.loads(path.read_text())) == 1
    path.unlink()
    book.note("MODIFIED", pod("b"))
    book.write()
    assert not path.exists(), "the same targets are not written twice"
    book.replace([])
    book.write()
    assert json.loads(path.read_text()) == []
