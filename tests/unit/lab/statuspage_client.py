# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Statuspage double's real process and a client of it, for its tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

DOUBLES = Path(__file__).resolve().parents[2] / "lab" / "doubles"
PACKAGE = os.pathsep.join(str(DOUBLES / part) for part in ("server", "statuspage", "slack", "pagerduty", "github"))
TOKEN = "test-key-0001"
PAGE = "kctbh9vrtdwd"
EVALUATION, DASHBOARD, GROUP = "8kbf7d35c070", "vtnh60py4yd7", "grp000000001"
WINDOW = {"scheduled_for": "2025-11-20T02:00:00Z", "scheduled_until": "2025-11-20T03:00:00Z"}


class Client:
    """The double's address with the right header in hand."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.base = f"{root}/v1/pages/{PAGE}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.headers = {"Authorization": f"OAuth {TOKEN}"}

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.session.request(method, self.base + path, headers=headers, timeout=10, **more)

    def create(self, **fields: Any) -> requests.Response:
        return self.call("POST", "/incidents", json={"incident": fields})

    def made(self, **fields: Any) -> Any:
        response = self.create(**fields)
        assert response.status_code == 201, response.text
        return response.json()

    def patch(self, incident: Any, **fields: Any) -> requests.Response:
        return self.call("PATCH", f"/incidents/{incident['id']}", json={"incident": fields})

    def control(self, method: str, path: str, **more: Any) -> Any:
        response = self.session.request(method, f"{self.root}/_double/{path}", timeout=10, **more)
        assert response.status_code == 200, response.text
        return response.json()


def start(tmp: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    token = tmp / "token"
    token.write_text(TOKEN + "\n", encoding="utf-8")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "double_server",
            "--contract",
            "required",
            "--port",
            "0",
            "--token-file",
            str(token),
            *arguments,
        ],
        env={**os.environ, "PYTHONPATH": PACKAGE},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"https?://127\.0\.0\.1:\d+", line)
    assert found, line
    return process, found[0]


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    assert process.wait(10) == 0
    assert process.stdout is not None
    process.stdout.close()
