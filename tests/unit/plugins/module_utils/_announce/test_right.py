# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may speak in public: whoever holds the lease of the run at that moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._announce.right import right
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._progress import Progress
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease, write
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline, Stop, SystemClock

OURS = {"kubeconfig": "/nowhere", "context": None, "namespace": "tars-eu", "app": "tars", "holder": "me/1"}


class Cluster:
    """Answers reads of the one lease of the run."""

    skew = 0.0

    def __init__(self, held: Lease | None, fault: RolloutError | None = None) -> None:
        self.held = held
        self.fault = fault
        self.asked: list[str] = []

    def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any]:
        self.asked.append(f"{namespace}/{name}")
        if self.fault:
            raise self.fault
        if self.held is None:
            raise RolloutError("not there", reason="kube_not_found")
        parts = write(self.held)
        return {"metadata": {"resourceVersion": "1", "annotations": parts["annotations"]}, "spec": parts["spec"]}


def asked(cluster: Cluster, **params: Any) -> Callable[[], str]:
    clock = SystemClock(Stop())
    given = {"may_speak": True, "lease": OURS, **params}
    call = Call(given, False, lambda text: None, clock, Stop(), Progress("", str), Scrubber())
    return right(call, Deadline(clock, 10), lambda made: cluster)


@pytest.mark.parametrize(
    ("holder", "age", "seen"),
    [
        ("me/1", 0, ""),
        ("you/2", 0, "held by you/2"),
        ("me/1", 300, "not renewed"),
        (None, 0, "held by nobody"),
    ],
)
def test_the_lease_of_the_run_decides(holder: str | None, age: int, seen: str) -> None:
    # Renewed when the test runs, not when it is collected: a long run of tests is longer than a lease.
    cluster = Cluster(Lease(holder, renewed=time.time() - age) if holder else None)
    why = asked(cluster)()
    assert (seen in why) if seen else why == ""
    assert cluster.asked == ["tars-eu/ga-rollout-tars-run"]


def test_who_cannot_read_it_does_not_know() -> None:
    with pytest.raises(RolloutError, match="no rights"):
        asked(Cluster(None, RolloutError("no rights", reason="kube_forbidden")))()


def test_without_a_lease_the_option_decides() -> None:
    cluster = Cluster(None)
    assert asked(cluster, lease=None)() == ""
    assert "does not hold" in asked(cluster, may_speak=False)()
    assert cluster.asked == []
