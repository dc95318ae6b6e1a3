# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staging, us-west-2 and us-east-1 as three waves, one service in each, and the playbooks as people type them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._values import moment
from kube_api import KubeApi

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
REGIONS = {"staging": "staging", "us_west_2": "wave_1", "us_east_1": "wave_2"}
# Of the plan that all tests have, by the playbook that prints it; it takes seconds.
HASHES: list[str] = []
OLD, NEW = "1.0.0", "1.0.1"
LABEL = "app.kubernetes.io/name"


def labels(name: str) -> dict[str, str]:
    return {LABEL: name, "app.kubernetes.io/instance": "tars"}


@dataclass
class World:
    """``vars`` are the group variables of all, ``hosts`` the variables by host; written anew for each run."""

    folder: Path
    api: KubeApi
    vars: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    waves: dict[str, list[str]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def make(self) -> World:
        self.waves = {wave: [host] for host, wave in REGIONS.items()}
        slos = {"error_rate": {"ratio": "http_requests_total", "bad": {"status": "5.."}, "limit": "2%"}}
        self.vars = {
            "region_name": "{{ inventory_hostname | replace('_', '-') }}", "region_namespace": "tars-{{ region_name }}",
            "region_kubeconfig": str(self.api.kubeconfig(self.folder / "kubeconfig")),
            "region_prometheus": {"url": "http://127.0.0.1:9"}, "rollout_release": NEW,
            "rollout_evidence": str(self.folder / "evidence"), "rollout_stages": [{"weight": 100, "bake": "1m"}],
            "rollout_cohorts": [{"name": "all", "services": ["api"]}], "rollout_services": {"api": {"slos": slos}},
            "preflight_forecast": False, "rollout_longest_request": 0, "promote_helm_chart": "chart",
            "promote_helm_binary": str(self.folder / "helm"),
            # As the default it holds a time, but one of which no two regions work out the same: one run has one name.
            "rollout_run_id": "somebody-{{ lookup('ansible.builtin.pipe', 'date +%s%N') }}",
        }  # fmt: skip
        (self.folder / "helm").write_text(
            f'#!/bin/sh\nHELM_FOLDER={self.folder} exec {sys.executable} {HERE / "helm_program.py"} "$@"\n'
        )
        (self.folder / "helm").chmod(0o700)
        gateway = {"name": "gateway-1", "labels": {"istio": "ingressgateway"}}
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.api.put("istio-system", "pods", {"metadata": gateway, "spec": {"containers": []}, "status": ready})
        for host in REGIONS:
            self.fill(host, OLD)
        return self

    def fill(self, host: str, tag: str) -> None:
        """A region whose stable runs ``tag``, with all the traffic."""
        space, image = self.namespace(host), f"lab/app:{tag}"
        pod = {"containers": [{"name": "api", "image": image}]}
        template = {"metadata": {"labels": labels("api")}, "spec": pod}
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels("api")}, "template": template, "strategy": strategy}
        whole = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        meta = {"name": "api", "labels": labels("api"), "generation": 1}
        status = {**whole, "observedGeneration": 1}
        self.api.put(space, "deployments", {"metadata": meta, "spec": spec, "status": status})
        self.api.put(space, "pods", {"metadata": {"name": "api-1", "labels": labels("api")}, "spec": pod, "status": {}})
        for name in ("api", "api-canary"):
            self.api.put(space, "services", {"metadata": {"name": name}, "spec": {"selector": labels(name)}})
        self.weigh(host, 0)

    def copy(self, host: str, name: str) -> None:
        """Another Deployment like the first, without Service and route."""
        there = json.loads(
            json.dumps(self.api.objects[self.namespace(host), "deployments", "api"]).replace("api", name)
        )
        self.api.put(self.namespace(host), "deployments", {**there, "apiVersion": "apps/v1"})

    def weigh(self, host: str, canary: int) -> None:
        """Somebody sets the weight of the canary by hand."""
        to = [{"destination": {"host": name}} for name in ("api", "api-canary")]
        route = [{**to[0], "weight": 100 - canary}, {**to[1], "weight": canary}]
        http = [{"name": "primary", "route": route}]
        spec = {"hosts": ["api.example.net"], "gateways": ["istio-system/tars"], "http": http}
        self.api.put(self.namespace(host), "virtualservices", {"metadata": {"name": "api"}, "spec": spec})

    def namespace(self, host: str) -> str:
        return f"tars-{host.replace('_', '-')}"

    def plan_hash(self) -> str:
        """Of the plan as ``make`` sets it."""
        if not HASHES:
            code, out = self.play("plan.yml")
            found = re.search(r"PLAN (sha256:\w+)", out)
            assert code == 0 and found, out
            HASHES.append(found[1])
        return HASHES[0]

    def record(self, host: str, plan_hash: str, **change: Any) -> Record:
        """The record of the new release in a region, promoted where nothing else is said."""
        region = host.replace("_", "-")
        space = self.namespace(host)
        route = {"name": "api", "provider": "istio", "object": {"namespace": space, "name": "api"}, "route": "primary"}
        at = moment(time.time() - 3600)
        first: dict[str, Any] = {
            "stable_release": OLD, "phase": "promoted", "cohort": "promotion", "stage": 3, "weights": {"api": 0},
            "fence": 4, "phase_since": at, "stage_since": at, "routes": (route,),
        }  # fmt: skip
        made = Record("tars", region, NEW, plan_hash, "alice-1", **{**first, **change})
        self.write(host, json.dumps(asdict(made)))
        return made

    def write(self, host: str, text: str) -> None:
        """The text of the record, whatever it is."""
        body = {"metadata": {"name": "ga-rollout-tars"}, "data": {"record.json": text}}
        self.api.put(self.namespace(host), "configmaps", body)

    def promoted(self, host: str, plan_hash: str) -> None:
        """The new release is through here."""
        self.fill(host, NEW)
        self.record(host, plan_hash)

    def read(self, host: str) -> dict[str, Any]:
        found = self.api.objects.get((self.namespace(host), "configmaps", "ga-rollout-tars"))
        read: dict[str, Any] = json.loads(found["data"]["record.json"]) if found else {}
        return read

    def variables(self, host: str) -> dict[str, str]:
        """The variables of stable's container."""
        there = self.api.objects[self.namespace(host), "deployments", "api"]
        return {
            item["name"]: item["value"] for item in there["spec"]["template"]["spec"]["containers"][0].get("env", [])
        }

    def image(self, host: str, name: str = "api") -> str:
        there = self.api.objects[self.namespace(host), "deployments", name]
        return str(there["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    def play(self, playbook: str, *more: str, **extra: Any) -> tuple[int, str]:
        """Exit code and all output of a real ansible-playbook; what it took is in ``seconds``."""
        (self.folder / "group_vars").mkdir(exist_ok=True)
        (self.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(self.vars))
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        groups = {
            wave: {"hosts": {host: self.hosts.get(host, {}) for host in hosts}} for wave, hosts in self.waves.items()
        }
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": local}, **groups}))
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = [program, "-i", str(self.folder / "hosts.yml"), str(ROOT / "playbooks" / playbook), *more]
        argv += ["-e", json.dumps(extra)] if extra else []
        env = {
            **os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "KUBECONFIG": self.vars["region_kubeconfig"], **self.env,
        }  # fmt: skip
        began = time.monotonic()
        done = subprocess.run(
            argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL, check=False
        )
        self.seconds = time.monotonic() - began
        return done.returncode, done.stdout + done.stderr


def outcomes(out: str) -> list[tuple[str, str]]:
    """Word and region of each OUTCOME line, in the order in which they were said."""
    return re.findall(r"OUTCOME (promoted|rolled_back|holding|refused|not_proven|failed) (\S+)", out)
