# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service as a real process: how it starts, how it leaves, how its faults break it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests

pytest.importorskip("prometheus_client", reason="the services' own library is not in this environment")

APP = Path(__file__).resolve().parents[2] / "lab" / "app"
DRAIN = 2.0


class Service:
    """Starts `python -m tarsapp` on a free port; ended by the fixture whatever the test does."""

    def __init__(self, folder: Path) -> None:
        self.release = folder / "release.json"
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.take_another_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take_another_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = int(found.getsockname()[1])

    def start(self, faults: dict[str, Any], ready: bool = True, **more: str) -> subprocess.Popen[str]:
        """Start it, and with `ready` wait for it; a port that somebody else took meanwhile is given up for another."""
        for _attempt in range(5):
            process = self._start(faults, more)
            if not ready or self._is_ready(process):
                return process
            self.take_another_port()
        raise AssertionError("five ports in a row were taken by somebody else")

    def _start(self, faults: dict[str, Any], more: dict[str, str]) -> subprocess.Popen[str]:
        self.release.write_text(json.dumps({"version": "1.1.0", "faults": faults}))
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(APP), os.environ.get("PYTHONPATH", "")]),
            "TARS_SERVICE": "api",
            "TARS_RELEASE_FILE": str(self.release),
            "TARS_PORT": str(self.port),
            "TARS_DRAIN_SECONDS": str(DRAIN),
            **more,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tarsapp"], env=environ, stderr=subprocess.PIPE, text=True
        )
        return self.process

    def _is_ready(self, process: subprocess.Popen[str]) -> bool:
        """True once it is ready, False when its port was taken; anything else fails with what the service said."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if process.poll() is not None:
                _stdout, complaint = process.communicate()
                if "address already in use" in complaint:
                    return False
                raise AssertionError(f"the service ended with {process.returncode}: {complaint}")
            try:
                if requests.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return True
            except requests.RequestException:
                pass
            time.sleep(0.05)
        process.kill()
        raise AssertionError(f"the service did not become ready in a minute: {process.communicate()[1]}")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.communicate()


@pytest.mark.parametrize(
    ("faults", "more", "said"),
    [
        ({"oops": 1}, {}, "fault 'oops' is unknown; known are error_share"),
        ({}, {"TARS_SERVICE": "nobody"}, "TARS_SERVICE is 'nobody'"),
    ],
)
def test_a_start_that_cannot_be_is_refused_in_one_line(
    service: Service, faults: dict[str, Any], more: dict[str, str], said: str
) -> None:
    _stdout, complaint = service.start(faults, ready=False, **more).communicate(timeout=20)
    assert service.process is not None
    assert service.process.returncode == 2
    assert complaint.startswith("tarsapp cannot start: ")
    assert said in complaint
    assert complaint.count("\n") == 1


def test_a_port_that_is_taken_is_said_in_one_line(service: Service) -> None:
    with socket.create_server(("0.0.0.0", service.port)):
        _stdout, complaint = service.start({}, ready=False).communicate(timeout=20)
    assert "tarsapp cannot start: " in complaint
    assert "Traceback" not in complaint


def test_leaving_loses_nothing(service: Service) -> None:
    """In flight, new on kept and on new connections, WebSocket: nobody sees an error while the process drains."""
    process = service.start({})

    async def leave() -> None:
        async with aiohttp.ClientSession(service.url) as client:
            client_socket = await client.ws_connect("/ws")
            slow = asyncio.ensure_future(client.get("/?ms=4000"))
            await asyncio.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            while time.monotonic() < begun + DRAIN - 1:
                async with client.get("/") as answer:
                    assert (answer.status, (await answer.read())[:1]) == (200, b"{")
                async with client.get("/readyz") as answer:
                    assert answer.status in (200, 503)
            assert answer.status == 503
            assert (await slow).status == 200
            assert time.monotonic() - begun > 3
            while (message := await client_socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)

    asyncio.run(leave())
    assert process.wait(20) == 0


def test_requests_that_never_end_are_not_waited_for_for_ever(service: Service) -> None:
    process = service.start({}, TARS_DRAIN_LIMIT_SECONDS="0.3")

    async def leave() -> None:
        async with aiohttp.ClientSession(service.url) as client:
            slow = asyncio.ensure_future(client.get("/?ms=300000"))
            await asyncio.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(aiohttp.ClientError):
                await slow

    asyncio.run(leave())
    assert process.wait(20) == 0


def test_bad_drain_breaks_what_is_in_flight(service: Service) -> None:
    process = service.start({"bad_drain": True})

    async def leave() -> None:
        async with aiohttp.ClientSession(service.url) as client:
            slow = asyncio.ensure_future(client.get("/?ms=30000"))
            await asyncio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(aiohttp.ClientError):
                await slow

    asyncio.run(leave())
    assert process.wait(20) == 0


def test_a_hanging_drain_goes_on_as_if_nobody_had_asked(service: Service) -> None:
    process = service.start({"bad_drain": "hang"})
    process.send_signal(signal.SIGTERM)
    time.sleep(DRAIN + 1)
    assert process.poll() is None
    assert requests.get(f"{service.url}/readyz", timeout=2).status_code == 200


def test_a_crash_loop_is_ready_first(service: Service) -> None:
    assert service.start({"crash_loop": 1.5}).wait(10) == 1


def test_a_leak_grows(service: Service) -> None:
    def resident() -> float:
        text = requests.get(f"{service.url}/metrics", timeout=2).text
        line = next(line for line in text.splitlines() if line.startswith("process_resident_memory_bytes "))
        return float(line.split()[1]) / 2**20

    service.start({"leak_mib_per_min": 600})
    before = resident()
    time.sleep(3.2)
    assert 20 <= resident() - before <= 45
