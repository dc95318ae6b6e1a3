# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""canary_smoke through the lab's gateway, and past it through the lab's API server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from lab_tools import VIRTUAL_SERVICES, Demo, call, module

CANARY = {"x-version": "canary"}
REQUESTS = [{"path": "/", "expect": CANARY}, {"path": "/ws", "websocket": True, "expect": CANARY}]


def params(demo: Demo, *names: str, **options: Any) -> dict[str, Any]:
    return {
        "kubeconfig": demo.lab.kubeconfig, "services": demo.services(*names), "region": "lab",
        "requests": REQUESTS, "gateway_url": demo.lab.gateway, **options,
    }  # fmt: skip


def smoked(demo: Demo, *names: str, **options: Any) -> dict[str, Any]:
    return call("canary_smoke", params(demo, *names, **options), demo.folder)


def ended(demo: Demo, service: str) -> list[int]:
    """With which codes WebSockets of that track have ended so far."""
    found: list[int] = json.loads(demo.lab.client.service_get(demo.namespace, service, "80", "/ended", {}, 5).body)
    return found


def test_by_header_at_the_gateway(demo: Demo) -> None:
    result = smoked(demo, "s0", "s1", "s2")
    assert [(entry["way"], entry["passed"]) for entry in result["services"]] == [("header", True)] * 3, result


def test_from_inside(demo: Demo) -> None:
    document = demo.route("s3")
    ops = [{"op": "remove", "path": "/spec/http/0"}]
    demo.lab.client.json_patch(VIRTUAL_SERVICES, demo.namespace, "s3", ops)
    try:
        (entry,) = smoked(demo, "s3")["services"]
    finally:
        back = [{"op": "add", "path": "/spec/http/0", "value": document["spec"]["http"][0]}]
        demo.lab.client.json_patch(VIRTUAL_SERVICES, demo.namespace, "s3", back)
    assert (entry["way"], entry["passed"]) == ("inside", True), entry


@pytest.mark.parametrize("url", ["gateway", ""])
def test_a_close_frame_ends_the_socket(demo: Demo, url: str) -> None:
    before = ended(demo, "s0-canary")
    result = smoked(demo, "s0", requests=REQUESTS[1:], gateway_url=demo.lab.gateway if url else "")
    assert result["services"][0]["passed"] is True, result
    time.sleep(0.5)
    after = ended(demo, "s0-canary")
    assert after[len(before) :] == [1000]


def test_a_wrong_answer_is_told_as_a_playbook_sees_it(demo: Demo) -> None:
    wrong = [{"path": "/", "expect": {"x-version": "2.0.0"}}]
    result = module("canary_smoke", params(demo, "s0", requests_of={"s0": wrong}))
    assert result["reason"] == "smoke_failed", result
    assert "with x-version canary, wanted 2.0.0" in result["msg"] and "FAIL" in result["live_lines"]
