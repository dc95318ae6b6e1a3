# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: the lab, a load, a good release through all regions, a bad one that is stopped; then the tables.

Exit code: 0 when both went as they should, 1 when not, 2 when the demo itself could not go on, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._record import ledger
from tarslab import weight

from . import report, story
from .child import Ended, run
from .lab import ALL, THREE, DemoLab, next_release
from .load import Load, Totals, counts
from .report import Part

ROOT = Path(__file__).resolve().parents[3]
OUT = ROOT / "build" / "demo"
PLANNED = {"stage": 15.0, "soak": 6.0, "back": 6.0}
"""Seconds that the lab's inventory asks for; a test compares them."""
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
WARM_S = 60.0
"""Seconds of load before the rollout begins: the gate wants stable's past, and the preflight the traffic."""


class Demo:
    """One run of it; everything that it writes is in build/demo, and the result in build/demo.json."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._regions = regions
        self._names = [region.replace("_", "-") for region in regions]
        self._started = time.monotonic()
        self._turns = False  # whether regions have their turn by now, after the preflight of all
        self._lab = DemoLab(ROOT, OUT / "lab.log", self._say)

    def run(self) -> int:
        """All of it; the exit code."""
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.mkdir(parents=True)
        self._title(f"The lab: {', '.join(self._names)}")
        was_down = self._lab.up(self._regions)
        try:
            ok = self._both()
        finally:
            self._leave(was_down)
        return 0 if ok else 1

    def _both(self) -> bool:
        self._end_what_is_under_way()
        # A release that a region has seen is refused there, or is promoted already.
        known = [name for region in self._regions for name in (self._lab.stable(region), self._lab.recorded(region)[0])]
        good_release, bad_release = next_release(known)
        self._lab.release(good_release)
        self._lab.release(bad_release, "error_share=0.06")
        parts = {
            "good": (good_release, f"A good release, {good_release}, through {len(self._regions)} regions"),
            "bad": (bad_release, f"A bad release, {bad_release}: 6 % of its requests fail"),
        }
        ended: dict[str, Part] = {}
        weight.favour()
        load = Load(self._lab.program, OUT / "good", self._regions)
        with load.running():
            self._say(f"load on: {len(self._regions)} regions, more to the one at work")
            time.sleep(WARM_S)
            for name, (release, title) in parts.items():
                began = time.monotonic()
                code = self._rollout(name, release, title, load)
                seconds = time.monotonic() - began
                # Users do not stop between two releases; what they do from here on counts for the next part.
                totals = load.part(OUT / ("bad" if name == "good" else "after"))
                ended[name] = _part(name, release, seconds, totals, code)
                if code and name == "good":
                    # The bad release would say nothing more, and what is to be looked at is the good one.
                    ended["bad"] = Part(bad_release)
                    break
        self._say("load off")
        return self._end(ended["good"], ended["bad"])

    def _end(self, good: Part, bad: Part) -> bool:
        """Tables and document; whether all was as it should be."""
        document = report.document(good, bad, self._names)
        document["demo"] = {"duration_s": round(time.monotonic() - self._started, 1), "regions": self._names}
        (ROOT / "build" / "demo.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        print("\n".join(report.tables(good, bad, self._names)), flush=True)
        self._say(
            f"All of it took {(time.monotonic() - self._started) / 60:.1f} minutes; the figures are in build/demo.json"
        )
        return bool(document["ok"])

    def _rollout(self, name: str, release: str, title: str, load: Load) -> int:
        """The exit code of the playbook."""
        self._title(title)
        self._turns = False
        shutil.rmtree(_evidence(release), ignore_errors=True)
        done = run(
            [PLAYBOOK, "playbooks/ga_rollout.yml",
             "-i", self._inventory(), "-e", f"rollout_release={release}"],
            OUT / f"{name}.log",
            lambda line: self._follow(line, load),
            env={"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
            cwd=ROOT,
        )  # fmt: skip
        return done.code

    def _follow(self, line: str, load: Load) -> None:
        """Show what a person wants to see of Ansible's output, and give the load to the region at work."""
        if line.startswith("PLAY ["):
            self._turns = "ROLLOUT" in line
        name = next((name for name in self._names if line.startswith(f"{name} ")), "")
        region = name.replace("-", "_")
        if region and self._turns:
            load.at_work(region)
            if line.startswith(f"{name} promoting "):
                load.after(region)
        told = region and not line.endswith("WAITING")
        if told or line.startswith(("PLAY [", "fatal:", "ERROR", "[ERROR]")) or "OUTCOME " in line:
            self._say(line.strip().rstrip("* "))

    def _end_what_is_under_way(self) -> None:
        for region in self._regions:
            release, under_way = self._lab.recorded(region)
            if under_way:
                self._say(f"{region} has {release} under way, from a run that was ended: rolling it back first")
                done = run(
                    [PLAYBOOK, "playbooks/rollback.yml",
                     "-i", self._inventory(), "--limit", region],
                    OUT / "before.log", lambda line: None, cwd=ROOT,
                )  # fmt: skip
                if done.code:
                    raise Ended(f"{region} could not be rolled back; see build/demo/before.log.")

    def _inventory(self) -> str:
        return "inventories/lab" if self._regions == THREE else "inventories/lab_all"

    def _leave(self, was_down: bool) -> None:
        if was_down and not os.environ.get("DEMO_KEEP"):
            self._say("taking the lab down (DEMO_KEEP=1 leaves it up)")
            self._lab.down()
        else:
            self._say("the lab stays up; make lab-down takes it down")

    def _title(self, text: str) -> None:
        print(f"\n== {text}", flush=True)

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}", flush=True)


def _evidence(release: str) -> Path:
    return ROOT / "build" / "rollout" / release


def _part(name: str, release: str, seconds: float, totals: Totals, code: int) -> Part:
    """What came of one release, from its evidence and from the requests that were made meanwhile."""
    evidence = _evidence(release)
    rows = story.rows(ledger.read(str(evidence / "ledger.jsonl")), PLANNED)
    story.count(rows, counts(OUT / name))
    return Part(release, seconds, _outcomes(evidence), rows, totals, str(evidence.relative_to(ROOT)), code)


def _outcomes(evidence: Path) -> dict[str, Any]:
    """What the outcome files say, in the order in which the regions ended."""
    files = sorted(evidence.glob("outcome-*.json"), key=lambda path: path.stat().st_mtime)
    found = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return {entry["region"]: entry for entry in found}


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock for the length of a demo: two of them take each other's releases for faults. Raises Ended."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Opened for appending: whoever is refused must not empty what the holder wrote.
    with lock.open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            holder = held.read().strip() or "unknown"
            raise Ended(
                f"a demo runs in this checkout already (process {holder}). Wait for its end or press Ctrl-C there"
            ) from None
        held.truncate(0)
        held.write(f"{os.getpid()}\n")
        held.flush()
        yield


def main() -> int:
    """Read the arguments and run it."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--regions", type=int, choices=(2, 4), default=2,
        help="regions beside staging (2; 4 takes all, as does REGIONS=4 with make)",
    )  # fmt: skip
    arguments = parser.parse_args()
    # An end by SIGTERM is as orderly as one by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with alone(ROOT / "build" / "demo.lock"):
            return Demo(THREE if arguments.regions == 2 else ALL).run()
    except (Ended, RolloutError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "demo: interrupted; nothing is lost. `make demo` begins anew and first rolls back what was under way.",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main())
