# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the servers' programs come from: named, installed, unpacked, or a sentence that says what to do."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tars_servers import ProgramMissing, ServerError, debian, programs
from tars_servers.debian import Recipe
from tarslab import cache, debtree

RECIPE = Recipe("thing", "bookworm", ("thing",), ("usr/bin/thing",))


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def postgres_bin(folder: Path, version: str) -> Path:
    for name in programs.NEEDED:
        program(folder / name, f"{name} (PostgreSQL) {version}")
    return folder


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing installed, no apt and an empty cache."""
    monkeypatch.setattr(programs, "INSTALLED", tmp_path / "installed")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(debian, "SHARED_CACHE", tmp_path / "cache")
    monkeypatch.delenv(programs.POSTGRES_BIN, raising=False)
    monkeypatch.delenv(programs.PROMETHEUS, raising=False)
    programs._postgres.cache_clear()
    programs._prometheus.cache_clear()
    return tmp_path


def test_named_goes_before_installed_goes_before_path(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_path = postgres_bin(bare / "path", "16.1")
    assert programs.postgres() == programs.Postgres(in_path, "16.1")
    postgres_bin(bare / "installed/9/bin", "9.6.24")
    newest = postgres_bin(bare / "installed/17/bin", "17.2 (Debian 17.2-1)")
    programs._postgres.cache_clear()
    assert programs.postgres() == programs.Postgres(newest, "17.2")
    assert programs.postgres(16).bin == in_path
    named = [postgres_bin(bare / f"named{major}", f"{major}.3") for major in (15, 18)]
    monkeypatch.setenv(programs.POSTGRES_BIN, ":".join(map(str, named)))
    assert programs.postgres().bin == named[0]
    assert programs.postgres(18).bin == named[1]
    assert programs.postgres(17).bin == newest


def test_a_named_folder_without_the_programs_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(programs.POSTGRES_BIN, str(bare))
    with pytest.raises(ServerError, match=r"TARS_POSTGRES_BIN names .*, which has no program postgres: give"):
        programs.postgres()


def test_prometheus_is_named_or_in_path(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "prometheus, version 2.42.0+ds (branch: debian/sid)"
    in_path = program(bare / "path/prometheus", said)
    assert programs.prometheus() == programs.Prometheus(in_path, None, "2.42.0")
    named = program(bare / "named/prometheus", "prometheus, version 3.5.3")
    tool = program(bare / "named/promtool", "promtool")
    monkeypatch.setenv(programs.PROMETHEUS, str(named))
    assert programs.prometheus() == programs.Prometheus(named, tool, "3.5.3")
    assert programs.prometheus(2).server == in_path
    monkeypatch.setenv(programs.PROMETHEUS, str(bare / "nothing"))
    with pytest.raises(ServerError, match=r"TARS_PROMETHEUS names .*/nothing, which is no program"):
        programs.prometheus()


def test_without_apt_one_sentence_says_what_to_do(bare: Path) -> None:
    with pytest.raises(ProgramMissing) as raised:
        programs.postgres(15)
    assert str(raised.value) == (
        "postgresql-15 is not installed and this machine has no apt to fetch it with: install PostgreSQL 15 (the "
        "server's package), or set TARS_POSTGRES_BIN to the folder of its programs."
    )
    with pytest.raises(ProgramMissing, match=r"install Prometheus 2, or set TARS_PROMETHEUS to the path"):
        programs.prometheus()


def test_a_version_that_debian_never_had_is_refused(bare: Path) -> None:
    with pytest.raises(
        ProgramMissing, match=r"PostgreSQL 16 is neither installed nor in a release of Debian known here"
    ):
        programs.postgres(16)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """An empty cache whose trees are made without a network; the list gets an item for each."""
    calls: list[str] = []

    def make(recipe: Recipe, scratch: Path, *_: object) -> None:
        calls.append(recipe.name)
        program(scratch / "tree/usr/bin/thing", "thing 1.0")
        cache.stamp(scratch / "tree")

    monkeypatch.setattr(debian, "_make", make)
    monkeypatch.setattr(debian, "cache_root", lambda: tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(debtree, "sources", lambda *_: "")
    monkeypatch.setattr(debtree, "host_suite", lambda: "bookworm")
    return calls


def test_two_at_once_make_a_tree_once(made: list[str], tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(debian.tree(RECIPE, ""))) for _round in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["thing"]
    assert found == [tmp_path / RECIPE.key] * 4
    assert sorted(p.name for p in tmp_path.iterdir()) == [RECIPE.key, f"{RECIPE.key}.lock"]


def test_what_a_killed_run_left_is_removed(made: list[str], tmp_path: Path) -> None:
    program(tmp_path / f".tmp-{RECIPE.key}-old" / "tree/usr/bin/thing", "half")
    debian.tree(RECIPE, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == [RECIPE.key, f"{RECIPE.key}.lock"]


def test_a_damaged_tree_is_made_again(made: list[str]) -> None:
    thing = debian.tree(RECIPE, "") / "usr/bin/thing"
    thing.write_text("")
    assert debian.tree(RECIPE, "") == thing.parents[2]
    assert thing.stat().st_size and made == ["thing"] * 2


def test_a_download_that_fails_leaves_nothing(made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise ServerError("`apt-get update` ended with code 100; it said: nothing")

    monkeypatch.setattr(debian, "_make", fail)
    with pytest.raises(
        ProgramMissing, match=r"thing could not be fetched from Debian bookworm .*code 100.*; do this\."
    ):
        debian.tree(RECIPE, "do this")
    assert [p.name for p in tmp_path.iterdir()] == [f"{RECIPE.key}.lock"]


def test_another_suite_package_or_folder_has_another_key() -> None:
    other = Recipe("thing", "bookworm", ("thing", "more"), RECIPE.programs)
    reading = replace(RECIPE, reads=("/usr/share/thing",))
    assert len({RECIPE.key, other.key, reading.key, replace(RECIPE, suite="trixie").key}) == 4
