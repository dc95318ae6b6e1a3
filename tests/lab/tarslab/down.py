# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab down`: the cluster, the private engine and its namespace go; what took long to make stays in the cache."""

from __future__ import annotations

from pathlib import Path

from . import cache, cluster, engine, kernel, private, proc, state
from .context import Lab
from .daemons import alive
from .errors import LabError


def down(lab: Lab, purge: bool = False) -> None:
    """Take the lab down; with `purge` its state, its engine's data and artefacts that no checkout uses go too.

    The next `lab up` begins with the defaults again.
    """
    kind = engine.remembered(lab, state.load(lab).get("engine"))
    if kind == "own":
        _down_own(lab)
    elif kind == "private":
        _down_private(lab)
    else:
        lab.console.say(f"  the lab {lab.identity.name} is down already")
    state.forget(lab)
    if purge:
        _purge(lab)


def _down_own(lab: Lab) -> None:
    lab.engine = engine.own()
    if lab.engine is None:
        raise LabError(
            "Your own Docker, in which this lab runs, does not answer, so its nodes cannot be removed: start it first."
        )
    with lab.console.step("removing the cluster", 5):
        cluster.delete(lab, lab.engine)


def _down_private(lab: Lab) -> None:
    lab.engine = engine.attached(lab)
    with lab.console.step("removing the cluster", 10):
        # With the engine gone (a reboot, a kill) the containers are only data; they are removed when it runs again.
        if alive(lab.paths.run / "dockerd.json") is None and (lab.paths.engine / "docker").exists():
            private.ensure(lab)
        if alive(lab.paths.run / "dockerd.json") is not None:
            cluster.delete(lab, lab.engine)
    with lab.console.step("ending the private Docker", 5):
        engine.stop(lab, "private")
    kernel.restore(lab)
    _unmount(lab.paths.run)
    cache.discard(lab.paths.run)


def _purge(lab: Lab) -> None:
    with lab.console.step("removing this lab's data and what no checkout uses any more", 5):
        if lab.paths.engine.exists():
            _unmount(lab.paths.engine)
            cache.discard(lab.paths.engine)
        cache.sweep(lab.paths.cache)
        if cache.others_at_work(lab):
            lab.console.say("    another checkout is at work on the shared cache, so nothing of that is removed")
        else:
            for old in cache.garbage(lab.paths.cache):
                cache.discard(old)
        for path in lab.paths.state.iterdir():
            # The lock is held by this very command; timings are worth keeping.
            if path.name not in ("lock", "timings.json"):
                cache.discard(path)


def _unmount(folder: Path) -> None:
    """Let go of whatever an engine that was killed has left mounted under a folder."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    for place in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        proc.run(["umount", "--lazy", place])
