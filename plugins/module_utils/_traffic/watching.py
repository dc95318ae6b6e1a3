# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The gateways over the time of one proof: their pods come and go, and the API server may not answer for a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._traffic import envoy
from ansible_collections.tars.rollout.plugins.module_utils._traffic.gateways import Source
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import passing
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

Result = TypeVar("Result")

PAUSE = 0.1
# A pod that is gone is not in the next list. One that is there and does not know the path never will.
MISSING = 2


class Watching:
    """Reads all gateways again and again. A fault that passes is waited out until the deadline."""

    def __init__(self, gateways: Source, clock: Clock) -> None:
        self._gateways = gateways
        self._clock = clock
        self._names: list[str] = []

    @property
    def shows_routes(self) -> bool:
        return self._gateways.shows_routes

    def dumps(self, deadline: Deadline) -> Mapping[str, Mapping[str, Any]]:
        """The routes that each gateway uses."""
        return self._read(self._gateways.dumps, deadline)

    def counts(self, deadline: Deadline) -> Mapping[str, envoy.Counts]:
        """The counters of each gateway."""
        return self._read(self._gateways.counts, deadline)

    def _read(self, read: Callable[[Sequence[str]], Result], deadline: Deadline) -> Result:
        missing = 0
        while True:
            try:
                self._names = self._names or self._gateways.names()
                return read(self._names)
            except RolloutError as error:
                self._names = []
                missing += error.reason == "kube_not_found"
                gone = error.reason == "no_gateway" or 0 < missing < MISSING
                if deadline.over or not (passing(error) or gone):
                    raise
            self._clock.sleep(PAUSE, "waiting to read the gateways again")
