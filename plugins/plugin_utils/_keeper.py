# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Starts the keeper of a run and tells it which leases to renew; what it is stands in ``_record/keeper``."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record import process

PROGRAM = "ansible_collections.tars.rollout.plugins.module_utils._record.keeper"
# Seconds that it may take to start: importing the Kubernetes client on a busy machine.
START = 30.0


def this_controller() -> process.Controller:
    """ansible-playbook, as seen from one of its workers."""
    return process.controller(os.getppid())


def folder(local_tmp: str) -> Path:
    """The folder of this run's keeper, in Ansible's own folder of the run, which only its user may read."""
    path = Path(local_tmp) / "tars-keeper"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def entry(params: Mapping[str, Any], holder: str, folder: str) -> dict[str, Any]:
    """What the keeper needs to renew a lease, see ``Entry``. No secret: the path of a kubeconfig, not its content.

    ``folder``: where the module ran, to which a relative path belongs.
    """
    return {
        "kubeconfig": os.path.abspath(os.path.join(folder, params["kubeconfig"])) if params.get("kubeconfig") else "",
        "context": params.get("context") or "",
        "namespace": params["namespace"],
        "name": f"ga-rollout-{params['app']}{'-run' if params.get('scope') == 'run' else ''}",
        "holder": holder,
        "ttl": float(params["ttl"]),
    }


def name(params: Mapping[str, Any]) -> str:
    """Of the file of a lease: the same namespace may exist in many clusters."""
    where = [str(params.get(key) or "") for key in ("kubeconfig", "context", "namespace", "app", "scope")]
    return hashlib.sha256("\n".join(where).encode()).hexdigest()[:16] + ".lease"


def keep(place: Path, controller: process.Controller, wanted: Mapping[str, Any], file: str) -> None:
    """Have that lease renewed from now on."""
    _write(place / file, dict(wanted))
    ensure(place, controller)


def drop(place: Path, file: str) -> None:
    """Renew it no more."""
    (place / file).unlink(missing_ok=True)


def ensure(place: Path, controller: process.Controller) -> None:
    """Start the keeper unless it runs; RolloutError when it does not come up. Workers may ask at the same time."""
    if not any(place.glob("*.lease")):
        return
    with _locked(place / "start"):
        if _alive(place):
            return
        _write(place / "controller.json", {"pid": controller.pid, "start": controller.start})
        _start(place)


def _start(place: Path) -> None:
    # The folder that holds ansible_collections, however this collection was found.
    root = Path(process.__file__).parents[6]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = subprocess.Popen(
        [sys.executable, "-m", PROGRAM, str(place)],
        cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Ctrl-C is for ansible-playbook; the keeper sees that one end.
        start_new_session=True,
    )
    if started.stdout is None or started.stderr is None:
        raise AssertionError("both are pipes")
    ready, _writable, _odd = select.select([started.stdout], [], [], START)
    if ready and os.read(started.stdout.fileno(), 64):
        return
    if started.poll() is None:
        started.kill()
    said = started.stderr.read().decode(errors="replace").strip().splitlines()
    raise RolloutError(
        f"The keeper did not start within {START:g} s"
        if not ready
        else f"The keeper ended at once: {(said or ['?'])[-1]}",
        reason="keeper_failed",
    )


def _alive(place: Path) -> bool:
    handle = os.open(place / "alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, data: Mapping[str, Any]) -> None:
    """As a whole, or not at all."""
    new = path.with_suffix(f".{os.getpid()}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(dict(data), file)
    new.replace(path)
