# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The keeper: one process per run that renews all leases of the run for as long as its controller lives and works.

Started by the action plugin of ``rollout_lease`` with the path of its folder as only argument; paths of kubeconfigs
stand in files there. It ends within two seconds when the controller is gone or stopped, whatever a renewal is doing.

===================  ==========================================================================
``controller.json``  pid and start of the controller
``NAME.lease``       one lease to renew (see ``Entry``); taken up and dropped as files come and go
``alive``            locked by the keeper for as long as it lives
``keeper.log``       what it did: renewals that failed, leases that were lost, why it ended
===================  ==========================================================================
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _kube
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._record import lease, process
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore, Objects

# Seconds between two looks at the controller, and the most between a renewal that failed and the next try.
LOOK = 0.5
RETRY = 2.0
READY = b"keeping\n"


@dataclass(frozen=True)
class Entry:
    """One lease to renew. ``kubeconfig`` empty: the service account of the pod."""

    kubeconfig: str
    context: str
    namespace: str
    name: str
    holder: str
    ttl: float

    def connect(self) -> Objects:
        """A client whose calls are given up long before the lease runs out."""
        limit = max(2.0, self.ttl / 5)
        timeouts = _kube.Timeouts(min(5.0, limit), limit, limit)
        if self.kubeconfig:
            return _kube.from_kubeconfig(self.kubeconfig, self.context, Scrubber(), timeouts)
        return _kube.in_cluster(Scrubber(), timeouts)


class Renewer:
    """Renews one lease until it is lost or told to end. ``may``: whether the controller still works."""

    def __init__(
        self, entry: Entry, connect: Callable[[], Objects], may: Callable[[], bool], say: Callable[[str], None]
    ) -> None:
        self._entry = entry
        self._connect = connect
        self._may = may
        self._say = say
        self.end = threading.Event()

    def run(self) -> None:
        """In a thread of its own, so that a region which does not answer keeps no other from being renewed."""
        every = self._entry.ttl * lease.RENEW_SHARE
        store: LeaseStore | None = None
        pause = every
        while not self.end.wait(pause) and self._may():
            try:
                store = store or LeaseStore(self._connect(), self._entry.namespace, self._entry.name, time.time)
                if not self._renew(store):
                    return
                pause = every
            except RolloutError as error:
                self._say(f"{self._entry.namespace}/{self._entry.name} could not be renewed: {error}")
                pause = min(RETRY, every)

    def _renew(self, store: LeaseStore) -> bool:
        found = store.read()
        holder = found.lease.holder if found.lease else ""
        if holder != self._entry.holder:
            self._say(f"{store.where} is not ours any more: {holder or 'nobody'} holds it")
            return False
        # Between reading and writing it may have been stopped for long.
        if not self._may():
            return False
        store.renew(found)
        return True


class Keeper:
    """Looks after the folder and the controller."""

    def __init__(self, folder: Path, connect: Callable[[Entry], Objects] = Entry.connect) -> None:
        self._folder = folder
        self._connect = connect
        self._running: dict[str, tuple[Entry, Renewer]] = {}
        told = json.loads((folder / "controller.json").read_text(encoding="utf-8"))
        self._pid, self._start = int(told["pid"]), str(told["start"])

    def run(self) -> str:
        """Until the controller is gone or stopped; says which."""
        while (state := process.state(self._pid, self._start)) == process.ALIVE:
            self.look()
            time.sleep(LOOK)
        return f"the controller {self._pid} is {state}"

    def look(self) -> None:
        """Take up new leases, drop those whose file is gone."""
        wanted = dict(self._entries())
        for name, (entry, renewer) in list(self._running.items()):
            if wanted.get(name) != entry:
                renewer.end.set()
                del self._running[name]
        for name, entry in wanted.items():
            if name not in self._running:
                renewer = Renewer(entry, lambda entry=entry: self._connect(entry), self._works, self.say)  # type: ignore[misc]
                self._running[name] = (entry, renewer)
                threading.Thread(target=renewer.run, name=name, daemon=True).start()

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
            sys.stderr.flush()

    def _works(self) -> bool:
        return process.state(self._pid, self._start) == process.ALIVE

    def _entries(self) -> list[tuple[str, Entry]]:
        found: list[tuple[str, Entry]] = []
        for path in self._folder.glob("*.lease"):
            # Files are moved into place as a whole; one that goes while it is read is gone.
            with contextlib.suppress(FileNotFoundError):
                data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                found.append((path.name, Entry(**data)))
        return found


def main(folder: Path) -> None:
    lock = os.open(folder / "alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    log = os.open(folder / "keeper.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 2)
    keeper = Keeper(folder)
    keeper.look()
    os.write(1, READY)
    os.dup2(log, 1)
    try:
        keeper.say(f"ended: {keeper.run()}")
    finally:
        # Not sys.exit: a renewal in another thread must not hold the end up.
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
