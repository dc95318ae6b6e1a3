# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Whether this run may speak in public: asked of the lease of the run, at the moment of the message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils import _cluster
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline


def right(call: Call, deadline: Deadline, connect: Callable[[Call], Any] = _cluster.connect) -> Callable[[], str]:
    """Gives why it may not, empty when it may. A RolloutError of the returned function means that nobody knows."""
    params = call.params
    if not params["may_speak"]:
        return lambda: "this run may not speak in public: it does not hold the run's lease"
    lease = params.get("lease")
    if not lease:
        return lambda: ""

    def ask() -> str:
        # A third of a second of the processor, which a call without public messages does not spend.
        from ansible_collections.tars.rollout.plugins.module_utils import _guard
        from ansible_collections.tars.rollout.plugins.module_utils._record.guard import LeaseHeld
        from ansible_collections.tars.rollout.plugins.module_utils._record.lease_store import LeaseStore

        place = {name: lease[name] for name in ("kubeconfig", "context")}
        place["api_timeout"] = min(10.0, max(0.5, deadline.remaining))
        client = connect(replace(call, params=place))
        name = f"{_guard.lease_name(lease['app'])}-run"
        store = LeaseStore(client, lease["namespace"], name, call.clock.now)
        answer = LeaseHeld(store.where, lambda: _guard.steadily(store.read, call.clock), lease["holder"]).ask()
        return "" if answer.may else f"this run may not speak in public any more: {answer.why}"

    return ask
