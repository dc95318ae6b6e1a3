# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper renews for as long as its controller lives and works, and ends within two seconds after that."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError
from ansible_collections.tars.rollout.plugins.module_utils._record import process
from ansible_collections.tars.rollout.plugins.module_utils._record.keeper import Entry, Keeper
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore

# Renewed each 0.27 s.
TTL = 1.0


class Run:
    """A controller that does nothing, and its keeper in a thread of this process."""

    def __init__(self, folder: Path, cluster: Any) -> None:
        self.folder, self.cluster = folder, cluster
        self.controller = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
        told = process.controller(self.controller.pid)
        (folder / "controller.json").write_text(json.dumps({"pid": told.pid, "start": told.start}))
        self.ended = ""
        self.thread = threading.Thread(target=self._keep, daemon=True)

    def _keep(self) -> None:
        self.ended = Keeper(self.folder, lambda entry: self.cluster).run()

    def lease(self, name: str = "one") -> LeaseStore:
        store = LeaseStore(self.cluster, "tars", name, time.time)
        store.take(store.read(), Lease("me", TTL))
        entry = {"kubeconfig": "", "context": "", "namespace": "tars", "name": name, "holder": "me", "ttl": TTL}
        (self.folder / f"{name}.lease").write_text(json.dumps(entry))
        return store

    def kill(self) -> None:
        self.controller.kill()
        self.controller.wait()


@pytest.fixture
def run(tmp_path: Path, cluster: Any) -> Iterator[Run]:
    made = Run(tmp_path, cluster)
    yield made
    made.kill()
    made.thread.join(5)


def renewed(store: LeaseStore) -> float:
    found = store.read().lease
    assert found is not None
    return found.renewed


def rises(store: LeaseStore, within: float = 5) -> bool:
    first, end = renewed(store), time.monotonic() + within
    while renewed(store) == first:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_renews_all_leases_and_takes_up_and_drops_some(run: Run) -> None:
    one = run.lease("one")
    run.thread.start()
    assert rises(one)
    two = run.lease("two")
    assert rises(two) and rises(one)
    (run.folder / "two.lease").unlink()
    time.sleep(2)
    assert not rises(two, 0.8) and rises(one)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP])
def test_ends_when_the_controller_is_gone_or_stopped(run: Run, signum: int) -> None:
    store = run.lease()
    run.thread.start()
    assert rises(store)
    run.controller.send_signal(signum)
    began = time.monotonic()
    run.thread.join(20)
    # Two are promised; what a loaded machine adds is not ours.
    assert not run.thread.is_alive() and time.monotonic() - began < 10
    assert run.ended.endswith("is stopped" if signum == signal.SIGSTOP else "is dead")
    time.sleep(0.3)
    assert not rises(store, 0.8)


def test_a_lease_that_somebody_took_is_left_alone(run: Run) -> None:
    store = run.lease()
    run.thread.start()
    assert rises(store)
    for _time in range(20):
        try:
            store.take(store.read(), Lease("other", TTL))
            break
        except Exception:
            time.sleep(0.01)
    assert not rises(store, 1)
    found = store.read().lease
    assert found is not None and found.holder == "other"


def test_a_server_that_is_away_is_asked_again(run: Run, cluster: Any) -> None:
    store = run.lease()
    run.thread.start()
    assert rises(store)
    cluster.down = KubeError("away", reason="kube_timeout")
    time.sleep(1)
    cluster.down = None
    assert rises(store)


def test_an_entry_names_a_path_and_no_secret() -> None:
    assert set(Entry.__dataclass_fields__) == {"kubeconfig", "context", "namespace", "name", "holder", "ttl"}
