# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""What the modules that send one message do around it: options, what was sent before, the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.sent import Sent
from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import Outcome, Wire, refuse
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline


def message_options() -> dict[str, Any]:
    """The options of the doc fragment announce."""
    return {
        "sent_file": {"type": "path"},
        "timeout": {"type": "float", "default": 30.0},
        "ca": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
    }


def send_one(
    call: Call, receiver: str, key: str, act: Callable[[Wire, Mapping[str, Any]], Outcome]
) -> Mapping[str, Any]:
    """Send one message through ``act``, which gets what is known of it from before; the result of the module."""
    params = call.params
    if not 0.1 <= params["timeout"] <= 3600:
        raise refuse(f"timeout is {params['timeout']:g} s", "Give seconds from 0.1 to 3600", reason="timeout_invalid")
    deadline = Deadline(call.clock, params["timeout"])
    wire = Wire(call.clock, call.scrubber, deadline, call.check_mode, params["ca"], params["validate_certs"])
    sent = Sent(params["sent_file"] or "")
    held = sent.of(receiver, key)
    outcome = act(wire, held.get("ids", {}))
    if outcome.changed and not call.check_mode:
        sent.keep(receiver, key, {**held, "ids": dict(outcome.ids)})
    header = f"{receiver} {key}"
    diff = {
        "before": dict(outcome.before),
        "after": dict(outcome.after),
        "before_header": header,
        "after_header": header,
    }
    return {"changed": outcome.changed, "act": outcome.act, **dict(outcome.ids), "diff": diff,
            "elapsed": round(deadline.elapsed, 3)}  # fmt: skip
