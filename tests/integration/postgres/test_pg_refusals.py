# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[3]


def run_module(name: str, arguments: dict[str, Any]) -> str:
    """All that the module itself prints, its invocation included."""
    program = (
        "import json, sys; from ansible.module_utils import basic; "
        "basic._ANSIBLE_ARGS = sys.stdin.buffer.read(); basic._ANSIBLE_PROFILE = 'legacy'; "
        f"from ansible_collections.tars.rollout.plugins.modules.{name} import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".ansible" / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("place", ["login_host", "login_db", "login_user", "name", "host", "user"])
@pytest.mark.parametrize(
    ("shape", "secret"),
    [
        ("host=h user=u password='se cret1'", "cret1"),
        ("host=h password = sesame77", "sesame77"),
        ("postgresql://u:s/ecret9@h/db", "ecret9"),
    ],
)
def test_a_connection_string_is_refused_and_never_shown(place: str, shape: str, secret: str) -> None:
    module = "pg_migrate" if place == "host" else "pg_index_concurrently"
    arguments: dict[str, Any] = {"login_host": "127.0.0.1", "login_port": 1, "login_user": "u", "login_db": "d"}
    arguments |= {"path": "/"} if module == "pg_migrate" else {"name": "ix", "table": "t", "columns": ["a"]}
    if place in arguments and place != "name":
        arguments[place] = shape
    else:
        arguments["verify_replicas"] = [{"name": "standby", "host": "127.0.0.1", place: shape}]
    said = run_module(module, arguments)
    assert secret not in said
    answer = json.loads(said)
    assert answer["reason"] == "input" and "connection string" in answer["msg"]
