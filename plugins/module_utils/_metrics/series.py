# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Labels = Mapping[str, str]
# What tells one scraped process from another. Only what is there counts.
TARGET_LABELS = ("cluster", "namespace", "job", "instance", "pod", "container", "endpoint")
POD_LABELS = ("pod", "kubernetes_pod_name", "instance")
_FAMILY_SUFFIXES = ("_bucket", "_count", "_sum")


@dataclass(frozen=True)
class RawSeries:
    """Samples of one series as Prometheus stores them: (seconds since 1970, value), in order of time.

    ``native``: it is a native histogram, whose samples are no numbers and so none are here.
    """

    name: str
    labels: Labels
    samples: tuple[tuple[float, float], ...] | list[tuple[float, float]]
    native: bool = False

    # Which series it is. Needed several times for each of them in every poll.
    key: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", frozenset((*self.labels.items(), ("__name__", self.name))))


class Step(NamedTuple):
    """How much a counter grew up to ``at``. Never negative."""

    at: float
    grown: float


@dataclass
class _Target:
    """One process, as seen through one metric: when it was first seen, and when its counters went back."""

    first: float = math.inf
    resets: list[float] = field(default_factory=list)


class _Last(NamedTuple):
    at: float
    value: float


class Counters:
    """Differences raw counters, per series, and remembers the last time stamp of each.

    A value below the one before is a restart and counts from zero. The first value of a series counts from zero only
    if the same process already had samples of that metric earlier (a new status code is born); a whole process that
    appears contributes from its second sample on: anything else could count a lifetime after a gap. A series that was
    absent while its process restarted counts from zero, too.
    """

    def __init__(self) -> None:
        self._last: dict[frozenset[tuple[str, str]], _Last] = {}
        self._targets: dict[tuple[str, ...], _Target] = {}

    def steps(self, batch: Iterable[tuple[RawSeries, tuple[str, ...]]]) -> list[list[Step]]:
        """The growth of each series since the last call. ``batch``: (series, identity of its process).

        Samples that were seen already are skipped, as are NaN and infinite ones. Order within the batch is irrelevant.
        """
        todo = []
        for series, target in batch:
            last = self._last.get(series.key)
            after = last.at if last else -math.inf
            fresh = [one for one in series.samples if one[0] > after and math.isfinite(one[1])]
            if len(fresh) > 1:
                fresh = sorted(set(fresh))
            todo.append((series, self._targets.setdefault(target, _Target()), last, fresh))
        for _series, state, last, fresh in todo:
            self._notice(state, last, fresh)
        return [self._grow(series, state, last, fresh) for series, state, last, fresh in todo]

    @staticmethod
    def _notice(state: _Target, last: _Last | None, fresh: list[tuple[float, float]]) -> None:
        if fresh:
            state.first = min(state.first, fresh[0][0])
        before = last.value if last else None
        for at, value in fresh:
            if before is not None and value < before and at not in state.resets:
                state.resets.insert(bisect_right(state.resets, at), at)
            before = value

    def _grow(
        self, series: RawSeries, state: _Target, last: _Last | None, fresh: list[tuple[float, float]]
    ) -> list[Step]:
        steps = []
        for at, value in fresh:
            if last is None:
                if state.first < at and value > 0:
                    steps.append(Step(at, value))
            elif value < last.value or _absent_at_reset(state.resets, last.at, at):
                steps.append(Step(at, max(0.0, value)))
            else:
                steps.append(Step(at, value - last.value))
            last = _Last(at, value)
        if last is not None:
            self._last[series.key] = last
        return steps


def _absent_at_reset(resets: list[float], after: float, before: float) -> bool:
    """Whether a reset lies strictly between two samples of a series."""
    index = bisect_right(resets, after)
    return index < len(resets) and resets[index] < before


def target_of(name: str, labels: Labels, request_labels: Iterable[str]) -> tuple[str, ...]:
    """Identity of the process that a series comes from, per metric family.

    Where no label of a process is present, all labels but those of the request itself (``request_labels``, le).
    """
    family = next((name.removesuffix(suffix) for suffix in _FAMILY_SUFFIXES if name.endswith(suffix)), name)
    known = [f"{label}={labels[label]}" for label in TARGET_LABELS if labels.get(label)]
    if not any(labels.get(label) for label in POD_LABELS):
        skip = {*request_labels, "le"}
        known = [f"{label}={value}" for label, value in sorted(labels.items()) if label not in skip]
    return (family, *known)


def pod_of(labels: Labels) -> str:
    """Name of the pod, or of what stands for it."""
    for label in POD_LABELS:
        if labels.get(label):
            return labels[label]
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
