# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The port to the status page: calls with the service's limits, answers checked for their form."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer, explain, retry_after
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._http import Client, Options
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError, refused
from ansible_collections.tars.rollout.plugins.module_utils._status.words import StatusError
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

PAGE_SIZE = 100
LIMITED = frozenset({420, 429})
BROKEN = frozenset(range(500, 600))
MAX_TRIES = 5
# The service allows one call per second: to come back sooner is to be turned away again.
LEAST_PAUSE = 1.0
# Without a Retry-After: seconds, doubled from the first to the last, with jitter.
FIRST_PAUSE, LAST_PAUSE = 2.0, 30.0
# No whole answer came.
LOST = frozenset({"http_timeout", "http_broken"})
AGAIN = "Run the same task again: it looks first and does only what is missing"
# After these nobody knows whether the service did what was asked.
UNCERTAIN = LOST | {"http_not_json"}


@dataclass(frozen=True)
class Limits:
    """Seconds for all that a module call asks of the service, and the longest wait before a repetition."""

    timeout: float
    rate_wait: float
    pages: int


class StatusPage:
    """One page of the service, for one call of a module."""

    def __init__(
        self,
        options: Options,
        page_id: str,
        limits: Limits,
        clock: Clock,
        scrubber: Scrubber,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._root = f"/pages/{quote(page_id, safe='')}"
        self._limits = limits
        self._clock = clock
        self._scrub = scrubber
        self._jitter = jitter
        self._deadline = Deadline(clock, limits.timeout)
        self.calls = 0

    def incidents(self) -> Iterator[list[dict[str, Any]]]:
        """All incidents, newest first, a page of them at a time; an error when lookup_max_pages do not suffice."""
        for page in range(1, self._limits.pages + 1):
            part = self._list("/incidents", {"limit": PAGE_SIZE, "page": page})
            yield part
            if len(part) < PAGE_SIZE:
                return
        raise StatusError(
            f"Read {self._limits.pages} pages of {PAGE_SIZE} incidents, lookup_max_pages, and there are more",
            reason="search_incomplete",
            hint="Raise lookup_max_pages, or give incident_id: what was not found may be there, so nothing is made",
        )

    def components(self) -> list[dict[str, Any]]:
        """All components, groups among them."""
        found: list[dict[str, Any]] = []
        for page in range(1, 1000):
            part = self._list("/components", {"page": page, "per_page": PAGE_SIZE})
            found += part
            if len(part) < PAGE_SIZE:
                break
        return found

    def incident(self, incident_id: str) -> dict[str, Any]:
        """One incident; HttpError with status 404 where there is none."""
        return self._object("GET", self._incident(incident_id))

    def create(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A new incident. Sent once: see ``uncertain``."""
        return self._object("POST", "/incidents", {"incident": fields}, repeatable=False)

    def update(self, incident_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Change an incident. With a text it is sent once, since each one is published: see ``uncertain``."""
        repeatable = not {"body", "status"} & set(fields)
        return self._object("PATCH", self._incident(incident_id), {"incident": fields}, repeatable=repeatable)

    def delete(self, incident_id: str) -> None:
        """Take an incident away; one that is gone is fine."""
        self._answer("DELETE", self._incident(incident_id), accept=frozenset({404}))

    def edit(self, incident_id: str, update_id: str, fields: Mapping[str, Any]) -> None:
        """Correct a published update. Sent once, since it may notify people: see ``uncertain``."""
        path = f"{self._incident(incident_id)}/incident_updates/{quote(update_id, safe='')}"
        self._answer("PATCH", path, {"incident_update": fields}, repeatable=False)

    def postmortem(self, incident_id: str) -> dict[str, Any]:
        """The postmortem, empty where there is none."""
        answer = self._answer("GET", f"{self._incident(incident_id)}/postmortem", accept=frozenset({404}))
        found = {} if answer.status in (204, 404) else self._decoded("GET", answer)
        return found if isinstance(found, dict) else {}

    def draft(self, incident_id: str, text: str) -> None:
        """Write the draft of the postmortem."""
        self._answer("PUT", f"{self._incident(incident_id)}/postmortem", {"postmortem": {"body_draft": text}})

    def publish(self, incident_id: str, fields: Mapping[str, Any]) -> None:
        """Publish the draft. Sent once, since it may notify people: see ``uncertain``."""
        path = f"{self._incident(incident_id)}/postmortem/publish"
        self._answer("PUT", path, {"postmortem": fields}, repeatable=False)

    def set_component(self, component_id: str, status: str) -> None:
        """Set the status of one component."""
        path = f"/components/{quote(component_id, safe='')}"
        self._answer("PATCH", path, {"component": {"status": status}})

    def wait_after(self, fault: HttpError) -> None:
        """Wait before looking what became of a write; the fault is raised where that is longer than may be waited."""
        asked: float | None = fault.details.get("retry_after")
        pause = self._pause(asked, 1)
        if pause > self._longest():
            fault.hint = f"{self._too_long(pause)}. {AGAIN}"
            raise fault
        self._clock.sleep(pause, "waiting to see whether the status page did what it was asked")

    @staticmethod
    def _incident(incident_id: str) -> str:
        return f"/incidents/{quote(incident_id, safe='')}"

    def _list(self, path: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        answer = self._answer("GET", path, params=params)
        found = self._decoded("GET", answer)
        if not isinstance(found, list) or not all(map(_has_id, found)):
            raise self._odd("GET", answer, "a list of objects with ids was expected")
        return found

    def _object(self, method: str, path: str, body: Any = None, repeatable: bool = True) -> dict[str, Any]:
        answer = self._answer(method, path, body, repeatable=repeatable)
        found = self._decoded(method, answer)
        if not isinstance(found, dict) or not _has_id(found):
            raise self._odd(method, answer, "an object with an id was expected")
        return found

    def _decoded(self, method: str, answer: Answer) -> Any:
        try:
            return json.loads(answer.text.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            raise self._odd(method, answer, "JSON was expected") from None

    def _odd(self, method: str, answer: Answer, expected: str) -> HttpError:
        seen = explain(answer) or "an empty body"
        return HttpError(
            self._scrub.text(f"{method} {answer.url} was answered HTTP {answer.status} with {seen} where {expected}"),
            reason="http_not_json",
            hint="Check api_url: a login page or a proxy may stand before the service",
            url=answer.url,
            answer=answer,
        )

    def _answer(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """One call, repeated where the service only asked to come back later, as then it surely did nothing.

        A ``repeatable`` one is repeated after a fault of the service or the network as well.
        """
        for attempt in range(1, MAX_TRIES + 1):
            self.calls += 1
            asked = None
            try:
                answer = self._once(method, path, body, params, accept)
            except HttpError as lost:
                fault, again = lost, repeatable and lost.reason in LOST
            else:
                if answer.status not in LIMITED | BROKEN:
                    return answer
                fault, again = refused(self._scrub, method, answer), repeatable or answer.status in LIMITED
                asked = retry_after(answer.headers.get("retry-after"), self._clock.now())
            pause = self._pause(asked, attempt)
            fault.details |= {"retry_after": asked, "tries": attempt}
            if not again:
                raise fault
            if attempt == MAX_TRIES or pause > self._longest():
                fault.hint = f"{self._too_long(pause)}. Raise them, or run it again later"
                raise fault
            self._clock.sleep(pause, f"waiting to ask {self._scrub.text(self._options.base_url)} again")
        raise AssertionError("the last try returns or raises")

    def _pause(self, asked: float | None, attempt: int) -> float:
        """Seconds before the next call: what the service asks for, else doubled from try to try."""
        if asked is not None:
            return max(LEAST_PAUSE, asked)
        drawn: float = min(LAST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1) * (1 + self._jitter() / 2))
        return min(drawn, max(LEAST_PAUSE, self._limits.rate_wait))

    def _longest(self) -> float:
        return min(self._limits.rate_wait, self._deadline.remaining)

    def _too_long(self, pause: float) -> str:
        return (
            f"The next try would be after {pause:g} s; at most {self._limits.rate_wait:g} s (rate_limit_max_wait) and "
            f"what is left of timeout are waited, {MAX_TRIES} times"
        )

    def _once(
        self, method: str, path: str, body: Any, params: Mapping[str, Any] | None, accept: frozenset[int]
    ) -> Answer:
        if self._deadline.over:
            raise StatusError(
                f"{method} {self._root}{path} was not sent: the {self._limits.timeout:g} s of timeout are over",
                reason="timeout",
                hint="Raise timeout, or run it again later",
            )
        # The budget of a client is one call's; what is left of ours changes from call to call.
        options = replace(self._options, budget=self._deadline.remaining)
        with Client(options, self._clock, self._scrub, self._jitter) as client:
            return client.call(
                method, self._root + path, params=params, json=body, idempotent=False, accept=LIMITED | BROKEN | accept
            )


def uncertain(fault: HttpError) -> bool:
    """Whether the service may have done what it was asked in spite of the fault."""
    return fault.status >= 500 or fault.reason in UNCERTAIN


def _has_id(item: Any) -> bool:
    """Whether it is an object with an id, and what it holds of components and updates are such as well."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
        return False
    return all(_has_id(part) for name in ("components", "incident_updates") for part in item.get(name) or ())
