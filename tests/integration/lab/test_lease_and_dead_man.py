# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lease, guard, dead-man and the table of all regions, against the lab's API server."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _guard, _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop, SystemClock
from lab_tools import Lab, call, module

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import bench_dead_man

NAMESPACES = _kube.Kind("v1", "namespaces", namespaced=False)


@pytest.fixture(scope="module")
def namespace(lab: Lab) -> Iterator[str]:
    name = f"rec-lease-{os.getpid()}"
    lab.client.create(NAMESPACES, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    lab.client.delete(NAMESPACES, "", name)


@pytest.fixture
def ask(lab: Lab, namespace: str, tmp_path: Path) -> Any:
    def act(name: str = "rollout_lease", **options: Any) -> Mapping[str, Any]:
        params = {"kubeconfig": lab.kubeconfig, "namespace": namespace, "app": "tars", "region": "lab"}
        return call(name, {**params, **options}, tmp_path)

    return act


def test_a_life(lab: Lab, ask: Any, namespace: str) -> None:
    mine = ask(run_id="one", ttl=3)
    assert (mine["changed"], mine["lease"]["fence"], mine["why"]) == (True, 1, "it was free")
    assert ask(run_id="one", ttl=3)["why"] == "it is ours"
    entered = ask("rollout_record", release="2", plan_hash="h", run_id="one", take_fence=True, fence_floor=0)
    assert entered["record"]["fence"] == 1
    assert ask(state="checked", holder="one", fence=1)["changed"] is False
    # Nobody renews here: somebody else waits for the rest of its time and takes it.
    began = time.monotonic()
    other = ask(run_id="two", ttl=3, fence_floor=7)
    assert "did not renew it" in other["why"] and other["lease"]["fence"] == 8
    assert time.monotonic() - began < 20 and "waits" in other["lines"][0]["seen"]
    lost = ask(state="checked", holder="one", fence=1, doing="upgrading stable")
    assert lost["reason"] == "lease_lost" and "Stopped before upgrading stable" in lost["msg"]
    assert f"Lease {namespace}/ga-rollout-tars is held by two (since " in lost["msg"]
    assert ask(state="released", holder="one")["changed"] is False
    assert ask(state="released", holder="two")["changed"] is True
    ask("rollout_record", state="absent")


def test_a_second_run_while_the_first_one_renews_is_refused(lab: Lab, ask: Any, namespace: str) -> None:
    store = LeaseStore(lab.client, namespace, "ga-rollout-tars", time.time)
    store.take(store.read(), Lease("alive", 30, release="2"))
    end = threading.Event()

    def renew() -> None:
        while not end.wait(2):
            store.renew(store.read())

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        refused = ask(run_id="two")
        assert refused["reason"] == "lease_held" and "alive (since" in refused["msg"], refused
        assert "renewed it while this run looked" in refused["msg"]
        end.set()
        thread.join()
        forced = ask(run_id="two", force="alive is on a plane")
        assert forced["changed"] and "by force" in forced["why"]
        now = store.read().lease
        assert now is not None and now.note == "by force: alive is on a plane"
    finally:
        end.set()
        ask(state="released", holder="two")


def test_a_clock_five_minutes_off_changes_nothing(
    lab: Lab, ask: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    for off, word in ((300, "ahead of"), (-300, "behind")):
        monkeypatch.setattr(time, "time", lambda off=off: real() + off)
        for refused in (ask(run_id="off"), ask("rollout_record", release="9", plan_hash="h", run_id="off")):
            assert refused["reason"] == "clock_skew" and f" s {word} the one of the API server" in refused["msg"]
    monkeypatch.undo()
    assert ask("rollout_record", state="absent")["changed"] is False


def test_a_zombie_is_refused_in_record_and_guard(lab: Lab, ask: Any, namespace: str) -> None:
    """Each of a hundred late writes of the record is refused when it wakes up, and its guard says why."""
    ask(run_id="zombie", ttl=600)
    ask("rollout_record", release="2", plan_hash="h", run_id="zombie", take_fence=True)
    wish = {"namespace": namespace, "app": "tars", "holder": "zombie", "fence": 1}
    client = _kube.from_kubeconfig(lab.kubeconfig, "", Scrubber())
    guard = _guard.guard(client, wish, SystemClock(Stop()))
    found = ask("rollout_record", release="2", fence=1, phase="preflight", lease=wish)["record"]["fence"]
    wish["fence"] = found
    forced = ask(run_id="newer", ttl=600, force="test")
    ask(
        "rollout_record",
        release="2",
        plan_hash="h",
        run_id="newer",
        take_fence=True,
        fence_floor=forced["lease"]["fence"] - 1,
    )
    late = [ask("rollout_record", release="2", fence=found, phase="backed_up") for _time in range(100)]
    assert [item["reason"] for item in late] == ["fence_lost"] * 100
    with pytest.raises(RolloutError) as caught:
        guard.check("moving weight")
    assert caught.value.reason == "lease_lost"
    ask(state="released", holder="newer")
    ask("rollout_record", state="absent")


def test_a_record_edited_by_hand_or_of_a_newer_format(lab: Lab, ask: Any, namespace: str, tmp_path: Path) -> None:
    maps = _kube.Kind("v1", "configmaps")
    for change, reason, words in (
        ('"phase": "canery"', "record_invalid", "was edited by hand"),
        ('"format": 99', "record_newer", "has the format 99"),
    ):
        ask("rollout_record", release="2", plan_hash="h", run_id="one")
        found = lab.client.get(maps, namespace, "ga-rollout-tars")["data"]["record.json"]
        wrong = (
            found.replace('"phase": "planned"', change) if "phase" in change else found.replace('"format": 1', change)
        )
        patch = [{"op": "add", "path": "/data/record.json", "value": wrong}]
        lab.client.json_patch(maps, namespace, "ga-rollout-tars", patch)
        refused = ask("rollout_record", release="2", plan_hash="h", run_id="one")
        assert refused["reason"] == reason and words in refused["msg"]
        table = call(
            "rollout_record_info",
            {"regions": [{"name": "lab", "namespace": namespace, "kubeconfig": lab.kubeconfig}]},
            tmp_path,
        )
        assert table["regions"][0]["reason"] == reason and "unreadable" in table["table"][1]
        lab.client.delete(maps, namespace, "ga-rollout-tars")


def test_as_a_playbook_calls_it_with_a_keeper_that_ends(lab: Lab, namespace: str) -> None:
    params = {
        "kubeconfig": lab.kubeconfig,
        "namespace": namespace,
        "app": "kept",
        "region": "lab",
        "run_id": "one",
        "ttl": 30,
    }
    held = module("rollout_lease", params)
    assert held["changed"] and held["lease"]["holder"].startswith("one/"), held
    store = LeaseStore(lab.client, namespace, "ga-rollout-kept", time.time)
    told = store.read().lease
    assert told is not None and told.controller["pid"]
    # Its controller, the program `ansible`, is gone: the next one takes over at once.
    began = time.monotonic()
    again = module("rollout_lease", {**params, "run_id": "two"})
    assert "is gone" in again["why"] and time.monotonic() - began < told.ttl, again


def test_the_dead_man_with_the_rights_of_its_role(lab: Lab, tmp_path: Path) -> None:
    """In two namespaces at once, with a lease of 6 s: figures with 55 s are those of `make bench-dead-man`."""
    found = bench_dead_man.run(2, 8, 6.0, tmp_path, seed=1)
    assert found["early_acts"] == 0, found
    assert found["in_time"] == 2 and all(row["faults"] == 0 for row in found["rows"]), found
