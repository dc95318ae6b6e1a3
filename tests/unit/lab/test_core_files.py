# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing half written is ever taken for whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tarslab import cache, files, locks
from tarslab.console import Console
from tarslab.context import Lab
from tarslab.errors import LabError
from tarslab.state import open_lab

LAB = Path(__file__).resolve().parents[2] / "lab"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    checkout = tmp_path / "checkout"
    (checkout / "tests").mkdir(parents=True)
    (checkout / "tests" / "lab").symlink_to(LAB)
    return open_lab(checkout)


def test_failed_write_keeps_the_old_text(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    files.write_atomic(target, "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_atomic(target, "\ud800")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_mode_of_a_secret(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "secret", "x", mode=0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [None, "", "{", "[1]", "\x00"])
def test_absent_or_damaged_json_reads_as_empty(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    assert files.read_json(tmp_path / "x.json") == {}


def test_digest_sees_names_contents_and_limits(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = files.digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert files.digest(tmp_path) != before
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest("a") == files.digest(b"a")


def test_artefact_is_made_once(lab: Lab) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "program").write_text("whole")

    first = cache.artefact(lab, "programs", "x-1", make)
    assert cache.artefact(lab, "programs", "x-1", make) == first
    assert len(made) == 1
    assert (first / "program").read_text() == "whole"


@pytest.mark.parametrize("damage", ["truncate", "remove", "unstamp", "empty stamp"])
def test_damaged_artefact_is_made_again(lab: Lab, damage: str) -> None:
    def make(folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "sub" / "program").write_text("whole")

    folder = cache.artefact(lab, "programs", "x-1", make)
    stamp = folder / cache.STAMP
    actions: dict[str, Callable[[], None]] = {
        "truncate": lambda: os.truncate(folder / "sub" / "program", 2),
        "remove": (folder / "sub" / "program").unlink,
        "unstamp": stamp.unlink,
        "empty stamp": lambda: os.truncate(stamp, 0),
    }
    actions[damage]()
    assert not cache.whole(folder)
    cache.artefact(lab, "programs", "x-1", make)
    assert (folder / "sub" / "program").read_text() == "whole"
    assert cache.whole(folder)


def test_interrupted_making_leaves_nothing(lab: Lab) -> None:
    def make(folder: Path) -> None:
        (folder / "program").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.artefact(lab, "programs", "x-1", make)
    assert not (lab.paths.cache / "programs").exists()
    assert list((lab.paths.cache / "tmp").iterdir()) == []


def test_scratch_of_a_dead_process_is_removed(lab: Lab) -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = lab.paths.cache / "tmp" / f"node.{int(child.stdout)}"
    left.mkdir(parents=True)
    cache.fresh(lab, "other")
    assert not left.exists()


def test_garbage_is_what_no_living_checkout_uses(lab: Lab, tmp_path: Path) -> None:
    for name in ("used", "gone", "old"):
        cache.artefact(lab, "trees", name, lambda folder: None)
    lab.used = {lab.paths.cache / "trees" / "used"}
    cache.keep(lab)
    files.write_json(
        lab.paths.cache / "uses" / "abcdef.json", {"root": str(tmp_path / "removed"), "uses": ["trees/gone"]}
    )
    assert [p.name for p in cache.garbage(lab.paths.cache)] == ["gone", "old"]


def test_second_command_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from tarslab import locks\n"
        "with locks.only_one(Path(sys.argv[1]), 'lab up'):\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(LAB)}
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LabError) as caught, locks.only_one(path, "lab down"):
            pass
        assert locks.is_held(path)
        assert f"process {holder.pid}" in str(caught.value)
        assert "lab up" in str(caught.value)
        holder.kill()
        holder.wait()
    assert not locks.is_held(path)
    # The kernel has taken the lock back; nothing is left to clear up by hand.
    with locks.only_one(path, "lab down"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_times_are_remembered_for_the_next_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    timings = tmp_path / "timings.json"
    with Console(timings).step("long work"):
        time.sleep(1.6)
    files.write_json(timings, {**files.read_json(timings), "long work": 245.0})
    with Console(timings).step("long work"):
        pass
    assert "usually 4 min 05 s" in capsys.readouterr().err
    # A step that found everything done must not become what is usual.
    assert files.read_json(timings)["long work"] == 245.0
