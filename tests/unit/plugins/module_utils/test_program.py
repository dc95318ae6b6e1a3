# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program ends with the module that has started it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from threading import Timer

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted, RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._program import runner
from ansible_collections.tars.rollout.plugins.module_utils._wait import Stop

DEAF = "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
SLEEPS = "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"


def test_what_it_says() -> None:
    code = "import sys; print('out'); sys.stderr.write('err'); sys.exit(3)"
    assert runner(Stop())([sys.executable, "-c", code]) == (3, "out\n", "err")


@pytest.mark.parametrize("deaf", [False, True])
def test_it_ends_when_we_are_asked_to(tmp_path: Path, deaf: bool) -> None:
    stop, note = Stop(), tmp_path / "pid"
    code = (DEAF if deaf else "import os, sys, time\n") + SLEEPS
    began = time.monotonic()

    def ask() -> None:
        while not (note.exists() and note.read_text()):
            time.sleep(0.02)
        stop.set("the controller is gone")

    Timer(0, ask).start()
    with pytest.raises(Interrupted, match="the controller is gone"):
        runner(stop)([sys.executable, "-c", code, str(note)])
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(RolloutError, match="program /nowhere/helm cannot be started: No such file") as caught:
        runner(Stop())(["/nowhere/helm", "version"])
    assert caught.value.reason == "program_missing"
