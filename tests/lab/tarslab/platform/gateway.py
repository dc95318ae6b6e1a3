# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gateway and Prometheus say of themselves, over their ports on this machine."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import requests

from ..errors import LabError

if TYPE_CHECKING:
    from ..context import Lab

ASK_SECONDS = 5

_CONNECTED = re.compile(r"^envoy_control_plane_connected_state\S*\s+(\d+)$", re.MULTILINE)


def connected(lab: Lab) -> bool | None:
    """Return whether the gateway that answers takes routes from istiod, or None where none answers."""
    try:
        answer = requests.get(f"http://127.0.0.1:{lab.ports['gateway_stats']}/stats/prometheus", timeout=ASK_SECONDS)
    except requests.RequestException:
        return None
    return parse_connected(answer.text) if answer.ok else None


def parse_connected(text: str) -> bool:
    """Return what Envoy's figures say about its connection to istiod; False where they do not speak of it."""
    found = _CONNECTED.search(text)
    return found is not None and found[1] == "1"


def wait_connected(lab: Lab, timeout: float) -> None:
    """Return when the gateway takes routes from istiod; LabError after `timeout` seconds."""
    until = time.monotonic() + timeout
    while not connected(lab):
        if time.monotonic() > until:
            port = lab.ports["gateway_stats"]
            raise LabError(
                f"The gateway at 127.0.0.1:{port} has no connection to istiod after {timeout:.0f} s. "
                "See `kubectl -n istio-system logs deploy/ingressgateway`."
            )
        time.sleep(0.2)


def targets(lab: Lab) -> tuple[int, int] | None:
    """Return how many of Prometheus' targets are up and how many there are, or None where it does not answer."""
    url = f"http://127.0.0.1:{lab.ports['prometheus']}/api/v1/query"
    try:
        answer = requests.get(url, params={"query": "up"}, timeout=ASK_SECONDS)
        samples: list[dict[str, Any]] = answer.json()["data"]["result"]
    except (requests.RequestException, KeyError, ValueError):
        return None
    return sum(sample["value"][1] == "1" for sample in samples), len(samples)
