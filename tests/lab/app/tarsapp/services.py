# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The business paths of each service, with real queries to PostgreSQL and real jobs in Redis.

`GET /` answers without asking anybody, for every service.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from . import database as sql
from .answers import answer, refusal
from .config import AGENTS
from .state import State

Action = Callable[[State, web.Request], Awaitable[web.Response]]
MOST_ROWS = 100
MISSION_STATES = ("active", "completed", "failed", "pending")


def routes(state: State) -> list[web.RouteDef]:
    """Return the routes of the service that `state` plays."""
    name = "agent" if state.settings.is_agent else state.settings.service
    table: dict[str, dict[str, Action]] = {"/": {"GET": home}, **PATHS.get(name, {})}
    return [
        web.route(method, path, partial(action, state))
        for path, methods in table.items()
        for method, action in methods.items()
    ]


async def home(state: State, request: web.Request) -> web.Response:
    """Say who answers."""
    settings = state.settings
    return answer(state, {"service": settings.service, "pod": settings.pod, "region": settings.region})


async def order_evaluation(state: State, request: web.Request) -> web.Response:
    """Put an evaluation into the queue; a worker stores it. Answers 202 with its id (runbook 000)."""
    job = _evaluation(state, await _body(request))
    await state.queue.put(job)
    return answer(state, {"evaluation_id": job["id"], "status": "queued"}, status=202)


async def evaluate(state: State, request: web.Request) -> web.Response:
    """Evaluate at once and store the outcome. Answers 201 (runbook 002)."""
    start = time.perf_counter()
    job = _evaluation(state, await _body(request))
    await state.database.execute(sql.SAVE, *save_values(job, state.settings.region))
    state.metrics.evaluation_seconds.observe(time.perf_counter() - start)
    return answer(state, {"evaluation_id": job["id"], "status": "completed", "reward_mean": job["reward"]}, status=201)


async def read_evaluation(state: State, request: web.Request) -> web.Response:
    """Return one evaluation by its id, or 404 while no worker has stored it."""
    try:
        wanted = uuid.UUID(request.match_info["id"])
    except ValueError:
        return refusal(400, "an evaluation id is a UUID")
    found = await state.database.rows(sql.READ, wanted)
    return answer(state, found[0]) if found else refusal(404, f"there is no evaluation {wanted}")


async def list_evaluations(state: State, request: web.Request) -> web.Response:
    """Return the newest evaluations."""
    return answer(state, await state.database.rows(sql.RECENT, _limit(request)))


async def list_missions(state: State, request: web.Request) -> web.Response:
    """Return the newest missions of a status (`?status=active&limit=100`, runbook 001)."""
    status = request.query.get("status", "active")
    if status not in MISSION_STATES:
        return refusal(400, f"status must be one of {', '.join(MISSION_STATES)}")
    return answer(state, await state.database.rows(sql.MISSIONS, status, _limit(request)))


async def list_agents(state: State, request: web.Request) -> web.Response:
    """Return the agents (runbook 000 expects four)."""
    return answer(state, await state.database.rows(sql.AGENTS))


async def list_traces(state: State, request: web.Request) -> web.Response:
    """Return the newest trace spans."""
    return answer(state, await state.database.rows(sql.TRACES, _limit(request)))


async def list_rewards(state: State, request: web.Request) -> web.Response:
    """Return each agent's mean reward over the newest evaluations."""
    return answer(state, await state.database.rows(sql.REWARDS))


async def train(state: State, request: web.Request) -> web.Response:
    """Order a training: its evaluation goes into the queue (runbook 002)."""
    job = _evaluation(state, await _body(request))
    await state.queue.put(job)
    return answer(state, {"job_id": job["id"], "status": "started"})


async def overview(state: State, request: web.Request) -> web.Response:
    """Return what a dashboard shows first: the agents' rewards and the queue's length."""
    rewards = await state.database.rows(sql.REWARDS)
    depth, pending = await state.queue.depth()
    return answer(state, {"rewards": rewards, "queue": {"depth": depth, "pending": pending}})


async def act(state: State, request: web.Request) -> web.Response:
    """Let the agent choose an action for an observation; return it with the reward to be expected."""
    observation = (await _body(request)).get("observation", [])
    if not isinstance(observation, list):
        return refusal(400, "observation must be a list of numbers")
    expected = state.training.mean if state.training else 0.0
    return answer(
        state, {"agent_id": state.settings.service, "action": len(observation) % 2, "expected_reward": expected}
    )


def save_values(job: dict[str, Any], region: str) -> tuple[Any, ...]:
    """Return a job's values in the order of the statement `SAVE`. Raises KeyError or ValueError on a strange job."""
    return (
        uuid.UUID(job["id"]), job["mission_id"], job["agent_id"], region, job["environment"], float(job["reward"])
    )  # fmt: skip


def _evaluation(state: State, body: dict[str, Any]) -> dict[str, Any]:
    """Return the evaluation that a body asks for. Raises HTTPBadRequest for an agent that does not exist."""
    agent = body.get("agent_id", body.get("agent_type", "dqn"))
    if agent not in AGENTS:
        raise web.HTTPBadRequest(reason=f"agent_id must be one of {', '.join(AGENTS)}")
    fallen = 1 - state.faults.bad_reward
    return {
        "id": str(uuid.uuid4()),
        "mission_id": state.rng.randrange(1, 500),
        "agent_id": agent,
        "environment": str(body.get("environment", "CartPole-v1"))[:60],
        "reward": round(state.rng.gauss(190, 12) * fallen, 2),
    }


async def _body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object in the body; no body counts as an empty one."""
    text = await request.text()
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        raise web.HTTPBadRequest(reason="the body is not JSON") from None
    if not isinstance(value, dict):
        raise web.HTTPBadRequest(reason="the body must be a JSON object")
    return value


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", "10")
    return max(1, min(int(text), MOST_ROWS)) if text.isdigit() else 10


PATHS: dict[str, dict[str, dict[str, Action]]] = {
    "api": {
        "/api/v1/evaluations": {"POST": order_evaluation, "GET": list_evaluations},
        "/api/v1/evaluations/{id}": {"GET": read_evaluation},
        "/api/v1/missions": {"GET": list_missions},
        "/api/v1/agents": {"GET": list_agents},
    },
    "evaluation": {
        "/api/v1/evaluations": {"POST": evaluate, "GET": list_evaluations},
        "/api/v1/evaluations/{id}": {"GET": read_evaluation},
    },
    "insight": {
        "/api/v1/traces/recent": {"GET": list_traces},
        "/api/v1/insights": {"GET": list_rewards},
    },
    "orchestration": {"/api/v1/train": {"POST": train}, "/api/v1/missions": {"GET": list_missions}},
    "dashboard": {"/api/v1/overview": {"GET": overview}},
    "agent": {"/api/v1/act": {"POST": act}},
}
"""Service (or "agent", for the four of them) to path to method to what is done."""
