# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doubles as a process, a real mail server, and the modules run as Ansible starts them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ansible
import ansible_collections.tars.rollout.plugins.module_utils._module as anchor
import requests

DOUBLES = Path(__file__).resolve().parents[2] / "lab" / "doubles"
PACKAGES = [str(DOUBLES / name) for name in ("server", "statuspage", "slack", "pagerduty", "github")]
ROOTS = [str(Path(ansible.__file__).parents[1]), str(Path(anchor.__file__).absolute().parents[5])]
TOKEN = "planted-token-0001"
ROUTING_KEY = "r0ut1ngkeyr0ut1ngkeyr0ut1ngkey32"
PAGE = "kctbh9vrtdwd"
MODULE = """
import importlib, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
importlib.import_module("ansible_collections.tars.rollout.plugins.modules." + sys.argv[1]).main()
"""


class Doubles:
    """The running doubles."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = False

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, f"{self.root}/_double/{path}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, match: str, times: int = 99, **what: Any) -> None:
        self.control("POST", "faults", {"faults": [{"match": match, "times": times, **what}]})

    def journal(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "requests")["requests"]
        return found

    def problems(self) -> list[str]:
        return [problem for entry in self.journal() for problem in entry["problems"]]


class Mailbox:
    """Keeps what a real SMTP server takes, and refuses some recipients."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content.decode())
        return "250 taken"


def start(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    held = folder / "token"
    held.write_text(TOKEN, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "double_server",
        "--contract",
        "required",
        "--port",
        "0",
        "--token-file",
        str(held),
    ]
    process = subprocess.Popen(
        [*command, *arguments], env={**os.environ, "PYTHONPATH": os.pathsep.join(PACKAGES)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    found = re.search(r"https?://[\d.]+:\d+", process.stdout.readline())
    assert found, "the doubles did not start"
    return process, found[0]


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    assert process.wait(20) == 0
    assert process.stdout is not None
    process.stdout.close()


def run(module: str, params: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """The module in a process of its own; no planted secret is in anything that it prints."""
    arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": 4}
    done = subprocess.run(
        [sys.executable, "-c", MODULE, module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*ROOTS, *filter(None, sys.path)])},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.stdout.strip().startswith("{"), f"no result: {done.stdout}{done.stderr}"
    for secret in (TOKEN, ROUTING_KEY):
        assert secret not in done.stdout + done.stderr, "a planted secret is in the output"
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False


def until(look: Any, what: str) -> None:
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end, f"waited 60 s for {what}"
        time.sleep(0.2)
