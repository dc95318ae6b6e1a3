# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process is told from outside: its environment and the release file in its image."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .faults import FaultError, Faults, parse

AGENTS = ("dqn", "a2c", "ppo", "ddpg")
SERVICES = ("api", "evaluation", "insight", "orchestration", "dashboard", *AGENTS, "worker")
RELEASE_FILE = "/etc/tars/release.json"
RELEASE_KEYS = frozenset({"version", "faults", "services"})


class ConfigError(ValueError):
    """The process cannot start as it was told to; the text is a sentence for the user."""


@dataclass(frozen=True)
class Release:
    """What an image says about itself: its version, its faults, and which services have these (none named: all)."""

    version: str
    faults: Faults = field(default_factory=Faults)
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Everything a service process needs to know; times in seconds."""

    service: str
    version: str
    faults: Faults
    pod: str
    region: str
    port: int = 8080
    dsn: str = ""
    sentinels: tuple[tuple[str, int], ...] = ()
    redis_master: str = "tars"
    redis_db: int = 0
    redis_password: str = ""
    redis_prefix: str = "tars"
    drain: float = 5.0
    """How long a process that was asked to end goes on serving, so that routers can turn away from it."""
    drain_limit: float = 20.0
    """How long it then waits for requests in flight at most."""

    @property
    def is_agent(self) -> bool:
        """Whether this service is one of the RL agents."""
        return self.service in AGENTS


def read_release(text: str, origin: str) -> Release:
    """Return the release that a JSON text describes; `origin` names the text in errors (ConfigError)."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{origin} is not JSON: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("version"), str) or not data["version"]:
        raise ConfigError(f"{origin} must be an object with a text `version`")
    unknown = sorted(set(data) - RELEASE_KEYS)
    if unknown:
        raise ConfigError(
            f"{origin} has the unknown keys {', '.join(unknown)}; known are {', '.join(sorted(RELEASE_KEYS))}"
        )
    services = data.get("services", [])
    strange = [s for s in services if s not in SERVICES] if isinstance(services, list) else [services]
    if strange:
        raise ConfigError(f"{origin} names the unknown services {strange}; known are {', '.join(SERVICES)}")
    return Release(data["version"], _faults(data.get("faults", {}), origin), tuple(services))


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings that the environment and the release file give.

    TARS_FAULTS (a JSON object) stands in place of the release's faults. Raises ConfigError with one sentence.
    """
    service = environ.get("TARS_SERVICE", "")
    if service not in SERVICES:
        raise ConfigError(f"TARS_SERVICE is {service!r}; it must be one of {', '.join(SERVICES)}")
    path = Path(environ.get("TARS_RELEASE_FILE", RELEASE_FILE))
    try:
        release = read_release(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"the release file {path} cannot be read: {error.strerror}") from None
    return Settings(
        service=service,
        version=release.version,
        faults=_chosen(environ, release, service),
        pod=environ.get("POD_NAME") or socket.gethostname(),
        region=environ.get("TARS_REGION", "local"),
        port=int(_number(environ, "TARS_PORT", 8080)),
        dsn=environ.get("TARS_DATABASE_DSN", ""),
        sentinels=_hosts(environ.get("TARS_REDIS_SENTINELS", "")),
        redis_master=environ.get("TARS_REDIS_MASTER", "tars"),
        redis_db=int(_number(environ, "TARS_REDIS_DB", 0)),
        redis_password=environ.get("TARS_REDIS_PASSWORD", ""),
        redis_prefix=environ.get("TARS_REDIS_PREFIX", "tars"),
        drain=_number(environ, "TARS_DRAIN_SECONDS", Settings.drain),
        drain_limit=_number(environ, "TARS_DRAIN_LIMIT_SECONDS", Settings.drain_limit),
    )


def _chosen(environ: Mapping[str, str], release: Release, service: str) -> Faults:
    text = environ.get("TARS_FAULTS", "")
    if text:
        try:
            return _faults(json.loads(text), "TARS_FAULTS")
        except json.JSONDecodeError as error:
            raise ConfigError(f"TARS_FAULTS is not JSON: {error}") from None
    return release.faults if not release.services or service in release.services else Faults()


def _faults(values: Any, origin: str) -> Faults:
    try:
        return parse(values)
    except FaultError as error:
        raise ConfigError(f"{origin}: {error}") from None


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    try:
        value = float(text) if text else float(default)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise ConfigError(f"{name} is {text!r}; it must be a number that is not negative")
    return value


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    pairs = [part.strip().rpartition(":") for part in text.split(",") if part.strip()]
    if any(not host or not port.isdigit() for host, _colon, port in pairs):
        raise ConfigError(f"TARS_REDIS_SENTINELS is {text!r}; it must be a list like host:26379,other:26379")
    return tuple((host, int(port)) for host, _colon, port in pairs)
