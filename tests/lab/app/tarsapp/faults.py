# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a release brings along: what they are, which values they take, when they strike.

Faults come with a release (`/etc/tars/release.json` in its image) and never touch the paths of probes and metrics.
Errors are drawn at random for each request: "the first N of every M" comes in bursts that probes use up.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from typing import Any


class FaultError(ValueError):
    """A fault is unknown or has a value that it cannot take; the text is a sentence for the user."""


@dataclass(frozen=True)
class Faults:
    """The faults of one release; the default of each is "off"."""

    error_share: float = 0.0
    """Share (0 to 1) of requests that are answered 500, and of queue jobs that fail."""

    latency_ms: float = 0.0
    """Milliseconds that each request waits before it is worked on."""

    latency_jitter_ms: float = 0.0
    """Up to this many milliseconds more, evenly distributed."""

    crash_loop: float = 0.0
    """Seconds after its start at which the process ends with code 1; it was ready before."""

    bad_drain: str = ""
    """What SIGTERM does: `exit` ends at once and breaks what is in flight, `hang` does nothing until SIGKILL."""

    leak_mib_per_min: float = 0.0
    """Memory that is never given back, in MiB a minute."""

    wrong_results: float = 0.0
    """Share (0 to 1) of answers with status 200 whose result does not fit its checksum."""

    bad_reward: float = 0.0
    """Share (0 to 1) by which the reward of an RL agent falls."""

    def fails(self, rng: random.Random) -> bool:
        """Draw whether this request or job fails."""
        return self.error_share > 0 and rng.random() < self.error_share

    def spoils(self, rng: random.Random) -> bool:
        """Draw whether this answer is wrong."""
        return self.wrong_results > 0 and rng.random() < self.wrong_results

    def delay(self, rng: random.Random) -> float:
        """Draw how long this request waits, in seconds."""
        return (self.latency_ms + rng.random() * self.latency_jitter_ms) / 1000

    def active(self) -> dict[str, Any]:
        """Return the faults that are on, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


SHARES = frozenset({"error_share", "wrong_results", "bad_reward"})
"""Faults whose value is a share; `true` means all of it, except for the reward, which falls by half."""

DRAINS = ("exit", "hang")
NAMES = tuple(f.name for f in fields(Faults))


def parse(values: Any) -> Faults:
    """Return the faults that a JSON object describes.

    Raises FaultError, naming the fault and what it takes, when a name is unknown or a value is out of range.
    """
    if not isinstance(values, dict):
        raise FaultError(f"faults must be an object of name and value, not {values!r}")
    known: dict[str, Any] = {name: _value(name, value) for name, value in values.items()}
    return Faults(**known)


def _value(name: str, value: Any) -> float | str:
    if name not in NAMES:
        raise FaultError(f"fault {name!r} is unknown; known are {', '.join(NAMES)}")
    if name == "bad_drain":
        return _drain(value)
    if name in SHARES and isinstance(value, bool):
        return float(value) * (0.5 if name == "bad_reward" else 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaultError(f"fault {name} takes a number, not {value!r}")
    if not 0 <= value <= (1 if name in SHARES else 1e6):
        raise FaultError(
            f"fault {name} takes {'a share from 0 to 1' if name in SHARES else 'no such number'}: {value!r}"
        )
    return float(value)


def _drain(value: Any) -> str:
    if isinstance(value, bool):
        return DRAINS[0] if value else ""
    if value not in ("", *DRAINS):
        raise FaultError(f"fault bad_drain takes {' or '.join(DRAINS)}, true or false, not {value!r}")
    return str(value)
