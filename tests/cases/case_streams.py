# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Series in the form of gate-cases/1, made from what happens: rates, shares, buckets. Chance is fixed by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

Series = dict[str, Any]
Share = float | Callable[[float], float]
DT, BAKE = 15, 600
REQUESTS, LATENCY = "http_requests_total", "http_request_duration_seconds"
CANARY, STABLE = {"deployment": "canary"}, {"deployment": "stable"}
UNCHANGED = MappingProxyType(CANARY)
# What share of the requests is at most so slow: p95 is below 100 ms.
FAST = {"0.025": 0.7, "0.05": 0.95, "0.1": 0.985, "0.25": 0.998, "0.5": 0.999, "1": 1.0, "+Inf": 1.0}


def series(metric: str, labels: Mapping[str, str], values: Sequence[Any], t0: float = 0, dt: float = DT) -> Series:
    return {"m": metric, "l": dict(labels), "t0": t0, "dt": dt, "v": list(values)}


def at(share: Share, t: float) -> float:
    return share(t) if callable(share) else share


def between(start: float, end: float, inside: float, outside: float) -> Callable[[float], float]:
    """A share that is another one from ``start`` to ``end`` seconds."""
    return lambda t: inside if start < t <= end else outside


def poisson(rng: random.Random, mean: float) -> int:
    """Arrivals: exponential gaps, counted."""
    count, passed = 0, rng.expovariate(1.0) if mean > 0 else mean + 1
    while passed < mean:
        count, passed = count + 1, passed + rng.expovariate(1.0)
    return count


def arm(
    labels: Mapping[str, str],
    rps: Share,
    bad: Share,
    *,
    seed: int,
    pods: int = 2,
    t0: float = 0,
    end: float = BAKE,
    dt: float = DT,
    start: float = 0,
    metric: str = REQUESTS,
    burstiness: float = 0.0,
    status: str = "status",
) -> list[Series]:
    """Requests of one arm by status, from ``pods`` pods that are scraped one after the other."""
    rng = random.Random(seed)
    found = []
    times: list[list[float]] = []
    for pod in range(pods):
        first = t0 + 4 * pod % dt
        times.append([first + dt * i for i in range(int((end - first) // dt) + 1)])
    bursts = [_burst(rng, burstiness) for _scrape in range(int((end - t0) // dt) + 2)]
    for pod in range(pods):
        good, failed = [start], [start / 100]
        for index, moment in enumerate(times[pod][1:], 1):
            share = min(1.0, at(bad, moment) * bursts[index])
            mean = at(rps, moment) * dt / pods
            good.append(good[-1] + poisson(rng, mean * (1 - share)))
            failed.append(failed[-1] + poisson(rng, mean * share))
        own = {**labels, "pod": f"{labels.get('deployment', 'pod')}-{pod}"}
        found.append(series(metric, {**own, status: "200"}, good, times[pod][0], dt))
        found.append(series(metric, {**own, status: "500"}, failed, times[pod][0], dt))
    return found


def _burst(rng: random.Random, rho: float, mean: float = 0.01) -> float:
    """A factor on the share, so that requests of one scrape fail together (beta-binomial)."""
    if rho <= 0:
        return 1.0
    k = 1 / rho - 1
    return rng.betavariate(mean * k, (1 - mean) * k) / mean


def canary(bad: Share = 0.01, *, rps: Share = 5, seed: int = 1, **more: Any) -> list[Series]:
    return arm(CANARY, rps, bad, seed=seed, **more)


def stable(bad: Share = 0.01, *, rps: Share = 45, seed: int = 2, **more: Any) -> list[Series]:
    return arm(STABLE, rps, bad, seed=seed, **{"pods": 3, "t0": -300, "start": 100000, **more})


def both(bad: Share = 0.01, base: Share = 0.01, *, seed: int = 1, **more: Any) -> list[Series]:
    return [*canary(bad, seed=2 * seed, **more), *stable(base, seed=2 * seed + 1)]


def histogram(
    shares: Mapping[str, Share],
    per_scrape: float = 75,
    *,
    labels: Mapping[str, str] = UNCHANGED,
    pod: str = "canary-0",
    metric: str = LATENCY,
    t0: float = 0,
    start: float = 0,
    scrapes: int | None = None,
) -> list[Series]:
    """Buckets that grow evenly; ``shares``: boundary -> share of the requests at or below it."""
    count = scrapes if scrapes is not None else int((BAKE - t0) // DT)
    found = []
    for bound, share in shares.items():
        exact, values = start, [start]
        for index in range(1, count + 1):
            exact += per_scrape * at(share, t0 + index * DT)
            values.append(int(exact + 1e-9))
        found.append(series(f"{metric}_bucket", {**labels, "pod": pod, "le": bound}, values, t0))
    return found


def flat(metric: str, value: Any, *, labels: Mapping[str, str] = UNCHANGED, pod: str = "canary-0") -> Series:
    return series(metric, {**labels, "pod": pod}, [value] * (BAKE // DT + 1))


def steps(metric: str, changes: Mapping[float, Any], *, pod: str = "canary-0", first: Any = 0, **more: Any) -> Series:
    """A value that changes at given seconds."""
    values, now = [], first
    for index in range(BAKE // DT + 1):
        now = changes.get(index * DT, now)
        values.append(now)
    return series(metric, {**more.get("labels", CANARY), "pod": pod}, values)


def cut(found: list[Series], t: float, *, keep: str = "before", pod: str = "") -> list[Series]:
    """The series without the samples after (or before) ``t`` seconds; of all pods, or of one."""
    result = []
    for item in found:
        if pod and item["l"].get("pod") != pod:
            result.append(item)
            continue
        values = [
            value if (item["t0"] + i * item["dt"] <= t) == (keep == "before") else None
            for i, value in enumerate(item["v"])
        ]
        result.append({**item, "v": values})
    return result


def without(found: list[Series], **labels: str) -> list[Series]:
    """The series without those that have all these labels."""
    return [item for item in found if any(item["l"].get(key) != value for key, value in labels.items())]


def restarted(found: list[Series], t: float, pod: str = "") -> list[Series]:
    """The counters begin at zero again at ``t`` seconds."""
    result = []
    for item in found:
        if pod and item["l"].get("pod") != pod:
            result.append(item)
            continue
        values, base = [], None
        for i, value in enumerate(item["v"]):
            if item["t0"] + i * item["dt"] >= t and value is not None:
                base = item["v"][i - 1] if base is None else base
                value -= base
            values.append(value)
        result.append({**item, "v": values})
    return result
