# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._http_errors import HttpError
from ansible_collections.tars.rollout.plugins.module_utils._metrics.answer import BadAnswer, Result, decode
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock

TOO_MANY = "too many samples"
# Refusals that say something about the question; the client hands them over as answers, not as faults.
_SPOKEN = frozenset({400, 422})
# No clock tells a moment before 1970 or in the year 5138.
LATEST = 1e11
_PASSING = frozenset({"http_timeout", "http_unreachable", "http_broken", "http_rate_limited", "http_status"})


class Http(Protocol):
    """The part of ``_http.Client`` that is needed here."""

    def call(
        self,
        method: str,
        path: str,
        *,
        form: dict[str, Any] | None = None,
        idempotent: bool | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """One call with its retries."""


class QueryFault(RolloutError):
    """Prometheus could not be asked, refused, or answered something else than Prometheus does."""

    def __init__(self, msg: str, *, hint: str = "", too_many: bool = False, passing: bool = False) -> None:
        super().__init__(msg, reason="query_error", hint=hint)
        self.too_many = too_many
        # Whether the same question may be answered later: no answer, or one that says "not now".
        self.passing = passing


@dataclass
class Cost:
    """What the questions cost so far."""

    requests: int = 0
    samples: int = 0
    bytes: int = 0
    seconds: float = 0.0


class Prometheus:
    """Asks one Prometheus, Thanos or VictoriaMetrics; partial answers are denied where the server knows how to.

    ``timeout`` is the server's own budget for a query, in seconds.
    """

    def __init__(self, http: Http, clock: Clock, timeout: float) -> None:
        self._http = http
        self._clock = clock
        self._timeout = timeout
        self.cost = Cost()
        # Seconds to add to our clock for Prometheus' clock.
        self.offset = 0.0

    def now(self) -> float:
        """The time by Prometheus' clock."""
        return self._clock.now() + self.offset

    @property
    def skew(self) -> float:
        """Seconds that our clock is ahead."""
        return -self.offset

    def measure_offset(self) -> None:
        """Ask the server what time it is; raises QueryFault."""
        before = self._clock.now()
        told = self._ask("query", {"query": "time()"}).value
        if told is None or not 0 < told < LATEST:
            seen = "no number" if told is None else f"{told:g}"
            raise QueryFault(
                f"Asked Prometheus for its time and got {seen}",
                hint="Check the address of Prometheus: another program may stand there",
            )
        self.offset = told - (before + self._clock.now()) / 2

    def instant(self, query: str, at: float) -> Result:
        """An instant query at a time of Prometheus' clock; raises QueryFault."""
        return self._ask("query", {"query": query, "time": f"{at:.3f}"})

    def label_names(self, metric: str, at: float, window: float) -> list[str]:
        """The names of the labels that a metric has; raises QueryFault."""
        form = {"match[]": metric, "start": f"{at - window:.3f}", "end": f"{at:.3f}"}
        body = self._body("labels", form)
        names = body.get("data") if isinstance(body, dict) else None
        return sorted(str(name) for name in names if name != "__name__") if isinstance(names, list) else []

    def _ask(self, path: str, form: dict[str, str]) -> Result:
        body = self._body(
            path,
            {**form, "timeout": f"{self._timeout:g}s", "partial_response": "false", "deny_partial_response": "1"},
        )
        try:
            result = decode(body)
        except BadAnswer as error:
            raise QueryFault(f"Prometheus answered what it should not: {error}") from None
        self.cost.samples += result.samples
        return result

    def _body(self, path: str, form: dict[str, str]) -> Any:
        self.cost.requests += 1
        try:
            answer = self._http.call("POST", f"api/v1/{path}", form=form, idempotent=True, accept=_SPOKEN)
        except HttpError as error:
            raise QueryFault(error.msg, hint=error.hint, passing=error.reason in _PASSING) from None
        self.cost.bytes += len(answer.body)
        self.cost.seconds += answer.elapsed
        self._watch_clock(answer)
        try:
            body = json.loads(answer.text)
        except (ValueError, RecursionError):
            raise QueryFault(
                f"{answer.url} answered {answer.status} with {'an HTML page' if answer.kind == 'html' else 'no JSON'}",
                hint="Check the address of Prometheus: a login page or another program may stand there",
            ) from None
        if answer.status in _SPOKEN:
            said = str(body.get("error", "")) if isinstance(body, dict) else ""
            raise QueryFault(
                f"Prometheus refused a query with {answer.status}: {said or 'it does not say why'}",
                hint="Check the selectors and expressions of the gate file",
                too_many=TOO_MANY in said,
            )
        return body

    def _watch_clock(self, answer: Answer) -> None:
        """Follow a clock that was set meanwhile: the Date header is only good to a second or two."""
        try:
            told = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return
        if abs(told - self.now()) > 5 + answer.elapsed:
            self.offset = told - self._clock.now()


def split(read: Callable[[float, float], list[Result]], start: float, end: float, smallest: float) -> list[Result]:
    """Read (start, end] by ``read``; where that is too much for the server, in halves, down to ``smallest`` seconds."""
    try:
        return read(start, end)
    except QueryFault as fault:
        if not fault.too_many or end - start <= smallest:
            raise
    middle = (start + end) / 2
    return [*split(read, start, middle, smallest), *split(read, middle, end, smallest)]
