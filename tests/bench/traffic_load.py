# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's load generator as a process of its own beside the bench, with the moment at which each request left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NORMAL = ("code 1000", "code 1001")
"""How a WebSocket ends whose pod drains; anything else the client did not expect."""

PLAYED = "api"
"""The service that every pod of the bench plays, whatever its routes are called."""


@dataclass(frozen=True)
class Seen:
    """What a load saw. Requests are lines of the generator's record; moments are those of ``time.monotonic``."""

    requests: Sequence[dict[str, Any]]
    sockets: Sequence[dict[str, Any]]
    start: float
    too_slow: str

    @property
    def failed(self) -> Counter[str]:
        return Counter(line["outcome"] for line in self.requests if not _answered(line))

    @property
    def moved(self) -> int:
        """WebSockets that their pod ended with a close frame."""
        return sum(line["outcome"] == "cut" and _normal(line) for line in self.sockets)

    @property
    def abnormal(self) -> Counter[str]:
        """WebSockets that ended in another way, or did not open."""
        return Counter(
            line.get("detail", line["outcome"])
            for line in self.sockets
            if line["outcome"] != "ok" and not _normal(line)
        )

    def last(self, version: str) -> float:
        """When the last request left that this version answered, on the clock of ``time.monotonic``."""
        return self.start + max((_left(line) for line in self.requests if line["version"] == version), default=0.0)

    def between(self, begin: float, end: float) -> list[dict[str, Any]]:
        """The requests that left between two moments."""
        return [line for line in self.requests if begin <= self.start + _left(line) < end]


class Load:
    """Runs while its ``with`` block does; ``seen`` is there after it."""

    def __init__(
        self, url: str, region: str, routes: Sequence[str], rps: float, folder: Path, websockets: int = 0
    ) -> None:
        self._out = folder / f"load-{time.monotonic_ns()}.jsonl"
        self._told = self._out.with_suffix(".start")
        self._plan = {
            "target": url, "regions": [region], "services": dict.fromkeys(routes, 1.0), "rps": rps, "duration": 3600,
            "new_share": 0.3, "websockets": websockets, "timeout": 10.0,
        }  # fmt: skip
        self.seen = Seen((), (), 0.0, "")

    def __enter__(self) -> Load:
        words = [sys.executable, __file__, json.dumps(self._plan), str(self._out), str(self._told)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        end = time.monotonic() + 300
        while not self._told.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                raise RuntimeError("the load did not begin")
            time.sleep(0.05)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.send_signal(signal.SIGINT)
        out, _err = self._process.communicate(timeout=300)
        lines = [json.loads(line) for line in self._out.read_text().splitlines()]
        self.seen = Seen(
            [line for line in lines if line["kind"] != "ws"],
            [line for line in lines if line["kind"] == "ws"],
            float(self._told.read_text()),
            str(json.loads(out)["too_slow"]),
        )


def _left(line: dict[str, Any]) -> float:
    return float(line["t"]) + float(line.get("lag_ms", 0)) / 1000


def _answered(line: dict[str, Any]) -> bool:
    """In the bench's places one program plays all services, under one name."""
    played = line["outcome"] == "wrong_service" and line.get("detail") == f"answered by {PLAYED}"
    return played or bool(line["outcome"] == "ok")


def _normal(line: dict[str, Any]) -> bool:
    return any(code in line.get("detail", "") for code in NORMAL)


def main(plan: str, out: str, told: str) -> None:
    """Be the load: until a signal comes."""
    from tarslab.load import runner
    from tarslab.load.plan import Plan
    from tarslab.load.summary import Summary

    # Every five seconds the generator says how long it runs: the clock is the machine's, so that tells when it began.
    runner.PROGRESS = 1.0

    def progress(elapsed: float, _summary: Summary, _flying: int) -> None:
        if not Path(told).exists():
            begun = Path(told).with_suffix(".part")
            begun.write_text(str(time.monotonic() - elapsed))
            begun.rename(told)

    given = json.loads(plan)
    summary = runner.run(Plan(**{**given, "regions": tuple(given["regions"])}), Path(out), progress)
    print(json.dumps(summary.to_json()))


if __name__ == "__main__":
    main(*sys.argv[1:])
