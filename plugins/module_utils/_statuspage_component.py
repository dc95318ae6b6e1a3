# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of statuspage_component: read, compare, set. Ansible's options in, its result out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._status import parts
from ansible_collections.tars.rollout.plugins.module_utils._status.page import StatusPage
from ansible_collections.tars.rollout.plugins.module_utils._status.words import COMPONENT_STATUSES, StatusError, refuse
from ansible_collections.tars.rollout.plugins.module_utils._statuspage import connect
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline


def run(call: Call, page: StatusPage | None = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the port is made from the options when none is given."""
    whole = Deadline(call.clock, 0)
    status = _status(call.params)
    page = page or connect(call)
    targets, skipped = _targets(call.params, page)
    changing = [item for item in targets if item.get("status") != status]
    if not call.check_mode:
        _set(call, page, changing, status)
    return {
        "changed": bool(changing),
        "components": [
            {"id": item["id"], "name": item.get("name"), "before": item.get("status"), "status": status}
            for item in targets
        ],
        # Not "skipped": a result with that key is a task that Ansible shows as skipped.
        "left_alone": skipped,
        "diff": {
            "before": {item["id"]: item.get("status") for item in changing},
            "after": {item["id"]: status for item in changing},
        },
        "calls": page.calls,
        "elapsed": round(whole.elapsed, 3),
    }


def _status(params: Mapping[str, Any]) -> str:
    """The status to set; refused where the options do not say one thing."""
    given = [name for name in ("component", "component_id") if params.get(name)]
    every = params.get("all")
    # Ansible hands on true as it is, or as a text when it comes out of a template.
    flag = every is True or (isinstance(every, str) and every.lower() in ("true", "yes"))
    unset = every is None or every is False or (isinstance(every, str) and every.lower() in ("false", "no", ""))
    given += [] if unset else ["all"]
    if len(given) != 1:
        raise refuse(
            f"{' and '.join(given) or 'Nothing'} was given to say which component is meant",
            "Give exactly one of component (a name), component_id and all",
        )
    if params.get("skip_if_in_open_incident") and unset:
        raise refuse("skip_if_in_open_incident was given without all", "It goes with all only")
    status = params.get("status") if unset or flag else every
    if status not in COMPONENT_STATUSES or (not unset and not flag and params.get("status") not in (None, status)):
        raise refuse(
            f"The status to set is {status!r}" + ("" if unset or flag else f", and status is {params.get('status')!r}"),
            f"Give one of {', '.join(COMPONENT_STATUSES)}",
        )
    return str(status)


def _targets(params: Mapping[str, Any], page: StatusPage) -> tuple[Sequence[parts.Component], list[str]]:
    components = page.components()
    if params.get("component"):
        return [parts.named(params["component"], components)], []
    if params.get("component_id"):
        return [parts.with_id(params["component_id"], components)], []
    targets = parts.settable(components)
    if not params.get("skip_if_in_open_incident"):
        return targets, []
    busy = parts.touched(incident for part in page.incidents() for incident in part)
    return [item for item in targets if item["id"] not in busy], [item["id"] for item in targets if item["id"] in busy]


def _set(call: Call, page: StatusPage, changing: Sequence[parts.Component], status: str) -> None:
    done: list[str] = []
    for item in changing:
        call.stop.check(f"about to set components to {status}")
        try:
            page.set_component(item["id"], status)
        except RolloutError as fault:
            if not done:
                raise
            raise StatusError(
                f"{fault.msg.rstrip('.')}; {len(done)} of {len(changing)} components were set: {', '.join(done)}",
                reason=fault.reason,
                hint=fault.hint,
                details={**fault.details, "done": done},
            ) from None
        done.append(item["id"])
