# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""helm_rollback against the real Helm: an upgrade that is killed in its middle, and the next one that must work."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from lab_tools import Demo, module, until

CHART = """apiVersion: v2
name: tiny
version: 0.1.0
"""
# Pods that never start keep `helm upgrade --wait` at work until it is killed.
TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata: {name: tiny}
data: {value: "{{ .Values.value }}"}
{{- if .Values.hang }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tiny}
spec:
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}}
    spec:
      containers: [{name: tiny, image: "lab.invalid/there-is-none:1", imagePullPolicy: Never}]
{{- end }}
"""


def test_after_a_killed_upgrade_the_next_one_works(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(CHART)
    (tmp_path / "templates/all.yaml").write_text(TEMPLATE)
    where = ["--namespace", demo.namespace, "--kubeconfig", demo.lab.kubeconfig]

    def upgrade(value: str, *more: str) -> list[str]:
        return [os.environ["LAB_HELM"], "upgrade", "--install", "tiny", str(tmp_path), *where, *more,
                "--set", f"value={value}", "--set", f"hang={'true' if more else 'false'}"]  # fmt: skip

    def free(**params: Any) -> dict[str, Any]:
        named = {"name": "tiny", "namespace": demo.namespace, "kubeconfig": demo.lab.kubeconfig}
        return module("helm_rollback", {**named, "binary_path": os.environ["LAB_HELM"], **params})

    subprocess.run(upgrade("one"), check=True, capture_output=True)
    whole = free(only_pending=True)
    assert (whole["changed"], whole["status"]) == (False, "deployed")
    killed = subprocess.Popen(upgrade("two", "--wait", "--timeout", "120s"), stdout=subprocess.DEVNULL)
    until(lambda: _pending(where), 60, "the upgrade to begin")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    time.sleep(1)
    refused = subprocess.run(upgrade("three"), capture_output=True, text=True, check=False)
    assert "another operation" in refused.stderr
    found = free(only_pending=True, stale_after=1, wait=False)
    assert (found["changed"], found["status"], found["to"]) == (True, "pending-upgrade", 1), found
    subprocess.run(upgrade("three"), check=True, capture_output=True)


def _pending(where: list[str]) -> bool:
    words = [os.environ["LAB_HELM"], "status", "tiny", "--output", "json", *where]
    return '"pending-upgrade"' in subprocess.run(words, capture_output=True, text=True, check=False).stdout


def test_the_revision_before_comes_back_once_and_the_history_stays(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(CHART.replace("tiny", "small"))
    (tmp_path / "templates/all.yaml").write_text(TEMPLATE.replace("tiny", "small"))
    where = ["--namespace", demo.namespace, "--kubeconfig", demo.lab.kubeconfig]
    helm = os.environ["LAB_HELM"]

    def back(**params: Any) -> dict[str, Any]:
        named = {"name": "small", "namespace": demo.namespace, "kubeconfig": demo.lab.kubeconfig}
        return module("helm_rollback", {**named, "binary_path": helm, "wait_timeout": "1m", **params})

    for value in ("one", "two"):
        words = [helm, "upgrade", "--install", "small", str(tmp_path), *where, "--set", f"value={value}"]
        subprocess.run(words, check=True, capture_output=True)
    assert back(only_pending=True)["good"] == 2
    assert (back(revision=1)["to"], back(revision=1)["changed"]) == (1, False)
    config = demo.lab.client.get(Kind("v1", "configmaps"), demo.namespace, "small")
    assert config["data"] == {"value": "one"}
    told = subprocess.run([helm, "history", "small", *where], check=True, capture_output=True, text=True).stdout
    assert len(told.splitlines()) == 1 + 3 and "Rollback to 1" in told
