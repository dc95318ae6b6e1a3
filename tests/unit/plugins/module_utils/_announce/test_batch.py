# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One event to all receivers, with receivers that are functions: turns, budget, what waits and what is dropped."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._announce.batch import Batch, Job, waiting
from ansible_collections.tars.rollout.plugins.module_utils._announce.sent import Sent
from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, refuse
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline, Stop, SystemClock

Told = Callable[[Wire, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Outcome]
SILENT = RolloutError("it is silent", reason="http_timeout")


def job(event: str, kind: str = "slack", *, key: str = "tars-1.0.1", name: str | None = None) -> Job:
    return Job({"name": name or kind, "type": kind}, {"key": key, "event": event, "content": {"text": event}})


class Place:
    """A folder with the file of what was sent; ``tell`` is one call of the module."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "announced.json"
        self.sent = Sent(str(self.file))
        self.clock = SystemClock(Stop())

    def tell(self, jobs: list[Job], deliver: Told, *, budget: float = 30.0, right: Any = lambda: "") -> list[str]:
        return [item["act"] for item in self.results(jobs, deliver, budget=budget, right=right)]

    def results(self, jobs: list[Job], deliver: Told, *, budget: float = 30.0, right: Any = lambda: "") -> Any:
        wire = Wire(self.clock, Scrubber(), Deadline(self.clock, budget))
        return Batch(wire, self.sent, deliver, right).run(jobs)

    def again(self, kind: str, deliver: Told) -> list[str]:
        return self.tell(waiting(self.sent, [{"name": kind, "type": kind}]), deliver)

    @property
    def waits(self) -> list[str]:
        return [item["event"] for item in self.sent.waiting()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class Receiver:
    """Takes messages, and tells which."""

    def __init__(self, fault: Exception | None = None, seconds: float = 0.0) -> None:
        self.fault = fault
        self.seconds = seconds
        self.took: list[tuple[str, bool]] = []

    def __call__(self, wire: Wire, receiver: Any, message: Mapping[str, Any], held: Mapping[str, Any]) -> Outcome:
        time.sleep(self.seconds)
        if self.fault:
            raise self.fault
        self.took.append((message["event"], message["late"]))
        return Outcome("updated" if held else "sent", {"root": {"ts": "1"}})


def test_two_regions_at_once_make_one_message(place: Place) -> None:
    slow = Receiver(seconds=0.3)
    acts: dict[str, list[str]] = {}

    def region(name: str) -> None:
        acts[name] = place.tell([job(f"{name}/started")], slow)

    threads = [threading.Thread(target=region, args=(name,)) for name in ("eu", "us")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(act for found in acts.values() for act in found) == ["sent", "updated"]
    assert sorted(place.sent.of("slack", "tars-1.0.1")["told"]) == ["eu/started", "us/started"]


def test_who_waits_for_its_turn_waits_no_longer_than_the_budget(place: Place) -> None:
    deadline = Deadline(place.clock, 30)
    with place.sent.turn("slack", "tars-1.0.1", deadline, place.clock):
        found = place.results([job("eu/started")], Receiver(), budget=0.3)[0]
    assert (found["act"], found["reason"], found["waiting"]) == ("failed", "sent_busy", True)
    assert place.again("slack", Receiver()) == ["sent"]


def test_receivers_that_hang_cost_the_budget_once(place: Place) -> None:
    hang = Receiver(seconds=6)
    jobs = [job("eu/started", "slack", name=f"r{number}") for number in range(40)]
    began = time.monotonic()
    assert place.tell(jobs, hang, budget=1) == ["failed"] * 40
    assert time.monotonic() - began < 8, "not the grace of each"


def test_what_is_refused_for_good_waits_no_longer(place: Place) -> None:
    assert place.tell([job("eu/started")], Receiver(SILENT)) == ["failed"]
    assert place.waits == ["eu/started"]
    assert place.again("slack", Receiver(refuse("no such channel", "Check it"))) == ["failed"]
    assert place.waits == []


def test_one_region_does_not_take_the_place_of_another(place: Place) -> None:
    dead = Receiver(SILENT)
    for kind in ("slack", "statuspage"):
        place.tell([job("eu/rolled_back", kind)], dead)
        place.tell([job("us/stage_passed", kind)], dead)
    assert place.waits == ["eu/rolled_back", "us/stage_passed"] * 2
    alive = Receiver()
    assert place.again("slack", alive) == ["sent", "updated"]
    assert alive.took == [("eu/rolled_back", False), ("us/stage_passed", False)]


def test_an_end_is_told_although_another_region_went_on(place: Place) -> None:
    for kind, again in (("slack", "updated"), ("statuspage", "updated")):
        place.tell([job("eu/rolled_back", kind)], Receiver(SILENT))
        place.tell([job("us/stage_passed", kind)], Receiver())
        alive = Receiver()
        assert place.again(kind, alive) == [again]
        # Late: in Slack it is a line only, since the message says something newer.
        assert alive.took == [("eu/rolled_back", True)]
        assert place.waits == []


def test_what_its_region_or_a_newer_state_overtook_is_dropped(place: Place) -> None:
    for kind, newer in (("slack", "eu/soaking"), ("statuspage", "us/soaking")):
        place.tell([job("eu/stage_passed", kind)], Receiver(SILENT))
        place.tell([job(newer, kind)], Receiver())
        assert place.again(kind, Receiver()) == ["superseded"]
        assert place.waits == []


def test_what_was_told_after_all_waits_no_longer(place: Place) -> None:
    place.tell([job("eu/started")], Receiver(SILENT))
    place.tell([job("eu/started", name="other")], Receiver())
    data = json.loads(place.file.read_text())
    data["sent"]["slack tars-1.0.1"] = data["sent"].pop("other tars-1.0.1")
    place.file.write_text(json.dumps(data))
    receiver = Receiver()
    assert place.again("slack", receiver) == ["unchanged"] and receiver.took == []
    assert place.waits == []


def test_a_message_that_is_there_in_part_keeps_its_ids(place: Place) -> None:
    def half(wire: Wire, receiver: Any, message: Mapping[str, Any], held: Mapping[str, Any]) -> Outcome:
        wire.keep({"root": {"ts": "7"}})
        raise SILENT

    assert place.tell([job("eu/started")], half) == ["failed"]
    held = place.sent.of("slack", "tars-1.0.1")
    assert held["ids"] == {"root": {"ts": "7"}} and "eu/started" not in held.get("told", {})
    assert place.again("slack", Receiver()) == ["updated"]


def test_a_public_message_asks_for_the_right_at_its_moment(place: Place) -> None:
    def unknown() -> str:
        raise RolloutError("the API server is away", reason="kube_unreachable")

    public = Receiver()
    page, chat = job("eu/started", "statuspage"), job("eu/started")
    assert place.tell([page, chat], public, right=lambda: "somebody else holds it") == ["withheld", "sent"]
    assert place.waits == []
    found = place.results([page], public, right=unknown)[0]
    assert (found["act"], found["waiting"], "API server" in found["msg"]) == ("withheld", True, True)
    assert place.again("statuspage", public) == ["sent"]
