# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The option by which a module learns under which lease and fence it acts, and the guard made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._record.guard import Guard, LeaseHeld, RecordFence
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import TTL
from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore
from ansible_collections.tars.rollout.plugins.module_utils._record.store import Store
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import passing
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock

TRIES = 4
PAUSE = 1.0
Found = TypeVar("Found")


def lease_option() -> dict[str, dict[str, Any]]:
    """For the argument_spec of a module; the texts are in the doc fragment C(guard)."""
    options = {
        "namespace": {"type": "str", "required": True},
        "app": {"type": "str", "required": True},
        "holder": {"type": "str", "required": True},
        "fence": {"type": "int", "required": True},
    }
    return {"lease": {"type": "dict", "options": options}}


def lease_name(app: str) -> str:
    """Of the lease of a region."""
    return f"ga-rollout-{app}"


def guard_of(call: Call, client: Any = None) -> Guard | None:
    """The guard of a call: asks the lease, then the record's fence. None where no lease is given."""
    wish = call.params.get("lease")
    if wish is None:
        return None
    return guard(client or _cluster.connect(call), wish, call.clock)


def guard(client: Any, wish: Mapping[str, Any], clock: Clock) -> Guard:
    """For a lease given as in the option."""
    lease = LeaseStore(client, wish["namespace"], lease_name(wish["app"]), clock.now)
    record = Store(client, wish["namespace"], wish["app"])
    return Guard([
        LeaseHeld(lease.where, lambda: steadily(lease.read, clock), wish["holder"]),
        RecordFence(lambda: steadily(record.read, clock).record, int(wish["fence"])),
    ])  # fmt: skip


def steadily(look: Callable[[], Found], clock: Clock) -> Found:
    """What a read brings; a server that is busy or out of reach for a moment is asked again, TRIES times in all."""
    for tries in range(1, TRIES):
        try:
            return look()
        except RolloutError as error:
            if not passing(error):
                raise
        clock.sleep(PAUSE * tries, "waiting to read a lease or record again")
    return look()


def patient(guard: Guard, clock: Clock, patience: float = TTL) -> Callable[[str], None]:
    """``guard.check`` for who only looks on: an API server that is away is borne for as long as a lease lasts.

    Who acts asks the guard itself: who does not know does not act.
    """
    heard = clock.monotonic()

    def check(doing: str) -> None:
        nonlocal heard
        began = clock.monotonic()
        try:
            guard.check(doing)
        except RolloutError as error:
            if not passing(error) or began - heard > patience:
                raise
            return
        heard = clock.monotonic()

    return check
