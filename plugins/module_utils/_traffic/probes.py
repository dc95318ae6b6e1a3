# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The proof of a cut where no gateway can be asked: what users would get, request by request.

It is weaker than a look at the gateways: some dozens of requests say nothing of a gateway that none of them met. So it
is used only where nobody could look, and only for weight 0, where a single answer that is not stable's is enough to
know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._exchange import Answer, silent
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Target, TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS, Provider
from ansible_collections.tars.rollout.plugins.module_utils._traffic.ways import AtGateway
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

# Of one request. A service that takes longer gives the others of the round no time.
SECONDS = 5.0
# Between two rounds: new weights need a moment to reach the gateways.
PAUSE = 0.5
# Clean rounds in a row that are wanted once a round was not: by chance alone one of many would be.
AFTER = 3
# How seldom a round may miss a canary that has its share of before.
MISS = 0.001


@dataclass(frozen=True)
class Probes:
    """How users come in, which header of an answer names its release, and how many requests a round has at least.

    ``stable``: what stable's answers have there. Anything else may be the canary.
    """

    url: str
    header: str
    stable: str
    path: str
    count: int
    validate_certs: bool = True
    ca: str = ""


class Door(Protocol):
    """``ways.AtGateway``."""

    def ask(self, path: str, headers: Mapping[str, str], seconds: float) -> Answer:
        """One GET; OSError or a fault of urllib3 when no answer came."""


@dataclass(frozen=True)
class Round:
    """``asked`` requests, of which stable answered ``stable``; ``why``: what the first other answer was."""

    asked: int
    stable: int
    why: str = ""

    def __str__(self) -> str:
        return f"{self.stable} of {self.asked} were answered by stable; {self.why}"


class ProbeProof:
    """A route is proven when a whole round was answered by stable; after one that was not, when ``AFTER`` were."""

    def __init__(self, probes: Probes, provider: Provider, clock: Clock) -> None:
        self._probes = probes
        self._provider = provider
        self._clock = clock

    def prove(self, target: Target, before: float | None, seconds: float, door: Door | None = None) -> Round:
        """The last round. TrafficError ``not_proven`` when the route has its weight again, when no plain request is
        sure to be routed by it, or when there was no proof within those seconds.

        ``before``: the canary's percent before the cut. The smaller it is, the more requests are needed to meet it.
        """
        deadline = Deadline(self._clock, seconds)
        seen = self._provider.observe(target)
        if seen.split.share:
            raise _not_proven(f"{target} gives the canary {seen.split.share:g} % again")
        probes = self._probes
        host = DIALECTS[target.provider].plain_host(seen.document, target, probes.path, probes.header)
        if host is None:
            raise _not_proven(
                f"a request of {probes.path} is not sure to be routed by {target} and to say who answered"
            )
        door = door or AtGateway(probes.url, host, probes.validate_certs, probes.ca)
        count, clean = needed(before, probes.count), 0
        odd: Round | None = None
        while True:
            found = self._round(door, count, deadline)
            clean = 0 if found.why else clean + 1
            if clean >= (AFTER if odd else 1):
                return found
            if deadline.over:
                raise _not_proven(f"of {count} requests by {target} {odd or found}")
            odd = found if found.why else odd
            self._clock.sleep(PAUSE if found.why else 0, "waiting to ask at the gateway again")

    def _round(self, door: Door, count: int, deadline: Deadline) -> Round:
        for number in range(count):
            if deadline.over:
                return Round(number, number, "the time was over before the others")
            if why := self._once(door):
                return Round(number + 1, number, why)
        return Round(count, count)

    def _once(self, door: Door) -> str:
        """Why it is not known that stable answered; empty when it is."""
        try:
            # A connection of its own: kept ones would ask one gateway alone.
            answer = door.ask(self._probes.path, {"Connection": "close"}, SECONDS)
        except Exception as fault:
            if not silent(fault):
                raise
            return f"no answer came ({fault})"
        headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
        said = headers.get(self._probes.header.lower(), "nothing")
        if said == self._probes.stable:
            return ""
        return f"one with status {answer.status} says {self._probes.header} {said}, not {self._probes.stable}"


def needed(before: float | None, least: int) -> int:
    """Requests of which none would meet a canary that still has its percent of before once in ``1 / MISS`` times."""
    if not before:
        return least
    return least if before >= 100 else max(least, math.ceil(math.log(MISS) / math.log(1 - before / 100)))


def asked_nobody(fault: RolloutError) -> bool:
    """Whether that means that the gateways could not be asked. What they did say is not overruled by some requests."""
    if isinstance(fault, TrafficError):
        return fault.reason in ("no_gateway", "not_provable")
    return not isinstance(fault, Interrupted)


def parse(raw: Mapping[str, Any] | None) -> Probes | None:
    """From the option; TrafficError where it cannot be meant."""
    if raw is None:
        return None
    if not str(raw["url"]).startswith(("http://", "https://")):
        raise _refuse(
            f"probes.url is {raw['url']!r} and no address of a gateway", "Such as https://gateway.example.net"
        )
    if not raw["path"].startswith("/") or set("?#%") & set(raw["path"]) or ".." in raw["path"]:
        raise _refuse(f"probes.path is {raw['path']!r} and no plain path that begins with /", "Such as /")
    if not 1 <= raw["count"] <= 1000:
        raise _refuse(f"probes.count is {raw['count']}", "Give 1 to 1000")
    if not raw["stable"]:
        raise _refuse("probes.stable is empty, so whose answers they are cannot be told", "Give what stable answers")
    return Probes(
        raw["url"], raw["header"], raw["stable"], raw["path"], raw["count"], raw["validate_certs"], raw["ca"] or ""
    )


def _refuse(msg: str, hint: str) -> TrafficError:
    return TrafficError(msg, reason="probes_invalid", hint=hint)


def _not_proven(msg: str) -> TrafficError:
    return TrafficError(msg, reason="not_proven", hint="The weight is written: look at the gateways")
