# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders evaluations through the gateway until a signal comes, then waits until a worker has stored every one of them.

jobs.py URL HOST PER_SECOND: the summary as JSON on stdout. Exit code 0 when none was refused and none was lost.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from types import FrameType

import requests

STORED = 60.0
"""Seconds that the last jobs may take: one that a worker leaves behind is stale after some, and then taken over."""


def main(url: str, host: str, rate: float) -> int:
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    session = requests.Session()
    session.headers["Host"] = host
    ordered, refused, begun, number = [], 0, time.monotonic(), 0
    while not stopping:
        answer = session.post(url, json={"agent_id": "ppo"}, timeout=10)
        if answer.status_code == 202:
            ordered.append(answer.json()["result"]["evaluation_id"])
        else:
            refused += 1
        number += 1
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
    missing, until = ordered, time.monotonic() + STORED
    while missing and time.monotonic() < until:
        missing = [one for one in missing if session.get(f"{url}/{one}", timeout=10).status_code != 200]
        time.sleep(0.5)
    print(json.dumps({"ordered": len(ordered), "refused": refused, "lost": len(missing)}))
    return 1 if refused or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
