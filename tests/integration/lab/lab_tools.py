# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests against the lab share: its places, the demo, a load, and a way to run a module."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock

ROOT = Path(__file__).resolve().parents[3]
VIRTUAL_SERVICES = _kube.Kind("networking.istio.io/v1", "virtualservices")


@dataclass
class Lab:
    """Where the lab is, and a client for its cluster with all rights."""

    kubeconfig: str
    gateway: str
    client: _kube.Client


@dataclass
class Demo:
    """A namespace with services that are routed; every service has a stable and a canary track of its own name."""

    lab: Lab
    namespace: str
    folder: Path

    def host(self, service: str) -> str:
        return f"{service}.{self.namespace}.localhost"

    def ask(self, service: str, **headers: str) -> requests.Response:
        return requests.get(self.lab.gateway, headers={"Host": self.host(service), **headers}, timeout=5)

    def route(self, service: str) -> dict[str, Any]:
        return self.lab.client.get(VIRTUAL_SERVICES, self.namespace, service)

    def services(self, *names: str) -> list[dict[str, Any]]:
        """The option of the module for these services."""
        return [{"name": name, "object": {"namespace": self.namespace}, "route": "primary"} for name in names]


def until(come_true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not come_true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.2)


class Load:
    """Requests to services at a steady pace, each with its moment and what answered it."""

    def __init__(self, demo: Demo, services: tuple[str, ...], rate: float, url: str = "") -> None:
        self._demo, self._services, self._pause = demo, services, 1 / rate
        self._url = url or demo.lab.gateway
        self._end = threading.Event()
        self.seen: list[tuple[float, str, int, str]] = []
        self._threads = [threading.Thread(target=self._run, args=(name,), daemon=True) for name in services]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, service: str) -> None:
        session = requests.Session()
        start, count = time.monotonic(), 0
        while not self._end.wait(max(0.0, start + count * self._pause - time.monotonic())):
            count += 1
            moment = time.time()
            try:
                answer = session.get(self._url, headers={"Host": self._demo.host(service)}, timeout=5)
                self.seen.append((moment, service, answer.status_code, answer.headers.get("x-version", "")))
            except requests.RequestException as error:
                self.seen.append((moment, service, 0, type(error).__name__))

    def last_canary(self, service: str) -> float:
        """When the last request that the canary answered was sent, seconds since 1970."""
        return max((item[0] for item in self.seen if item[1] == service and item[3] == "canary"), default=0.0)

    @property
    def failed(self) -> list[tuple[float, str, int, str]]:
        return [item for item in self.seen if item[2] != 200]


def call(name: str, params: Mapping[str, Any], folder: Path, *, check_mode: bool = False) -> dict[str, Any]:
    """Run a module's run() in this process with real ports: what ``module`` does, without two seconds of Ansible.

    The result has ``lines``, the live lines; that of a failure has what ``fail_json`` would get.
    """
    found = importlib.import_module(f"ansible_collections.tars.rollout.plugins.modules.{name}")
    checked = ArgumentSpecValidator(found.spec()).validate(dict(params))
    assert not checked.error_messages, checked.error_messages
    path = folder / "progress"
    path.write_bytes(b"")
    stop, scrubber, warnings = Stop(), Scrubber(), []
    progress = Progress(str(path), scrubber.text)
    work = Call(checked.validated_parameters, check_mode, warnings.append, SystemClock(stop), stop, progress, scrubber)
    try:
        result = dict(found.run(work))
    except RolloutError as error:
        result = error.payload(scrubber)
    progress.close()
    return {**result, "lines": [json.loads(line) for line in path.read_text().splitlines()], "warnings": warnings}


def module(name: str, params: Mapping[str, Any], *flags: str) -> dict[str, Any]:
    """Run a module as a playbook does, with its action plugin, and give its result, that of a failure as well."""
    environment = {key: value for key, value in os.environ.items() if key not in ("KUBECONFIG", "ANSIBLE_CONFIG")}
    environment |= {
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
    }
    words = ["localhost", "-c", "local", "-i", "localhost,", "-m", f"tars.rollout.{name}", "-a", json.dumps(params)]
    python = ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible"), *words, *python, *flags],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    for line in done.stdout.splitlines():
        if " => " in line:
            result: dict[str, Any] = json.loads(line.partition(" => ")[2])
            return {**result, "live_lines": done.stderr}
    raise AssertionError(done.stdout + done.stderr)
