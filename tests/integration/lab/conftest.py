# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests against the lab's own cluster and mesh, in a namespace of their own. Without the lab they are skipped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab_demo import SERVICES, documents
from lab_tools import Demo, Lab, until

NEEDED = ("KUBECONFIG", "LAB_GATEWAY_URL", "LAB_REGIONS")


@pytest.fixture(scope="session")
def lab() -> Lab:
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        pytest.skip(f"the lab is not up: {', '.join(missing)} not set (tests/lab/lab env)")
    path = os.environ["KUBECONFIG"]
    return Lab(path, os.environ["LAB_GATEWAY_URL"], _kube.from_kubeconfig(path, "", Scrubber()))


@pytest.fixture(scope="session")
def demo(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Made once, taken away at the end, however the tests ended."""
    namespaces = _kube.Kind("v1", "namespaces", namespaced=False)
    name = f"tars-weights-{os.getpid()}"
    deployments = _kube.Kind("apps/v1", "deployments")
    region = f"tars-{os.environ['LAB_REGIONS'].split(',')[0].replace('_', '-')}"
    image = lab.client.get(deployments, region, "api")["spec"]["template"]["spec"]["containers"][0]["image"]
    made = Demo(lab, name, tmp_path_factory.mktemp("demo"))
    lab.client.create(namespaces, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        for kind, body in documents(image, made.host):
            lab.client.create(kind, name, body)
        until(lambda: all(_answers(made, service) for service in SERVICES), 60, "the demo to answer")
        yield made
    finally:
        lab.client.delete(namespaces, "", name)


def _answers(demo: Demo, service: str) -> bool:
    return all(
        answer.status_code == 200 and answer.headers.get("x-version") == version
        for version, answer in (
            ("stable", demo.ask(service)), ("canary", demo.ask(service, **{"x-canary": "true"})),
        )
    )  # fmt: skip
