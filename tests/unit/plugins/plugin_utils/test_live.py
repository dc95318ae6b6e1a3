# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._progress import Line, Progress
from ansible_collections.tars.rollout.plugins.plugin_utils import _live
from ansible_collections.tars.rollout.plugins.plugin_utils._live import LiveAction, Tail, render
from hypothesis import given
from hypothesis import strategies as st


def test_a_line_reads_as_designed() -> None:
    line = {
        "region": "us-west-2",
        "step": "backend[1] 10 %",
        "subject": "api",
        "seen": "error_rate 23/378 (6.1 %) vs stable 1.0 %  412:1 against",
        "result": "ROLLBACK",
        "token": "never shown",
    }
    expected = "us-west-2 backend[1] 10 %  api  error_rate 23/378 (6.1 %) vs stable 1.0 %  412:1 against  ROLLBACK"
    assert render(json.dumps(line).encode()) == expected


@given(st.binary() | st.recursive(st.none() | st.text(), lambda x: st.dictionaries(
    st.sampled_from(["region", "step", "seen", "odd"]), x)).map(lambda data: json.dumps(data).encode()))  # fmt: skip
def test_anything_becomes_one_harmless_line_or_none(raw: bytes) -> None:
    shown = render(raw)
    assert len(shown) <= _live.MAX_LENGTH and (not shown or shown.isprintable())


def test_a_tail_shows_whole_lines_in_order_and_leaves_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.touch()
    shown: list[str] = []
    with path.open("rb") as reader:
        tail = Tail(reader.fileno(), shown.append)
        tail.start()
        progress = Progress(str(path))
        for number in range(500):
            progress.line(Line("r", f"{number}"))
        with path.open("ab") as file:
            file.write(b'not ours\n{"region": "torn')
        tail.finish()
    assert shown == [f"r {number}" for number in range(500)]


def test_an_interrupting_signal_is_not_for_the_thread() -> None:
    masks: list[set[Any]] = []
    with _live.signals_kept_for_this_thread():
        thread = threading.Thread(target=lambda: masks.append(_live.signal.pthread_sigmask(_live.signal.SIG_BLOCK, [])))
        thread.start()
    thread.join()
    assert _live.signal.SIGTERM in masks[0]
    assert _live.signal.SIGTERM not in _live.signal.pthread_sigmask(_live.signal.SIG_BLOCK, [])


@pytest.mark.parametrize(("transport", "no_log", "lines"), [("local", False, 1), ("ssh", False, 0), ("local", True, 0)])
def test_the_path_goes_to_local_modules_only_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str, no_log: bool, lines: int
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(_live, "Display", lambda: SimpleNamespace(display=lambda text, stderr: shown.append(text)))
    monkeypatch.setattr(_live.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    action = LiveAction.__new__(LiveAction)
    action._connection = SimpleNamespace(transport=transport)
    action._task = SimpleNamespace(no_log=no_log, environment=[{"A": "b"}])

    @contextmanager
    def lived() -> Iterator[str]:
        with action._live_lines():
            yield next((item[_live.PATH_VARIABLE] for item in action._task.environment if "A" not in item), "")

    with lived() as path:
        assert bool(path) == bool(lines)
        Progress(path).line(Line("r", "s"))
        if path:
            assert os.stat(path).st_mode & 0o077 == 0
    assert len(shown) == lines
    assert action._task.environment == [{"A": "b"}] and os.listdir(tmp_path) == []


def test_only_the_running_interpreter_itself_is_the_same_one(tmp_path: Path) -> None:
    running = Path(sys.executable)
    (tmp_path / running.name).symlink_to(running)
    assert _live._same_interpreter(str(running))
    # The same file, but of another environment, which has other packages.
    assert not _live._same_interpreter(str(tmp_path / running.name))
    for other in ("auto_silent", "", str(running.parent), str(running.parent / "none")):
        assert not _live._same_interpreter(other)
