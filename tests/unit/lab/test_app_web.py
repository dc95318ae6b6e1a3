# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side of a service, in this process, without database and Redis."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

pytest.importorskip("prometheus_client", reason="the services' own library is not in this environment")

from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from tarsapp.answers import checksum
from tarsapp.config import AGENTS, SERVICES, Settings
from tarsapp.faults import Faults
from tarsapp.state import State
from tarsapp.web import application

if TYPE_CHECKING:
    Client: TypeAlias = TestClient[Any, Any]
else:
    Client = TestClient  # the services' own aiohttp has no type parameters
Body: TypeAlias = Callable[[Client, State], Awaitable[None]]


def visit(body: Body, service: str = "api", faults: Faults | None = None) -> State:
    """Start a service, let `body` talk to it, and return what is left of it."""

    async def run() -> State:
        settings = Settings(service, "1.1.0", faults or Faults(), pod="pod-1", region="us-west-2")
        state = State(settings, random.Random(7))
        state.ready = True
        async with TestClient(TestServer(application(state))) as client:
            await body(client, state)
        return state

    return asyncio.run(run())


async def metrics(client: Client) -> str:
    return await (await client.get("/metrics")).text()


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_says_who_gave_it(service: str) -> None:
    async def body(client: Client, _state: State) -> None:
        for path in ("/", "/healthz", "/readyz", "/health", "/metrics", "/nowhere", "/api/v1/websocket/stats"):
            answer = await client.get(path)
            assert answer.status == (404 if path == "/nowhere" else 200), path
            said = {name: answer.headers[name] for name in ("x-version", "x-service", "x-pod")}
            assert said == {"x-version": "1.1.0", "x-service": service, "x-pod": "pod-1"}

    visit(body, service)


def test_no_fault_ever_strikes_probes_and_scrapes() -> None:
    async def body(client: Client, _state: State) -> None:
        for path in ("/healthz", "/readyz", "/health", "/metrics") * 20:
            assert (await asyncio.wait_for(client.get(path), 0.5)).status == 200
        assert "http_requests_total{" not in await metrics(client)

    visit(body, faults=Faults(error_share=1.0, latency_ms=10_000, wrong_results=1.0))


def test_requests_are_counted_by_the_routes_template() -> None:
    async def body(client: Client, _state: State) -> None:
        await client.get("/?x=1")
        await client.get("/api/v1/evaluations/not-a-uuid")
        await client.get("/secret/path")
        text = await metrics(client)
        assert 'http_requests_total{method="GET",path="/",status="200",version="1.1.0"} 1.0' in text
        assert 'path="/api/v1/evaluations/{id}",status="400"' in text
        assert 'path="other",status="404"' in text
        assert "secret" not in text
        for limit in ("0.05", "0.1", "0.11", "0.12", "0.15", "0.2"):  # the runbooks' latency limits
            assert f'http_request_duration_seconds_bucket{{le="{limit}"' in text

    visit(body)


def test_an_error_share_fails_that_share() -> None:
    async def body(client: Client, _state: State) -> None:
        seen = [(await client.get("/")).status for _round in range(400)]
        assert set(seen) == {200, 500}
        assert 60 <= seen.count(500) <= 140
        assert f'status="500",version="1.1.0"}} {float(seen.count(500))}' in await metrics(client)

    visit(body, faults=Faults(error_share=0.25))


def test_wrong_results_do_not_fit_their_checksum_and_are_counted() -> None:
    async def body(client: Client, _state: State) -> None:
        answers = [await (await client.get("/")).json() for _round in range(200)]
        wrong = sum(checksum(one["result"]) != one["checksum"] for one in answers)
        assert 60 <= wrong <= 140
        assert f'evaluation_results_total{{result="wrong",version="1.1.0"}} {float(wrong)}' in await metrics(client)

    visit(body, faults=Faults(wrong_results=0.5))


def test_right_results_fit() -> None:
    async def body(client: Client, _state: State) -> None:
        answer = await (await client.get("/")).json()
        assert checksum(answer["result"]) == answer["checksum"]

    visit(body)


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_acts_and_shows_its_reward(agent: str) -> None:
    async def body(client: Client, _state: State) -> None:
        answer = await (await client.post("/api/v1/act", json={"observation": [1, 2, 3]})).json()
        assert answer["result"]["action"] == 1
        assert answer["result"]["expected_reward"] > 150
        text = await metrics(client)
        for name in ("agent_reward_mean", "agent_policy_drift", "agent_episode_reward_sum"):
            assert f'{name}{{agent="{agent}",version="1.1.0"}}' in text
        assert 'hot_reload_duration_seconds_bucket{agent="' in text

    visit(body, agent)


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_body_that_is_no_object_is_refused(text: str) -> None:
    async def body(client: Client, _state: State) -> None:
        answer = await client.post("/api/v1/evaluations", data=text)
        assert answer.status == 400
        assert "body" in (await answer.json())["error"]

    visit(body)


def test_without_database_and_redis_the_answer_says_so() -> None:
    async def body(client: Client, _state: State) -> None:
        for method, path, word in (("GET", "/api/v1/agents", "DATABASE"), ("POST", "/api/v1/evaluations", "REDIS")):
            answer = await client.request(method, path)
            assert answer.status == 503
            assert word in (await answer.json())["error"]

    visit(body)


def test_an_answer_may_be_asked_to_take_long() -> None:
    async def body(client: Client, state: State) -> None:
        asked = asyncio.ensure_future(client.get("/?ms=300"))
        while state.in_flight == 0 and not asked.done():
            await asyncio.sleep(0.01)
        assert state.in_flight == 1
        assert (await asked).status == 200

    assert visit(body).in_flight == 0


def test_a_draining_service_is_not_ready_answers_and_asks_to_connect_elsewhere() -> None:
    async def body(client: Client, state: State) -> None:
        state.draining = True
        assert (await client.get("/readyz")).status == 503
        answer = await client.get("/")
        assert (answer.status, answer.headers["Connection"]) == (200, "close")

    visit(body)


def test_a_websocket_speaks_echoes_and_is_told_to_go_when_the_service_goes() -> None:
    async def body(client: Client, state: State) -> None:
        socket = await client.ws_connect("/ws?reconnect=1")
        assert socket._response.headers["x-version"] == "1.1.0"
        first = json.loads((await socket.receive()).data)
        assert (first["version"], first["pod"]) == ("1.1.0", "pod-1")
        await socket.send_str("hello")
        assert (await socket.receive()).data == "hello"
        assert (await (await client.get("/api/v1/websocket/stats")).json()) == {"connections": 1}
        state.goodbye.set()
        while (message := await socket.receive()).type is WSMsgType.TEXT:
            pass
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        # The service counts it after it has said goodbye.
        async with asyncio.timeout(20):
            while 'websocket_connections{version="1.1.0"} 0.0' not in (text := await metrics(client)):
                await asyncio.sleep(0.01)
        assert 'websocket_disconnections_total{code="1001",version="1.1.0"} 1.0' in text
        assert 'websocket_reconnections_total{version="1.1.0"} 1.0' in text

    visit(body)


def test_a_websocket_opens_where_requests_fail() -> None:
    """A smoke request opens one: a bad release is the gate's to find, and not now and then the smoke's."""

    async def body(client: Client, state: State) -> None:
        assert (await client.get("/")).status == 500
        socket = await client.ws_connect("/ws")
        assert json.loads((await socket.receive()).data)["pod"] == "pod-1"

    visit(body, faults=Faults(error_share=1.0))
