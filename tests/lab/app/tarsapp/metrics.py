# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of the runbooks, each carrying the version of the release that the process runs.

The status label is `status` (three of the runbooks; one says `code`). There is no `service` label: Prometheus puts the
one of the scraped target on every series. Requests of probes and scrapes are not counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.core import GaugeMetricFamily

REQUEST_SECONDS = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.11, 0.12, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0
)  # fmt: skip
"""Bounds of request times; each latency limit of a runbook is one, so that requests above it can be counted exactly."""

EVALUATION_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 300.0)
RELOAD_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0)
QUERY_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 1.0)


class ResidentMemory:
    """Resident memory, read when asked for (the client library's own process collector brings much more)."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the one gauge, in bytes."""
        with open("/proc/self/statm", encoding="ascii") as stream:
            pages = int(stream.read().split()[1])
        value = pages * os.sysconf("SC_PAGE_SIZE")
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory in bytes.", value=value)


class _Family:
    """Makes metrics of one registry that all lead with the version label."""

    def __init__(self, registry: CollectorRegistry, version: str) -> None:
        self._registry = registry
        self._version = version

    def make(self, kind: Any, name: str, text: str, *labels: str, **options: Any) -> Any:
        return kind(name, text, ("version", *labels), registry=self._registry, **options)

    def one(self, kind: Any, name: str, text: str, **options: Any) -> Any:
        return self.make(kind, name, text, **options).labels(self._version)


class Metrics:
    """What every service counts."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        memory: Any = ResidentMemory()
        self.registry.register(memory)
        self.version = version
        self.family = family = _Family(self.registry, version)
        self._requests = family.make(Counter, "http_requests", "Requests answered.", "method", "path", "status")
        self._seconds = family.make(
            Histogram, "http_request_duration_seconds", "Time to answer.", "method", "path", buckets=REQUEST_SECONDS
        )
        self._results = family.make(Counter, "evaluation_results", "Results, checked by their checksum.", "result")
        for result in ("correct", "wrong"):
            self._results.labels(version, result)
        self.evaluation_seconds = family.one(
            Histogram, "evaluation_duration_seconds", "Time of an evaluation.", buckets=EVALUATION_SECONDS
        )
        self.query_seconds = family.one(
            Histogram, "pg_query_duration_seconds", "Time of a database query.", buckets=QUERY_SECONDS
        )
        self.websockets = family.one(Gauge, "websocket_connections", "WebSockets that are open.")
        self.reconnections = family.one(Counter, "websocket_reconnections", "Clients that came back after a loss.")
        self._disconnections = family.make(Counter, "websocket_disconnections", "WebSockets that ended.", "code")
        family.one(Gauge, "tars_build_info", "Always 1; the labels say which release runs.").set(1)

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answered request; `path` is the route's template, never the raw path."""
        self._requests.labels(self.version, method, path, str(status)).inc()
        self._seconds.labels(self.version, method, path).observe(seconds)

    def result(self, correct: bool) -> None:
        """Count one result that left the service, by whether it fits its checksum."""
        self._results.labels(self.version, "correct" if correct else "wrong").inc()

    def disconnection(self, code: int) -> None:
        """Count one WebSocket that ended with a close code."""
        self._disconnections.labels(self.version, str(code)).inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return bytes(generate_latest(self.registry))


class AgentMetrics:
    """What an RL agent counts besides; the mean reward over a time is the rate of the sum over that of the count."""

    def __init__(self, metrics: Metrics, agent: str) -> None:
        def one(kind: Any, name: str, text: str, **options: Any) -> Any:
            return metrics.family.make(kind, name, text, "agent", **options).labels(metrics.version, agent)

        self.reward = one(Summary, "agent_episode_reward", "Rewards of finished episodes.")
        self.reward_mean = one(Gauge, "agent_reward_mean", "Mean reward of the last hundred episodes or so.")
        self.drift = one(Gauge, "agent_policy_drift", "Distance of the policy from its reference, 0 to 1.")
        self.reloads = one(
            Histogram, "hot_reload_duration_seconds", "Time to take over a new policy.", buckets=RELOAD_SECONDS
        )


class WorkerMetrics:
    """What the queue worker counts besides."""

    def __init__(self, metrics: Metrics) -> None:
        self._version = metrics.version
        self._jobs = metrics.family.make(Counter, "worker_jobs", "Jobs taken from the queue.", "outcome")
        for outcome in ("processed", "duplicate", "failed", "dead"):
            self._jobs.labels(metrics.version, outcome)
        self.depth = metrics.family.one(Gauge, "worker_queue_depth", "Jobs in the queue, pending ones included.")
        self.pending = metrics.family.one(Gauge, "worker_pending_jobs", "Jobs handed to a worker and not finished.")

    def job(self, outcome: str) -> None:
        """Count one job as processed, duplicate, failed (it comes again) or dead (it does not)."""
        self._jobs.labels(self._version, outcome).inc()
