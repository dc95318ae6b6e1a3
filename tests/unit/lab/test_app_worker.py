# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue worker stores first, acknowledges second, and knows whose fault a failure is."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="the services' own library is not in this environment")

from tarsapp import worker
from tarsapp.config import Settings
from tarsapp.database import DatabaseError
from tarsapp.faults import Faults
from tarsapp.jobs import QueueError
from tarsapp.state import State
from tarsapp.worker import MOST_DELIVERIES, Worker


def job(**changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "mission_id": 7,
        "agent_id": "ppo",
        "environment": "CartPole-v1",
        "reward": 190.0,
        **changes,
    }


class FakeQueue:
    """A stream in memory; a job that was not acknowledged is handed out again as stale."""

    def __init__(self, jobs: list[dict[str, Any]], log: list[str]) -> None:
        self.new = [(f"{number}-0", one) for number, one in enumerate(jobs)]
        self.held: dict[str, tuple[dict[str, Any], int]] = {}
        self.buried: list[dict[str, Any]] = []
        self.log = log
        self.down = 0

    async def open_group(self) -> None:
        self.log.append("group")

    async def take(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        await asyncio.sleep(0.001)
        if self.down:
            self.down -= 1
            raise QueueError("Redis did not answer")
        taken, self.new = self.new[:count], self.new[count:]
        self.held |= {entry: (one, 1) for entry, one in taken}
        return taken

    async def take_stale(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        self.held = {entry: (one, times + 1) for entry, (one, times) in self.held.items()}
        return [(entry, one) for entry, (one, _rest) in self.held.items()][:count]

    async def deliveries(self, entry: str) -> int:
        return self.held[entry][1]

    async def done(self, entry: str) -> None:
        self.log.append("acknowledged")
        del self.held[entry]

    async def bury(self, entry: str, one: dict[str, Any]) -> None:
        self.buried.append(one)
        del self.held[entry]

    async def depth(self) -> tuple[int, int]:
        return len(self.new) + len(self.held), len(self.held)


class FakeDatabase:
    """Keeps ids; refuses as many statements as it is told to."""

    def __init__(self, log: list[str], refuses: int = 0) -> None:
        self.known: set[Any] = set()
        self.log, self.refuses = log, refuses

    async def execute(self, _command: str, *values: Any) -> bool:
        if self.refuses:
            self.refuses -= 1
            raise DatabaseError("the database did not answer")
        self.log.append("stored")
        new = values[0] not in self.known
        self.known.add(values[0])
        return new


class Run:
    """One worker over fakes, run for a moment."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, jobs: list[dict[str, Any]], faults: Faults | None = None, **more: int
    ) -> None:
        monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.001)
        monkeypatch.setattr(worker, "STALE_SECONDS", 0.003)
        self.log: list[str] = []
        self.queue = FakeQueue(jobs, self.log)
        self.queue.down = more.get("redis_down", 0)
        self.database = FakeDatabase(self.log, more.get("database_down", 0))
        self.faults = faults or Faults()

    def empty(self) -> bool:
        """Whether no job is left anywhere."""
        return not self.queue.new and not self.queue.held

    def play(self, done: Callable[[], bool]) -> State:
        """Let the worker run until `done` says so, then stop it."""

        async def run() -> State:
            state = State(Settings("worker", "1", self.faults, pod="w", region="staging"), random.Random(1))
            state.queue, state.database = self.queue, self.database  # type: ignore[assignment]
            played = Worker(state)
            task = asyncio.ensure_future(played.run())
            until = time.monotonic() + 20
            while not done() and time.monotonic() < until:
                await asyncio.sleep(0.002)
            played.stop()
            await asyncio.wait_for(task, 5)
            assert played.finished
            return state

        return asyncio.run(run())


def jobs_counted(state: State, outcome: str) -> float:
    return state.metrics.registry.get_sample_value("worker_jobs_total", {"version": "1", "outcome": outcome}) or 0.0


def test_each_job_is_stored_and_then_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [job() for _round in range(20)])
    state = run.play(run.empty)
    assert run.log == ["group", *["stored", "acknowledged"] * 20]
    assert (jobs_counted(state, "processed"), len(run.database.known)) == (20, 20)


def test_a_job_that_comes_twice_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = job()
    run = Run(monkeypatch, [one, one])
    state = run.play(run.empty)
    assert (jobs_counted(state, "processed"), jobs_counted(state, "duplicate")) == (1, 1)
    assert (len(run.database.known), run.queue.held) == (1, {})


def test_the_databases_trouble_never_buries_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [job()], database_down=MOST_DELIVERIES * 3)
    state = run.play(run.empty)
    assert (jobs_counted(state, "processed"), run.queue.buried) == (1, [])
    assert jobs_counted(state, "failed") == MOST_DELIVERIES * 3


@pytest.mark.parametrize("changes", [{"id": "no uuid"}, {"reward": "much"}])
def test_a_job_that_fails_again_and_again_is_put_aside(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    good, bad = job(), job(**changes)
    run = Run(monkeypatch, [bad, good])
    state = run.play(run.empty)
    assert run.queue.buried == [bad]
    assert (jobs_counted(state, "processed"), jobs_counted(state, "dead")) == (1, 1)
    assert jobs_counted(state, "failed") == MOST_DELIVERIES - 1


def test_an_error_share_fails_jobs_which_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [job() for _round in range(60)], Faults(error_share=0.3))
    state = run.play(run.empty)
    assert jobs_counted(state, "failed") > 5
    assert len(run.database.known) + len(run.queue.buried) == 60


def test_the_worker_outlives_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [job()], redis_down=3)
    state = run.play(run.empty)
    assert (jobs_counted(state, "processed"), run.log.count("group")) == (1, 4)
