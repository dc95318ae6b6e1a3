# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What governance adds to a run: the same plays of two regions, with nothing governed and with what needs no cluster.

Prints seconds of the wall clock and of the processor for each, and their difference; writes build/bench/govern.json.
Returns 1 when a promise is missed: what is promised is time by the wall, so waiting counts as well as work.
Each is played ROUNDS times in turn, and the least of each is taken: another load on the machine only ever adds.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration" / "govern"))
from promised import Promise, ended  # noqa: E402
from world import World  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "3"))
PROMISED = 3.0


def timed(world: World) -> tuple[float, float]:
    """Seconds by the wall and of the processor, all children included."""
    before, began = os.times(), time.monotonic()
    code, out = world.play(ROOT / "tests" / "bench" / "govern.yml")
    after, ended = os.times(), time.monotonic()
    assert code == 0, out
    work = after.children_user + after.children_system - before.children_user - before.children_system
    return ended - began, work


def promises(adds: float) -> list[Promise]:
    """What is promised of the seconds by the wall that governance adds to a run, and whether it was kept."""
    return [
        (f"governance adds {adds:.2f} s to a run of two regions, and {PROMISED:g} s are promised", adds <= PROMISED)
    ]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tars-bench-") as folder:
        world = World(Path(folder)).make()
        plain = dict(world.vars)
        world.govern()
        for person, role in (("alice", "release_manager"), ("bob", "sre")):
            code, out = world.approve(person, role)
            assert code == 0, out
        governed = dict(world.vars)
        found: dict[str, list[tuple[float, float]]] = {"nothing governed": [], "governed": []}
        for _round in range(ROUNDS):
            for name, variables in (("nothing governed", plain), ("governed", governed)):
                world.vars = variables
                found[name].append(timed(world))
    least = {name: [min(values) for values in zip(*runs, strict=True)] for name, runs in found.items()}
    for name, (wall, work) in least.items():
        print(f"{name:<17} {wall:6.2f} s by the wall, {work:6.2f} s of the processor (least of {ROUNDS})")
    wall, work = (governed - plain for plain, governed in zip(*least.values(), strict=True))
    adds = f"{wall:6.2f} s by the wall, {work:6.2f} s of the processor"
    print(f"{'governance adds':<17} {adds}; promised are {PROMISED:g} s")
    target = ROOT / "build" / "bench" / "govern.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"least": least, "adds": {"wall_s": wall, "cpu_s": work}, "runs": found}, indent=1))
    return ended(promises(wall))


if __name__ == "__main__":
    raise SystemExit(main())
