# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that runs side by side: one thread for each job, a job starts when those it needs are done."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import proc
from .errors import Interrupted


@dataclass(frozen=True)
class Job:
    """One piece of work and the names of the jobs that have to be done before it."""

    name: str
    work: Callable[[], None]
    needs: tuple[str, ...] = ()


def run_all(jobs: Sequence[Job]) -> None:
    """Run jobs to the end. The first that fails ends all others and its error is raised."""
    if not jobs:
        return
    futures: dict[str, concurrent.futures.Future[None]] = {}
    submitted = threading.Event()

    def body(job: Job) -> None:
        submitted.wait()
        for name in job.needs:
            futures[name].result()
        job.work()

    with concurrent.futures.ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        for job in jobs:
            futures[job.name] = pool.submit(body, job)
        submitted.set()
        try:
            _watch(set(futures.values()))
        except BaseException:
            # Leaving the pool waits for its threads, and those wait for the programs that they run.
            proc.stop_all()
            raise


def _watch(pending: set[concurrent.futures.Future[None]]) -> None:
    while pending:
        # A short wait, so that a signal is seen at once and not after the longest build.
        done, pending = concurrent.futures.wait(pending, 0.5, concurrent.futures.FIRST_EXCEPTION)
        errors = [error for future in done if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda e: isinstance(e, Interrupted)):
            raise error
