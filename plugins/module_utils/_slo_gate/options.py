# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._gate import gatefile, stages, units
from ansible_collections.tars.rollout.plugins.module_utils._gate.checked import mapping
from ansible_collections.tars.rollout.plugins.module_utils._gate.spec import Spec
from ansible_collections.tars.rollout.plugins.module_utils._http import Options, basic, bearer
from ansible_collections.tars.rollout.plugins.module_utils._metrics.prometheus import LATEST
from ansible_collections.tars.rollout.plugins.module_utils._values import seconds_of


@dataclass(frozen=True)
class Plan:
    """What one call judges, with every option read and checked. Seconds; ``weight`` 0..100 or None."""

    specs: tuple[Spec, ...]
    weight: float | None
    history: float
    fail_on: tuple[str, ...]
    replay: tuple[float, float] | None
    since: float | None
    stages: int


def read(params: Mapping[str, Any]) -> Plan:
    """The plan of a call; raises RolloutError for anything that cannot be meant."""
    services = params["services"]
    if not services:
        raise _refuse("services", "no service is named", "A gate without one would pass everything")
    stage = dict(params.get("stage") or {})
    unknown = sorted(set(map(str, stage)) - stages.KEYS)
    if unknown:
        raise _refuse("stage", f"the key {unknown[0]!r} is not known", f"Known: {', '.join(sorted(stages.KEYS))}")
    stage |= {key: params[key] for key in (*stages.TIMES, "strata") if params.get(key) is not None}
    replay = _replay(params.get("replay"))
    if replay:
        # What is judged is the window: its length is the bake.
        stage |= dict.fromkeys(("bake", "max_bake"), f"{replay[1] - replay[0]!r}s")
        if params.get("since"):
            raise _refuse("since", "replay is given too", "The start of a replay is the moment that since tells")
    specs = tuple(gatefile.parse(service, stage) for service in services)
    names = [spec.service for spec in specs]
    if any(not name for name in names):
        raise _refuse("services", "an entry has no service", "Each gate file names its service")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _refuse("services", f"the service {twice} is there twice", "Put all its objectives into one gate file")
    return Plan(
        specs,
        _weight(stage.get("weight")),
        _duration("baseline_history", params["baseline_history"]),
        tuple(params["fail_on"]),
        replay,
        _moment("since", params["since"]) if params.get("since") else None,
        _stages(params.get("plan_stages"), services),
    )


def _stages(given: int | None, services: Sequence[Mapping[str, Any]]) -> int:
    """How many stages the whole plan has: as given, else as many as the gate files list."""
    if given is not None and given < 1:
        raise _refuse("plan_stages", f"{given} is no number of stages", "Leave it out, or give 1 or more")
    return given or max([len(service.get("stages") or ()) for service in services] + [1])


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    """Header names and values as texts, as a header needs them."""
    return {str(key): str(value) for key, value in (values or {}).items()}


def http(params: Mapping[str, Any], scrape_s: float) -> tuple[Options, float]:
    """How to reach Prometheus, and the seconds that a query may take there."""
    given = dict(params.get("prometheus") or {})
    named = [mapping(f"service {s.get('service')}: prometheus", s.get("prometheus")) for s in params["services"]]
    if any(str(entry.get("partial_response", False)).lower() not in ("false", "no", "0") for entry in named):
        raise _refuse("prometheus.partial_response", "true is given", "Half an answer proves nothing; leave it out")
    urls = {str(entry["url"]) for entry in (given, *named) if entry.get("url")}
    if len(urls) != 1:
        seen = f"{len(urls)} different addresses are named" if urls else "no address is named"
        raise _refuse(
            "prometheus.url", seen, "One call asks one Prometheus, such as https://prometheus.example.net:9090"
        )
    url = urls.pop()
    if not _is_server(url):
        raise _refuse("prometheus.url", f"{url!r} is no URL of a server", "Such as https://prometheus.example.net:9090")
    own = given.get("timeout") or next((entry["timeout"] for entry in named if entry.get("timeout")), "10s")
    timeout = _duration("prometheus.timeout", own)
    if timeout <= 0:
        raise _refuse("prometheus.timeout", f"{own!r} leaves no time to answer", "Such as 10s")
    secret = _texts(given.get("secret_headers"))
    if given.get("token"):
        secret |= bearer(given["token"])
    elif given.get("username"):
        secret |= basic(given["username"], given.get("password") or "")
    return Options(
        url,
        _texts(given.get("headers")),
        secret,
        ca=given.get("ca"),
        client_cert=given.get("client_cert"),
        client_key=given.get("client_key"),
        proxy=given.get("proxy"),
        validate_certs=given.get("validate_certs", True),
        connect=min(5.0, timeout),
        # The server ends a query itself; a little later nothing will come any more.
        read=timeout + 2,
        # A poll that is not through when the next one is due is not worth waiting for.
        budget=max(timeout + 2, scrape_s),
        max_body=64 * 1024 * 1024,
    ), timeout


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Asking for a port that is none raises as well.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _weight(value: Any) -> float | None:
    try:
        return None if value is None else units.weight(value)
    except units.UnitError as error:
        raise _refuse("stage.weight", str(error)) from None


def _duration(where: str, value: Any) -> float:
    try:
        seconds = units.seconds("0s" if str(value).strip() == "0" else value)
    except units.UnitError as error:
        raise _refuse(where, str(error)) from None
    if seconds < 0:
        raise _refuse(where, f"{value!r} is negative")
    return seconds


def _replay(raw: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if raw is None:
        return None
    start, end = (_moment(f"replay.{key}", raw.get(key)) for key in ("start", "end"))
    if end <= start:
        raise _refuse("replay", "its end is not after its start", "Give the window of a past bake")
    return start, end


def _moment(where: str, value: Any) -> float:
    try:
        at = float(value)
    except (TypeError, ValueError, OverflowError):
        at = _timestamp(str(value))
    if not 0 <= at < LATEST:
        raise _refuse(
            where, f"{value!r} is no moment", "Write it such as 2026-01-31T12:00:00Z, or in seconds since 1970"
        )
    return at


def _timestamp(text: str) -> float:
    """Seconds since 1970; NaN for what is no moment, or one of an unknown time zone."""
    try:
        return seconds_of(text)
    except (ValueError, OverflowError):
        return math.nan


def _refuse(where: str, seen: str, hint: str = "") -> RolloutError:
    return RolloutError(f"{where} cannot be used: {seen}", reason="bad_options", hint=hint, details={"option": where})
