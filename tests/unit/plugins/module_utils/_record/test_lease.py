# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets a lease, who waits and who is refused; and the guard that asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils import _guard
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._record import lease, process
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Candidate, Lease, decide
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store, Stored

NOW = 1_700_000_000.0
THEIRS = Lease("bob/other/1.1", 55, NOW - 10, "2023-11-14T22:13:10.000000Z", 3)
OURS = Candidate("alice/here/2.2")


def test_free_and_ours() -> None:
    assert decide(None, OURS, NOW, None).what == lease.TAKE
    assert decide(Lease(), OURS, NOW, None).what == lease.TAKE
    assert decide(replace(THEIRS, holder=OURS.holder), OURS, NOW, None).what == lease.KEEP


def test_another_machine_is_waited_for_until_it_ran_out_and_never_longer() -> None:
    found = decide(THEIRS, OURS, NOW, THEIRS)
    assert (found.what, found.wait) == (lease.WAIT, 47)
    assert "bob/other/1.1 (since 2023-11-14T22:13:10.000000Z, last renewed" in found.why
    assert decide(THEIRS, OURS, NOW + 46.9, THEIRS).what == lease.WAIT
    assert decide(THEIRS, OURS, NOW + 47.1, THEIRS).what == lease.TAKE


def test_who_renews_while_we_look_lives() -> None:
    found = decide(replace(THEIRS, renewed=NOW + 5), OURS, NOW + 6, THEIRS)
    assert found.what == lease.REFUSE and "renewed it while this run looked" in found.why
    assert decide(replace(THEIRS, holder="carol/x/1.1"), OURS, NOW, THEIRS).what == lease.REFUSE


def test_force_needs_a_reason_and_keeps_it() -> None:
    found = decide(THEIRS, Candidate(OURS.holder, "bob's laptop drowned"), NOW, THEIRS)
    assert found.what == lease.TAKE and "by force" in found.why and "drowned" in found.why


def test_a_process_of_this_machine_is_looked_at() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    there = replace(THEIRS, controller=process.controller(child.pid).data())
    try:
        assert decide(there, OURS, NOW, there).what == lease.REFUSE
        child.send_signal(19)
        for _time in range(500):
            if process.state(child.pid, there.controller["start"]) == process.STOPPED:
                break
            time.sleep(0.02)
        # Stopped: it may go on any moment, so it is waited for like one of another machine.
        assert decide(there, OURS, NOW, there).what == lease.WAIT
    finally:
        child.kill()
    # A zombie does nothing any more.
    for _time in range(500):
        if decide(there, OURS, NOW, there).what == lease.TAKE:
            break
        time.sleep(0.02)
    assert decide(there, OURS, NOW, there).what == lease.TAKE
    child.wait()
    assert decide(there, OURS, NOW, there).what == lease.TAKE


@pytest.mark.parametrize("change", [{"start": "1"}, {"pid": 2**22 + 1}])
def test_the_same_pid_is_not_the_same_process(change: dict[str, Any]) -> None:
    there = replace(THEIRS, controller={**process.controller(os.getpid()).data(), **change})
    assert decide(there, OURS, NOW, there).what == lease.TAKE


@pytest.mark.parametrize("change", [{"boot": "x"}, {"pids": "pid:[1]"}, {"boot": ""}, {"pid": "x"}])
def test_of_another_machine_or_container_nothing_is_known(change: dict[str, Any]) -> None:
    there = replace(THEIRS, controller={**process.controller(os.getpid()).data(), "start": "1", **change})
    assert decide(there, OURS, NOW, there).what == lease.WAIT


@pytest.fixture
def store(cluster: Any) -> LeaseStore:
    return LeaseStore(cluster, "tars", "ga-rollout-tars", lambda: NOW)


def test_take_renew_release(cluster: Any, store: LeaseStore) -> None:
    taken = store.take(store.read(), Lease("a", 10, fence=4, release="2", controller={"pid": 1}))
    assert taken.lease == replace(
        Lease("a", 10, fence=4, release="2", controller={"pid": 1}), renewed=NOW, since="2023-11-14T22:13:20.000000Z"
    )
    cluster.skew = 7.0
    renewed = store.renew(taken)
    assert renewed.lease is not None and renewed.lease.renewed == NOW + 7
    free = store.release(renewed)
    assert free.lease is not None and (free.lease.holder, free.lease.fence) == ("", 4)
    again = store.take(free, Lease("b", 10, fence=5))
    assert again.transitions == 2
    for late in (taken, renewed):
        with pytest.raises(RolloutError) as caught:
            store.renew(late)
        assert caught.value.reason == "lease_changed"


def test_two_that_create_it_at_once(store: LeaseStore) -> None:
    nothing = store.read()
    store.take(nothing, Lease("a"))
    with pytest.raises(RolloutError) as caught:
        store.take(nothing, Lease("b"))
    assert caught.value.reason == "lease_changed"


def test_a_lease_edited_by_hand(cluster: Any, store: LeaseStore) -> None:
    store.take(store.read(), Lease("a", fence=4))
    cluster.objects["leases", "tars", "ga-rollout-tars"]["metadata"]["annotations"]["ga.rollout/fence"] = "many"
    with pytest.raises(RolloutError) as caught:
        store.read()
    assert caught.value.reason == "lease_invalid" and "edited by hand" in caught.value.hint


def held(cluster: Any, clock: Any, holder: str = "a") -> LeaseStore:
    store = LeaseStore(cluster, "tars", "ga-rollout-tars", clock.now)
    store.take(store.read(), Lease(holder, 10, fence=4))
    return store


def record(cluster: Any, fence: int) -> None:
    store = Store(cluster, "tars", "tars")
    there = store.read()
    store.write(Record("tars", "us-west-2", "2", "h", "r", fence=fence), there if there.version else Stored(None))


WISH = {"namespace": "tars", "app": "tars", "holder": "a", "fence": 4}


def reason(cluster: Any, clock: Any) -> str:
    try:
        _guard.guard(cluster, WISH, clock).check("moving weight")
    except RolloutError as error:
        assert error.msg.startswith("Stopped before moving weight: ") or error.reason.startswith("kube")
        return error.reason
    return ""


def test_the_guard_asks_lease_and_fence(cluster: Any, clock: Any) -> None:
    assert reason(cluster, clock) == "lease_lost"
    store = held(cluster, clock)
    assert reason(cluster, clock) == "record_gone"
    record(cluster, 4)
    assert reason(cluster, clock) == ""
    clock.time += 10
    assert reason(cluster, clock) == ""
    clock.time += 0.1
    assert reason(cluster, clock) == "lease_expired"
    store.renew(store.read())
    assert reason(cluster, clock) == ""
    record(cluster, 5)
    assert reason(cluster, clock) == "fence_lost"
    record(cluster, 4)
    held(cluster, clock, "b")
    assert reason(cluster, clock) == "lease_lost"
    held(cluster, clock, "a")
    store.release(store.read())
    assert reason(cluster, clock) == "lease_lost"


def test_who_looks_on_bears_a_server_that_is_away_for_as_long_as_a_lease_lasts(cluster: Any, clock: Any) -> None:
    held(cluster, clock)
    record(cluster, 4)
    check = _guard.patient(_guard.guard(cluster, WISH, clock), clock, 10)
    check("looking")
    cluster.down = KubeError("away", reason="kube_timeout")
    clock.time += 10
    check("looking")
    clock.time += 1
    with pytest.raises(RolloutError):
        check("looking")
    cluster.down = KubeError("no", reason="kube_forbidden")
    clock.time -= 11
    with pytest.raises(RolloutError):
        check("looking")
