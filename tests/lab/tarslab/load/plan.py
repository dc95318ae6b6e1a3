# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the load generator is to do: its limits, its schedule and its draws. No I/O here."""

from __future__ import annotations

import ipaddress
import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tarslab.errors import LabError

MAX_RPS = 1000
"""More than this from one Python process measures the process."""
MAX_DURATION = 2 * 3600.0
"""Seconds. A run "until a signal" ends after this as well."""
MAX_IN_FLIGHT = 10_000
MAX_WEBSOCKETS = 500

ROUTED = ("api", "evaluation", "insight", "orchestration", "dashboard", "dqn", "a2c", "ppo", "ddpg")
"""The services of T.A.R.S. that have a route (the queue worker has none)."""
ROUTED_GATEWAY_API = ("insight",)
"""The services that have an HTTPRoute as well."""

KEPT = "kept"
NEW = "new"
WEBSOCKET = "ws"


class PlanError(LabError):
    """The run was asked for something that it must not or cannot do."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Where one request goes and on what kind of connection."""

    region: str
    service: str
    kind: str


@dataclass(frozen=True)
class Plan:
    """One run. Refuses (PlanError) what is outside the limits as soon as it is made."""

    target: str
    """`http://ADDRESS:PORT` of a gateway on this machine's loopback."""
    regions: tuple[str, ...]
    """Region names or their host names (`us-west-2`, `us_west_2`), used evenly."""
    services: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(ROUTED, 1.0))
    """Service -> its share of the requests, in any unit."""
    rps: float = 100.0
    """Requests per second, over all services and regions."""
    duration: float = 60.0
    """Seconds during which requests become due."""
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request and every WebSocket."""
    new_share: float = 0.0
    """Share (0..1) of the requests that open a connection of their own."""
    websockets: int = 0
    """Long-lived WebSocket connections beside the requests."""
    websocket_path: str = "/ws"
    websocket_silence: float = 10.0
    """Seconds without a line after which a WebSocket counts as cut."""
    timeout: float = 10.0
    """Seconds a request may take, connecting included."""
    max_in_flight: int = 0
    """Requests without an answer at any time; 0: as many as the time-out can gather, at least 100."""
    seed: int = 1
    """The same seed gives the same services, regions and kinds in the same order."""

    def __post_init__(self) -> None:
        check_target(self.target)
        _within("rps", self.rps, 0, MAX_RPS, "requests per second")
        _within("duration", self.duration, 0, MAX_DURATION, "seconds")
        _within("timeout", self.timeout, 0, 120, "seconds")
        _within("websocket silence", self.websocket_silence, 0, 600, "seconds")
        if not 0 <= self.new_share <= 1:
            raise PlanError(f"new connections: a share from 0 to 1 is wanted, {self.new_share:g} was given")
        if not 0 <= self.websockets <= MAX_WEBSOCKETS:
            raise PlanError(f"websockets: 0 to {MAX_WEBSOCKETS} are possible, {self.websockets} were asked for")
        if not self.regions:
            raise PlanError("no region was given; name at least one, such as us-west-2")
        if not self.services or not all(math.isfinite(s) and s > 0 for s in self.services.values()):
            raise PlanError("services: at least one is wanted, each with a share greater than 0")
        for path in (self.path, self.websocket_path):
            if not path.startswith("/"):
                raise PlanError(f"path {path!r} does not begin with /")
        if not 0 <= self.max_in_flight <= MAX_IN_FLIGHT:
            raise PlanError(f"in flight: at most {MAX_IN_FLIGHT} are possible, {self.max_in_flight} were asked for")

    @property
    def total(self) -> int:
        """How many requests become due within the duration."""
        return math.ceil(round(self.rps * self.duration, 6))

    @property
    def bound(self) -> int:
        """How many requests may wait for an answer at the same time."""
        return self.max_in_flight or min(MAX_IN_FLIGHT, max(100, math.ceil(self.rps * self.timeout * 1.1)))

    def due(self, number: int) -> float:
        """Seconds after the start at which request `number` (from 0) is to leave."""
        return number / self.rps

    def draws(self) -> Iterator[Draw]:
        """Endless: where request 0, 1, 2 ... go. Two numbers per request, so that shares do not shift each other."""
        rng = random.Random(self.seed)  # repeatable on purpose; nothing here is a secret
        pairs = list(itertools.product(region_names(self.regions), self.services))
        weights = list(itertools.accumulate(self.services[service] for _region, service in pairs))
        while True:
            region, service = rng.choices(pairs, cum_weights=weights)[0]
            yield Draw(region, service, NEW if rng.random() < self.new_share else KEPT)

    def websocket_draws(self) -> list[Draw]:
        """Where the WebSockets go: regions and services in turn, so that few connections still reach all of them."""
        turns = itertools.cycle((region, service) for service in self.services for region in region_names(self.regions))
        return [Draw(region, service, WEBSOCKET) for region, service in itertools.islice(turns, self.websockets)]


def host_name(service: str, region: str) -> str:
    """The name under which a region's gateway knows a service."""
    return f"{service}.{region}.tars.localhost"


def region_names(regions: Sequence[str]) -> list[str]:
    """Turn inventory host names (us_west_2) into region names (us-west-2)."""
    return [region.replace("_", "-") for region in regions]


def parse_services(words: Sequence[str]) -> dict[str, float]:
    """Read `service` and `service=share` words, comma-separated or one by one. A service without a share has 1."""
    shares: dict[str, float] = {}
    for word in (part.strip() for words_ in words for part in words_.split(",")):
        if not word:
            continue
        name, sep, share = word.partition("=")
        try:
            value = float(share) if sep else 1.0
        except ValueError as error:
            raise PlanError(f"services: {word!r} is not SERVICE or SERVICE=SHARE") from error
        if name in shares:
            raise PlanError(f"services: {name} is named twice")
        if not name or not math.isfinite(value) or value <= 0:
            raise PlanError(f"services: {word!r} wants a name and a share greater than 0")
        shares[name] = value
    return shares


def check_target(target: str) -> None:
    """Refuse every target but plain HTTP on this machine's loopback: a load generator must not leave the lab."""
    parts = urlsplit(target)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise PlanError(f"target {target!r} is not a URL: {error}") from error
    if parts.scheme != "http" or not port or parts.path not in ("", "/") or parts.query or parts.username:
        raise PlanError(f"target {target!r}: http://ADDRESS:PORT is wanted, such as http://127.0.0.1:20001")
    if not _is_loopback(host):
        raise PlanError(
            f"target {target!r} is not on this machine's loopback, and load is sent nowhere else; "
            "use an address of 127.0.0.0/8, ::1 or localhost"
        )


def _is_loopback(host: str) -> bool:
    # Names are not resolved: a name that points to loopback now may point elsewhere a second later.
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _within(what: str, value: float, low: float, high: float, unit: str) -> None:
    if not (math.isfinite(value) and low < value <= high):
        raise PlanError(f"{what}: more than {low:g} and at most {high:g} {unit} are possible, {value:g} was asked for")
