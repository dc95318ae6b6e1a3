# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs: started in sessions of their own, ended with us, their last words in the error."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .errors import Interrupted, LabError

TAIL = 12
"""Lines of a failed program's output that go into the error."""

_children: dict[int, subprocess.Popen[bytes]] = {}
# Re-entrant: a signal may arrive in the very thread that holds it.
_guard = threading.RLock()
_stopping = threading.Event()


class CommandError(LabError):
    """A program that ended badly. `output` is what it said (stderr, or the end of its log)."""

    def __init__(self, argv: Sequence[str], code: int, output: str, log: Path | None) -> None:
        self.argv, self.code, self.output, self.log = list(argv), code, output, log
        said = "\n    ".join(output.strip().splitlines()[-TAIL:]) or "nothing"
        where = f" (whole output: {log})" if log else ""
        super().__init__(f"`{_short(argv)}` ended with code {code}{where}; it said:\n    {said}")


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    stdin: Path | None = None,
    text: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program to its end and return its stdout (empty with `log`, which then takes stdout and stderr).

    `env` is added to our own environment, `stdin` is a file and `text` a text to read from. Raises CommandError for
    any code but 0, LabError after `timeout` seconds or when there is no such program, Interrupted when we have to end.
    """
    args = [str(a) for a in argv]
    with contextlib.ExitStack() as stack:
        source: int | IO[bytes] = subprocess.PIPE if text is not None else subprocess.DEVNULL
        if stdin is not None:
            source = stack.enter_context(stdin.open("rb"))
        sink: int | IO[bytes] = subprocess.PIPE
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            sink = stack.enter_context(log.open("ab"))
            sink.write(f"\n$ {shlex.join(args)}\n".encode())
            sink.flush()
        start = log.stat().st_size if log else 0
        err = subprocess.STDOUT if log else subprocess.PIPE
        child = _start(args, env=env, cwd=cwd, stdin=source, stdout=sink, stderr=err)
        out, complaint = _finish(child, args, text, timeout)
    if child.returncode == 0:
        return out
    if _stopping.is_set():
        raise Interrupted(f"`{_short(args)}` was ended.")
    said = _from(log, start) if log else f"{out}\n{complaint}".strip()
    raise CommandError(args, child.returncode, said, log)


def succeeds(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = 30) -> bool:
    """Return whether a program ends with code 0 within `timeout` seconds; one that is missing does not."""
    try:
        run(argv, env=env, timeout=timeout)
    except Interrupted:
        raise
    except LabError:
        return False
    return True


def spawn(argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> int:
    """Start a program that outlives us, its output in `log`; return its process id."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            [str(a) for a in argv],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    return child.pid


def ask_all_to_stop() -> None:
    """Send SIGTERM to every program that `run` has started and let no new one start; does not wait."""
    _stopping.set()
    with _guard:
        mine = list(_children.values())
    for child in mine:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)


def stop_all() -> None:
    """End every program that `run` has started, with all its children, and let no new one start."""
    _stopping.set()
    with _guard:
        mine = list(_children.values())
    for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
        for child in mine:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
        for child in mine:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)


def _start(args: list[str], **options: Any) -> subprocess.Popen[bytes]:
    added = options.pop("env")
    with _guard:
        if _stopping.is_set():
            raise Interrupted(f"`{_short(args)}` was not started any more.")
        try:
            child = subprocess.Popen(args, env={**os.environ, **(added or {})}, start_new_session=True, **options)
        except FileNotFoundError as error:
            raise LabError(f"The program {args[0]} is not there (wanted for `{_short(args)}`).") from error
        _children[child.pid] = child
    return child


def _finish(
    child: subprocess.Popen[bytes], args: list[str], text: str | None, timeout: float | None
) -> tuple[str, str]:
    try:
        out, err = child.communicate(text.encode() if text is not None else None, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _end(child)
        raise LabError(f"`{_short(args)}` had not ended after {timeout:.0f} s and was stopped.") from error
    except BaseException:
        _end(child)
        raise
    finally:
        with _guard:
            _children.pop(child.pid, None)
    return (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace")


def _end(child: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        try:
            child.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue


def _from(log: Path, start: int) -> str:
    with log.open("rb") as stream:
        stream.seek(start)
        return stream.read()[-200_000:].decode(errors="replace")


def _short(argv: Sequence[str]) -> str:
    line = shlex.join([Path(argv[0]).name, *argv[1:]])
    return line if len(line) <= 160 else line[:157] + "..."
