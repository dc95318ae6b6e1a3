# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The proof of a cut where no gateway can be asked: what users would get, request by request.

It is weaker than a look at the gateways: some dozens of requests say nothing of a gateway that none of them met. So it
is used only when that look fails, and only for weight 0, where a single answer of the canary is enough to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._exchange import Answer, silent
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Target, TrafficError
from ansible_collections.tars.rollout.plugins.module_utils._traffic.provider import DIALECTS, Provider
from ansible_collections.tars.rollout.plugins.module_utils._traffic.ways import AtGateway
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

# Of one request. A service that takes longer gives the others of the round no time.
SECONDS = 5.0
# Between two rounds: new weights need a moment to reach the gateways.
PAUSE = 0.5


@dataclass(frozen=True)
class Probes:
    """How users come in, which header of an answer names its release, and how many requests are sent per route."""

    url: str
    header: str
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
    """``canary``: answers of the release that is cut; ``other``: of another one; ``why`` the first that said none."""

    canary: int
    other: int
    why: str = ""

    def __str__(self) -> str:
        text = f"the canary gave {self.canary} of {self.canary + self.other} answers"
        return f"{text}; {self.why}" if self.why else text


class ProbeProof:
    """Asks for one route after the other; a route is proven when a whole round came from another release."""

    def __init__(self, probes: Probes, release: str, provider: Provider, clock: Clock) -> None:
        self._probes = probes
        self._release = release
        self._provider = provider
        self._clock = clock

    def prove(self, target: Target, seconds: float, door: Door | None = None) -> Round:
        """The last round. TrafficError ``not_proven`` when the route has its weight again, when no plain request is
        sure to be routed by it, or when no round was clean within those seconds.
        """
        deadline = Deadline(self._clock, seconds)
        seen = self._provider.observe(target)
        if seen.split.share:
            raise _not_proven(f"{target} gives the canary {seen.split.share:g} % again")
        host = DIALECTS[target.provider].plain_host(seen.document, target, self._probes.path)
        if host is None:
            raise _not_proven(f"a request of {self._probes.path} is not sure to be routed by {target}")
        probes = self._probes
        door = door or AtGateway(probes.url, host, probes.validate_certs, probes.ca)
        while True:
            found = self._round(door, deadline)
            if found.other == probes.count:
                return found
            if deadline.over:
                raise _not_proven(f"of {probes.count} requests by {target} {found}")
            self._clock.sleep(PAUSE, "waiting to ask at the gateway again")

    def _round(self, door: Door, deadline: Deadline) -> Round:
        canary = other = 0
        for _number in range(self._probes.count):
            release, why = self._once(door)
            if why:
                return Round(canary, other, why)
            canary += release == self._release
            other += release != self._release
            if deadline.over and canary:
                break
        return Round(canary, other)

    def _once(self, door: Door) -> tuple[str, str]:
        """The release that answered, and why none is known."""
        try:
            # A connection of its own: kept ones would ask one gateway alone.
            answer = door.ask(self._probes.path, {"Connection": "close"}, SECONDS)
        except Exception as fault:
            if not silent(fault):
                raise
            return "", f"no answer came ({fault})"
        headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
        release = headers.get(self._probes.header.lower(), "")
        return release, "" if release else f"an answer with status {answer.status} has no {self._probes.header}"


def parse(raw: Mapping[str, Any] | None, release: str) -> Probes | None:
    """From the option; TrafficError where it cannot be meant."""
    if raw is None:
        return None
    if not str(raw["url"]).startswith(("http://", "https://")):
        raise _refuse(
            f"probes.url is {raw['url']!r} and no address of a gateway", "Such as https://gateway.example.net"
        )
    if not raw["path"].startswith("/"):
        raise _refuse(f"probes.path is {raw['path']!r} and does not begin with /", "Such as /")
    if not 1 <= raw["count"] <= 1000:
        raise _refuse(f"probes.count is {raw['count']}", "Give 1 to 1000")
    if not release:
        raise _refuse("probes are given without a release, so whose answers they are cannot be told", "Give release")
    return Probes(raw["url"], raw["header"], raw["path"], raw["count"], raw["validate_certs"], raw["ca"] or "")


def _refuse(msg: str, hint: str) -> TrafficError:
    return TrafficError(msg, reason="probes_invalid", hint=hint)


def _not_proven(msg: str) -> TrafficError:
    return TrafficError(msg, reason="not_proven", hint="The weight is written: look at the gateways")
