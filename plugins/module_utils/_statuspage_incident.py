# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of statuspage_incident: find, plan, write, tell. Ansible's options in, its result out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._status import find, parts, plan, postmortem
from ansible_collections.tars.rollout.plugins.module_utils._status.page import AGAIN, StatusPage, uncertain
from ansible_collections.tars.rollout.plugins.module_utils._status.wanted import Wanted, wanted
from ansible_collections.tars.rollout.plugins.module_utils._status.words import (
    NOT_YET,
    Incident,
    StatusError,
    refuse,
)
from ansible_collections.tars.rollout.plugins.module_utils._statuspage import connect
from ansible_collections.tars.rollout.plugins.module_utils._wait import Deadline

Found = TypeVar("Found")
_SHOWN = ("id", "name", "status", "impact", "impact_override", "shortlink", "scheduled_for", "scheduled_until",
          "created_at", "updated_at", "resolved_at")  # fmt: skip


def run(call: Call, page: StatusPage | None = None) -> Mapping[str, Any]:
    """What ``run`` of the module does; the port is made from the options when none is given."""
    asked = wanted(call.params)
    return _Work(call, asked, page or connect(call)).run()


class _Work:
    """One call. ``_incident`` is the incident as it is known at the moment, ``_done`` what was changed, in order."""

    def __init__(self, call: Call, asked: Wanted, page: StatusPage) -> None:
        self._call = call
        self._asked = asked
        self._page = page
        self._whole = Deadline(call.clock, 0)
        self._incident: Incident | None = None
        self._done: list[str] = []
        self._diff: dict[str, dict[str, Any]] = {"before": {}, "after": {}}

    def run(self) -> dict[str, Any]:
        self._check_components()
        self._incident = self._find()
        if self._asked.edit_update and not self._asked.absent:
            # Before anything is published: what cannot be corrected is refused.
            postmortem.correction(self._asked.edit_update, self._incident)
        if self._asked.absent:
            self._delete()
        else:
            self._write()
            self._correct()
            self._explain()
        return self._result()

    def _check_components(self) -> None:
        if self._asked.validate and self._asked.components:
            known = self._page.components()
            parts.check_known(self._asked.components, known)
            parts.check_settable(self._asked.fields.get("components", ()), known)

    def _find(self) -> Incident | None:
        found = self._search()
        if found is not None:
            find.check(found, self._asked)
        return found

    def _search(self) -> Incident | None:
        if self._asked.incident_id:
            return self._read(self._asked.incident_id)
        seen: list[Incident] = []
        for part in self._page.incidents():
            seen += part
            found = find.by_key(seen, self._asked.key)
            if found is not None:
                return found
        return find.by_name(seen, self._asked) if self._asked.adopt else None

    def _read(self, incident_id: str) -> Incident | None:
        try:
            return self._page.incident(incident_id)
        except HttpError as fault:
            if fault.status != 404:
                raise
        if self._asked.absent:
            return None
        raise refuse(
            f"There is no incident {incident_id} on the page {self._call.params['page_id']}",
            "Check incident_id and page_id; give key without incident_id to make a new one",
            reason="incident_absent",
        )

    def _delete(self) -> None:
        if self._incident is None:
            return
        self._diff = {"before": self._shown(), "after": {}}
        if self._may_write("deleted"):
            self._page.delete(self._incident["id"])

    def _write(self) -> None:
        if self._incident is None:
            self._create(plan.creation(self._asked))
        else:
            self._update(self._incident, plan.changes(self._asked, self._incident))

    def _create(self, fields: Mapping[str, Any]) -> None:
        self._note(plan.difference(None, fields))
        self._warn_of_early_statuses(fields)
        if not self._may_write("created"):
            return

        def create() -> None:
            self._incident = self._page.create(fields)

        fault = self._lost(create)
        if fault is not None:
            # It may be there although no answer came, and a second one would be public.
            self._incident = self._look_after(fault, self._find)
            if self._incident is None:
                self._again(create)

    def _update(self, incident: Incident, fields: Mapping[str, Any]) -> None:
        if not fields:
            return
        self._note(plan.difference(incident, fields))
        self._warn_of_early_statuses(fields)
        if not self._may_write("updated"):
            return

        def update(fields: Mapping[str, Any]) -> None:
            self._incident = self._page.update(incident["id"], fields)

        fault = self._lost(lambda: update(fields))
        if fault is not None:
            # Its id is known, so it is read and not searched for.
            now = self._look_after(fault, lambda: self._page.incident(incident["id"]))
            self._incident = now
            if left := plan.changes(self._asked, now):
                self._again(lambda: update(left))

    @staticmethod
    def _lost(write: Callable[[], None]) -> HttpError | None:
        """Do what must not be done twice; the fault when it may be done although no good answer came."""
        try:
            write()
        except HttpError as fault:
            if uncertain(fault):
                return fault
            raise
        return None

    def _look_after(self, fault: HttpError, look: Callable[[], Found]) -> Found:
        """Look whether a write that brought no answer was done all the same."""
        self._page.wait_after(fault)
        try:
            return look()
        except RolloutError as later:
            raise StatusError(
                f"{fault.msg.rstrip('.')}; whether it was done all the same could not be seen: {later.msg}",
                reason="outcome_unknown",
                hint=AGAIN,
                details=fault.details,
            ) from None

    @staticmethod
    def _again(write: Callable[[], None]) -> None:
        try:
            write()
        except HttpError as fault:
            if uncertain(fault):
                fault.hint = f"{fault.hint}. {AGAIN}"
            raise

    def _correct(self) -> None:
        edit, incident = self._asked.edit_update, self._incident
        if edit is None or incident is None:
            return
        text = postmortem.correction(edit, incident)
        if text is None:
            return
        before = next(item for item in incident["incident_updates"] if item["id"] == edit["update_id"])
        name = f"update {edit['update_id']}"
        self._note({"before": {name: before.get("body")}, "after": {name: text}})
        if not self._may_write("corrected"):
            return

        def correct() -> None:
            fields = {"body": text, "deliver_notifications": self._asked.deliver}
            self._page.edit(incident["id"], edit["update_id"], fields)

        fault = self._lost(correct)
        if fault is not None:
            now = self._look_after(fault, lambda: self._page.incident(incident["id"]))
            if postmortem.correction(edit, now) is not None:
                self._again(correct)

    def _explain(self) -> None:
        asked = self._asked.postmortem
        if asked is None:
            return
        # An incident that check mode did not make has none yet.
        held = {} if self._incident is None else self._page.postmortem(self._incident["id"])
        steps = postmortem.postmortem(asked, held)
        if not steps.changed:
            return
        before = {"postmortem": held.get("body_draft"), "published": bool(held.get("published_at"))}
        after = {"postmortem": asked["body"], "published": bool(held.get("published_at")) or steps.publish is not None}
        self._note({"before": before, "after": after})
        if self._may_write("postmortem") and self._incident is not None:
            self._publish(self._incident["id"], asked, steps)

    def _publish(self, incident_id: str, asked: Mapping[str, Any], steps: postmortem.PostmortemPlan) -> None:
        if steps.draft is not None:
            self._page.draft(incident_id, steps.draft)
        fields = steps.publish
        if fields is None:
            return
        fault = self._lost(lambda: self._page.publish(incident_id, fields))
        if fault is not None:
            held = self._look_after(fault, lambda: self._page.postmortem(incident_id))
            if postmortem.postmortem(asked, held).publish is not None:
                self._again(lambda: self._page.publish(incident_id, fields))

    def _warn_of_early_statuses(self, fields: Mapping[str, Any]) -> None:
        early = [key for key, status in fields.get("components", {}).items() if status != "operational"]
        if early and self._asked.status == "scheduled":
            self._call.warn(
                f"components sets a status for {', '.join(early)} with status scheduled: the service may show it now "
                "and not when the window begins. component_ids names them without a status"
            )

    def _may_write(self, what: str) -> bool:
        """Note the act; False in check mode."""
        if not self._call.check_mode:
            self._call.stop.check(f"about to write to the status page ({what})")
        self._done.append(what)
        return not self._call.check_mode

    def _note(self, diff: Mapping[str, Mapping[str, Any]]) -> None:
        for side in ("before", "after"):
            self._diff[side].update(diff[side])

    def _shown(self) -> dict[str, Any]:
        return {} if self._incident is None else {name: self._incident.get(name) for name in _SHOWN}

    def _result(self) -> dict[str, Any]:
        incident = self._incident
        header = f"incident {self._asked.key or self._asked.incident_id}"
        gone = self._asked.absent
        return {
            "changed": bool(self._done),
            "done": self._done,
            "incident_id": None if gone and incident is None else (incident["id"] if incident else NOT_YET),
            "shortlink": None if gone else (incident.get("shortlink") if incident else NOT_YET),
            "status": None if gone else self._status(),
            "incident": {} if gone else self._shown(),
            "diff": {**self._diff, "before_header": header, "after_header": header},
            "calls": self._page.calls,
            "elapsed": round(self._whole.elapsed, 3),
        }

    def _status(self) -> str:
        """The status now; in check mode the one that it would have."""
        planned = self._diff["after"].get("status")
        if self._call.check_mode and planned:
            return str(planned)
        return NOT_YET if self._incident is None else str(self._incident.get("status"))
