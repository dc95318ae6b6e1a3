# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bench that could not miss its promise would prove nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def govern(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bench_govern, without what it puts on the path for itself."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("bench_govern", BENCH / "bench_govern.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("adds", "kept"), [(2.99, True), (3.0, True), (3.01, False), (-0.2, True)])
def test_governance_is_promised_to_add_three_seconds(govern: ModuleType, adds: float, kept: bool) -> None:
    assert [fine for _text, fine in govern.promises(adds)] == [kept]


@pytest.mark.parametrize(
    ("slow", "code", "word"), [(1.0, 0, "as promised"), (4.0, 1, "MISSED: governance adds 4.00 s")]
)
def test_the_bench_returns_it(
    govern: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    slow: float, code: int, word: str,
) -> None:  # fmt: skip
    """With plays whose time is given: the code that make sees, and the word that people see."""

    class Played(govern.World):  # type: ignore[misc, name-defined]
        def play(self, *_words: object, **_more: object) -> tuple[int, str]:
            return 0, ""

    monkeypatch.setattr(govern, "World", Played)
    monkeypatch.setattr(govern, "ROOT", tmp_path)
    monkeypatch.setattr(govern, "timed", lambda world: (5.0 + (slow if "govern_windows" in world.vars else 0), 1.0))
    assert govern.main() == code
    assert word in capfd.readouterr().err and (tmp_path / "build" / "bench" / "govern.json").is_file()
