# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Runs a module of this collection in a fork of Ansible's worker instead of a new interpreter.

Ansible packs a module with everything that it imports, starts an interpreter, and lets that one compile and import it
all again, for every task. On the controller itself the same files lie beside the action plugin, and the worker is a
fork of a process that has imported them already: a second fork runs the module's ``main()`` at once. It is a process
of its own as before: it ends for the same signals, reads the same arguments, and answers on the same pipe.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import logging
import multiprocessing
import os
import selectors
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from typing import Any

from ansible.module_utils import basic
from ansible.plugins.action import ActionBase
from ansible_collections.tars.rollout.plugins.module_utils._module import ENDING

CHUNK = 65536
# Of the module's arguments and its answer, as core 2.19 and later call it; older ones know but one way.
PROFILE = "legacy"
# Variables that the interpreter, the linker or a library reads when a program starts.
AT_START = ("PYTHON", "LD_", "OPENSSL_", "SSL_CERT_", "LC_", "LANG", "TZ", "MALLOC_")
_PR_SET_NAME = 15


def encode(arguments: Mapping[str, Any]) -> bytes:
    """A task's arguments as the module reads them, without what the controller only knows of them (tags, vaults)."""
    options: dict[str, Any]
    try:
        from ansible.module_utils.common.json import Direction, get_module_encoder
    except ImportError:  # core 2.18
        from ansible.module_utils.common.json import AnsibleJSONEncoder

        options = {"cls": AnsibleJSONEncoder, "vault_to_text": True}
    else:
        options = {"cls": get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)}
    return json.dumps({"ANSIBLE_MODULE_ARGS": dict(arguments)}, **options).encode()


def decode(action: ActionBase, said: dict[str, Any]) -> dict[str, Any]:
    """The result in what ``run`` returned, judged as Ansible judges that of any module."""
    parse = action._parse_returned_data
    # core 2.18 takes one argument
    answer: dict[str, Any] = parse(said, PROFILE) if "profile" in signature(parse).parameters else parse(said)
    return answer


@dataclass(frozen=True)
class Start:
    """What Ansible would start: the module by its short name and its ``main``, with all that it starts with.

    ``folder`` is the working directory, to which relative paths among the arguments belong.
    """

    name: str
    main: Callable[[], None]
    arguments: bytes
    environment: Mapping[str, Any]
    folder: str


def bears(environment: Mapping[str, Any]) -> bool:
    """Whether these variables mean the same after a fork; some are read but once, when a program starts."""
    return not any(str(key).startswith(AT_START) for key in environment)


def run(start: Start) -> dict[str, Any]:
    """What the module printed and how it ended: ``stdout`` and ``stderr`` (text), ``rc`` (negative: a signal)."""
    out, err = os.pipe(), os.pipe()
    try:
        child = multiprocessing.get_context("fork").Process(target=_become, args=(start, out, err), name=start.name)
        # Until it has handlers of its own those of the worker are in force in it, and they end the worker's group.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            child.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(out[1])
            os.close(err[1])
        stdout, stderr = _read(child.sentinel, out[0], err[0])
    finally:
        # Whatever ended the reading: a child that still runs sees that nobody listens, and stops.
        os.close(out[0])
        os.close(err[0])
    child.join()
    return {"rc": child.exitcode, "stdout": stdout, "stderr": stderr}


def _read(ended: int, *pipes: int) -> list[str]:
    """Everything that comes until the child ends; what its own children may hold open is not waited for."""
    said = {pipe: bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for handle in (ended, *pipes):
            selector.register(handle, selectors.EVENT_READ)
        for pipe in pipes:
            os.set_blocking(pipe, False)
        over = False
        while not over:
            over = ended in {key.fd for key, _events in selector.select()}
            for pipe in pipes:
                with suppress(BlockingIOError):
                    while chunk := os.read(pipe, CHUNK):
                        said[pipe] += chunk
                    if not over and pipe in selector.get_map():
                        selector.unregister(pipe)
    return [bytes(text).decode(errors="surrogateescape") for text in said.values()]


def _become(start: Start, out: tuple[int, int], err: tuple[int, int]) -> None:
    """The child: turn into the process that Ansible would have started for this module, and run it."""
    # What was registered to happen at the end is the controller's, such as the removal of its temporary folder.
    atexit._clear()
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    _name(start.name)
    for target, (reader, writer) in ((1, out), (2, err)):
        os.close(reader)
        os.dup2(writer, target)
        os.close(writer)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    # Ansible's log is the controller's: what libraries write to it passes no scrubber.
    logging.root.handlers.clear()
    os.chdir(start.folder)
    os.environ.update({str(key): str(value) for key, value in start.environment.items()})
    basic._ANSIBLE_ARGS = start.arguments
    with suppress(ImportError):  # core 2.18 has no profiles, and collects warnings wherever it runs
        from ansible.module_utils import _internal

        basic._ANSIBLE_PROFILE = PROFILE
        # Warnings belong into the module's answer, and not at once on the controller's screen.
        _internal.is_controller = False
    try:
        start.main()
    finally:
        sys.stdout.flush()
        atexit._run_exitfuncs()


def _name(name: str) -> None:
    """What ``ps -o comm`` and ``pgrep`` show of this process: the module, and not one more ansible-playbook."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
