# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the processors are shared when all want them: the cluster, the load from outside, and whoever rolls out.

Without control groups of a service manager every process outside of the cluster competes with the whole cluster as one
with its equal. Five processes of Ansible then take five of six parts, and pods that serve wait ten seconds for theirs,
which no user's cluster would, since there the controller runs on another machine.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

TIMES = 8
"""The cluster weighs as much as so many processes."""
TURN = 1
"""Real-time priority of what stands outside of the cluster elsewhere, the lowest: it needs little and waits for nobody.

The forwarder is a wire, load that is late must be the cluster's doing, and whoever rolls out has a machine of its own.
By a weight alone (nice -5) the forwarder waited 20 to 250 ms of each tenth of a second for its turn behind the cluster,
and helm 14 s for a second's work beside pods that start.
"""
NICE = -5
"""Where that may not be: three times a process."""
FILES = {"cpu/docker/cpu.shares": 1024, "docker/cpu.weight": 100}
"""Where an engine that makes its groups itself has all of its containers, in version 1 and 2 of control groups.

With what a process counts there that is in no group.
"""


def favour_cluster(groups: Path = Path("/sys/fs/cgroup")) -> bool:
    """Give the engine's group its weight; return whether there is such a group and it took it.

    Elsewhere (a service manager's groups, no right to change them) the lab works as well, only less evenly under load.
    """
    for name, usual in FILES.items():
        with contextlib.suppress(OSError):
            if (groups / name).exists():
                (groups / name).write_text(str(TIMES * usual), encoding="ascii")
                return True
    return False


def favour() -> None:
    """Give this process, and what it starts from here on, its turn before others, where it may."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(TURN))
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
