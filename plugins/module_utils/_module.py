# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.tars.rollout.plugins.module_utils._errors import Bug, MissingLibrary, RolloutError, Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._progress import PATH_VARIABLE, Progress
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Stop, SystemClock

# Seconds between "stop" and the end by force. Two are promised after the death of the controller; a safe point that
# is further away than this is missed, which the record and the fence are made for.
GRACE = 1.2
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Call:
    """What ``run(call)`` of a module gets: its options and every port to the world that it may use.

    The tests of a module build one with fakes. ``warn`` shows a warning with the result.
    """

    params: Mapping[str, Any]
    check_mode: bool
    warn: Callable[[str], None]
    clock: Clock
    stop: Stop
    progress: Progress
    scrubber: Scrubber


def run_module(module: AnsibleModule, run: Callable[[Call], Mapping[str, Any]], *, grace: float = GRACE) -> None:
    """The whole of a ``main()`` after its AnsibleModule: run, then answer with the result or with the fault.

    ``run`` returns the result's fields, ``changed`` among them, or raises. RolloutError becomes ``fail_json`` with
    msg, reason, hint and details, anything else ``reason: bug``. Signals and the loss of the controller set
    ``call.stop``; who has not ended ``grace`` seconds later is killed.
    """
    stop = Stop()
    _stop_on_signals(stop, grace)
    _stop_when_unread(stop, grace)
    scrubber = Scrubber(str(value) for value in module.no_log_values)
    progress = Progress(os.environ.pop(PATH_VARIABLE, ""), scrubber.text)
    call = Call(module.params, module.check_mode, module.warn, SystemClock(stop), stop, progress, scrubber)
    fault: RolloutError | None = None
    try:
        result = run(call)
    except RolloutError as error:
        fault = error
    except Exception as error:
        fault = Bug(error)
    # Answered outside of the handlers: within them Ansible adds the traceback to the result when it runs verbosely.
    progress.close()
    if progress.problem:
        module.warn(progress.problem)
    if fault is not None:
        module.fail_json(**_failure(fault, scrubber))
    module.exit_json(**scrubber.result(result))


def _failure(fault: RolloutError, scrubber: Scrubber) -> dict[str, Any]:
    payload = fault.payload(scrubber)
    if isinstance(fault, MissingLibrary):
        # Ansible's own sentence names host and interpreter, which a port does not know.
        payload["msg"] = f"{missing_required_lib(fault.library)} {payload['hint']}"
    return payload


def _stop_on_signals(stop: Stop, grace: float) -> None:
    """A thread of its own learns of the signals, whichever thread the kernel gives them to.

    A Python handler runs in the main thread only, and a signal that the kernel hands to another thread does not wake
    it: with a pool of threads at work a SIGTERM could lie there unseen. But Python writes the number of a signal that
    has a handler to a pipe at once, in whatever thread. Nothing is blocked, because programs that the module starts
    would inherit that and could not be ended; a handler becomes the default action in them by itself.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = threading.local()

    def watch() -> None:
        while (signum := os.read(reader, 1)[0]) not in ENDING:
            pass
        stop.set(f"got {signal.Signals(signum).name}")
        _arm_end(grace)

    # A fork that runs no new program has handlers and pipe as well; its own signals must not end this process.
    def before_fork() -> None:
        before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    def after_fork() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before.mask)

    def in_fork() -> None:
        signal.set_wakeup_fd(-1)
        for signum in ENDING:
            signal.signal(signum, signal.SIG_DFL)
        after_fork()

    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for signum in ENDING:
        # Does nothing: the pipe has told already.
        signal.signal(signum, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    os.register_at_fork(before=before_fork, after_in_parent=after_fork, after_in_child=in_fork)
    # Left to its default action, the alarm ends the process even where Python gets no turn any more.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.Thread(target=watch, name="signal-watch", daemon=True).start()


def _stop_when_unread(stop: Stop, grace: float) -> None:
    """Stop when nobody can read the answer any more: the process that started this one is gone.

    The worker that waits for our output may die without passing a signal on (core 2.18, the OOM killer, a task's
    time-out). The pipe tells it at once, whatever shells stand between.
    """
    fd = sys.__stdout__.fileno() if sys.__stdout__ else -1
    if fd < 0 or not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return
    poll = select.poll()
    poll.register(fd, 0)

    def lost() -> None:
        stop.set("the controller that started it is gone")
        _arm_end(grace)
        # What is still printed goes nowhere instead of failing with a broken pipe.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)

    def watch() -> None:
        poll.poll()
        lost()

    if poll.poll(0):  # Gone before we came so far: no time for even one act.
        lost()
        return
    threading.Thread(target=watch, name="controller-watch", daemon=True).start()


def _arm_end(grace: float) -> None:
    if signal.getitimer(signal.ITIMER_REAL)[0] == 0:
        signal.setitimer(signal.ITIMER_REAL, grace)
