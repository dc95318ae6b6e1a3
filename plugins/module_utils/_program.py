# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Runs a program that ends with us: a module that its controller leaves behind leaves none behind itself."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop

Run = Callable[[Sequence[str]], tuple[int, str, str]]
"""Runs a program: exit code, stdout, stderr."""

LOOK = 0.1
# Seconds to end by itself when asked to; those of the module itself are counted as well (`_module.GRACE`).
GRACE = 0.7


def runner(stop: Stop) -> Run:
    """A ``Run`` that asks the program to end when we are asked to, kills it when it does not, and raises Interrupted.

    RolloutError ``program_missing`` where it cannot be started.
    """

    def run(words: Sequence[str]) -> tuple[int, str, str]:
        doing = f"running {' '.join(words[:2])}"
        stop.check(doing)
        try:
            process = subprocess.Popen(
                list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace",
            )  # fmt: skip
        except OSError as error:
            raise RolloutError(
                f"The program {words[0]} cannot be started: {error.strerror}",
                reason="program_missing",
                hint="Install it, or give its path",
            ) from None
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=LOOK)
                    return process.returncode, out, err
                except subprocess.TimeoutExpired:
                    stop.check(doing)
        finally:
            if process.returncode is None:
                _end(process)

    return run


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
