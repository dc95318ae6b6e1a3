# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
from __future__ import annotations

import ctypes
import importlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.vars.clean import remove_internal_keys
from ansible_collections.tars.rollout.plugins.module_utils._progress import PATH_VARIABLE, Line
from ansible_collections.tars.rollout.plugins.plugin_utils import _forked

# Seconds between two looks at the progress file: what a live line may be late.
INTERVAL = 0.1
# A line longer than that is cut; it is a line, not a report.
MAX_LENGTH = 240
PLUGINS = "ansible_collections.tars.rollout.plugins."
_PR_SET_PDEATHSIG = 1


class LiveAction(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Base of the action plugins of this collection: runs the module of the same name and adds three things.

    Lines that the module writes to its progress file appear at once on stderr, so stdout stays what the callback makes
    of it. The module does not outlive its controller: see ``die_with_parent``. And where it would run with the
    controller's own interpreter it runs in a fork of the worker, which is about nine times cheaper: see ``_forked``.
    """

    _supports_check_mode = True
    # Async means to outlive the controller, which is what must not happen here.
    _supports_async = False
    # The module of the same name, where it can be imported.
    _program: ClassVar[Any] = None

    def __init_subclass__(cls) -> None:
        """Import the module along with its action plugin: that happens once, before Ansible forks its workers."""
        super().__init_subclass__()
        package, _dot, name = cls.__module__.rpartition(".")
        if package == PLUGINS + "action":
            cls._program = importlib.import_module(f"{PLUGINS}modules.{name}")

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Called by Ansible in the worker process of one task and host."""
        die_with_parent()
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            with self._live_lines():
                result.update(self._execute(task_vars or {}))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _execute(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        if self._program is None or not self._is_here(task_vars) or not _forked.bears(environment):
            return dict(self._execute_module(task_vars=task_vars))
        arguments = self._task.args
        self._update_module_args(self._task.action, arguments, task_vars)
        Display().vvv(f"{self._task.action} runs in a fork of the worker, with {sys.executable}")
        name = self._task.action.rpartition(".")[2]
        # Where Ansible starts a module on this machine: the folder of the playbook.
        folder = str(self._loader.get_basedir())
        said = _forked.run(_forked.Start(name, self._program.main, _forked.encode(arguments), environment, folder))
        data: dict[str, Any] = _forked.decode(self, said)
        remove_internal_keys(data)
        return data

    def _is_here(self, task_vars: dict[str, Any]) -> bool:
        """Whether the module would run on this machine, with this very interpreter, and as this user."""
        if self._connection.transport != "local" or self._connection.become or constants.DEFAULT_KEEP_REMOTE_FILES:
            return False
        # Libraries of macOS end a process that uses them after a fork without a new program.
        if sys.platform == "darwin":
            return False
        if self._task.delegate_to:
            task_vars = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        wanted = task_vars.get("ansible_python_interpreter") or constants.config.get_config_value("INTERPRETER_PYTHON")
        return _same_interpreter(str(self._templar.template(wanted)))

    @contextmanager
    def _live_lines(self) -> Iterator[None]:
        # Elsewhere than on this machine the file could not be read; and no_log wins over comfort.
        if self._connection.transport != "local" or self._task.no_log:
            yield
            return
        before = self._task.environment
        handle, path = tempfile.mkstemp(prefix="tars-progress-", dir=constants.DEFAULT_LOCAL_TMP)
        # An environment variable and not an option: nothing to document for users, nothing they could set by mistake.
        self._task.environment = [*(before or []), {PATH_VARIABLE: path}]
        display = Display()
        tail = Tail(handle, lambda text: display.display(text, stderr=True))
        with signals_kept_for_this_thread():
            tail.start()
        try:
            yield
        finally:
            tail.finish()
            self._task.environment = before
            os.close(handle)
            os.unlink(path)


def _same_interpreter(path: str) -> bool:
    """Whether that is the running one. The folder counts as well: it is what makes a virtual environment."""
    wanted, running = Path(path), Path(sys.executable)
    try:
        return wanted.parent == running.parent and wanted.samefile(running)
    except OSError:
        return False


class Tail(threading.Thread):
    """Follows a progress file and shows each whole line of it until told to finish."""

    def __init__(self, handle: int, show: Callable[[str], None]) -> None:
        super().__init__(name="live-lines", daemon=True)
        self._handle = handle
        self._show = show
        self._rest = b""
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(INTERVAL):
            self._read()
            # Where the kernel has no parent-death signal this loop is what notices.
            _end_if_orphaned()
        self._read()

    def finish(self) -> None:
        """Show what is there and end."""
        self._done.set()
        self.join()

    def _read(self) -> None:
        while chunk := os.read(self._handle, 65536):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for text in filter(None, map(render, lines)):
                self._show(text)


@contextmanager
def signals_kept_for_this_thread() -> Iterator[None]:
    """Threads started within never receive a signal of the process.

    The worker's signal handler is Python's and runs in the main thread only. A signal that the kernel hands to another
    thread would not wake the main thread out of its wait for the module: the worker would live on (seen with SIGINT).
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def render(raw: bytes) -> str:
    """One line of the progress file as a person reads it, empty for anything that is no line of ours.

    Only the fields of Line are shown, made harmless for a terminal: a server's text may be among them.
    """
    try:
        record = json.loads(raw)
    except ValueError:
        return ""
    if not isinstance(record, dict):
        return ""
    parts = [str(record[field.name]) for field in fields(Line) if record.get(field.name)]
    # The region stands before its step like one word: "us-west-2 backend[1] 10 %  api  ...".
    text = " ".join(parts[:2]) + "".join(f"  {part}" for part in parts[2:])
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."


def die_with_parent() -> None:
    """Let this worker get SIGTERM when ansible-playbook dies, however it dies.

    It must be set here: between the worker and the module may stand two shells, whose death signal would mean the
    shell. From core 2.19 on the worker passes the SIGTERM on to its process group; on 2.18 it dies of it, and the
    module sees its output pipe break (``_module``). The kernel ties this to the thread that forked the worker, which is
    the main thread of ansible-playbook and lives as long as the process.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    # It may have died before: then nobody sends the signal any more.
    _end_if_orphaned()


def _end_if_orphaned() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os.kill(os.getpid(), signal.SIGTERM)
