# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same collection in the two forms that people use: a checkout, and a tarball that Galaxy would serve."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def run(*argv: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the checkout's settings leaking in; its output is in the assertion when it fails."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(argv, cwd=cwd, env=clean | env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone of this tree holds: git's files, the new ones included, nothing of what tools left beside them."""
    folder = tmp_path_factory.mktemp("source")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder


@pytest.fixture(scope="module")
def tarball(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    run("ansible-galaxy", "collection", "build", "--output-path", str(folder), cwd=source)
    (file,) = folder.glob("tars-rollout-*.tar.gz")
    return file


def test_checkout(source: Path) -> None:
    run("ansible-playbook", "tests/integration/collection/probe.yml", cwd=source)


def test_tarball_leaves_the_workshop_out(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {name.split("/")[0] for name in archive.getnames()}
    assert {"plugins", "meta", "README.md", "LICENSE", "MANIFEST.json"} <= names
    assert not names & {".ansible", ".ci", ".git", ".gitignore", ".lab", ".venv", "build"}


def test_installed_tarball(tarball: Path, tmp_path: Path) -> None:
    place = tmp_path / "collections"
    install = ("ansible-galaxy", "collection", "install", "--offline", "--no-deps", "--collections-path", str(place))
    run(*install, str(tarball), cwd=tmp_path)
    shutil.copytree(HERE / "library", tmp_path / "library")
    shutil.copy(HERE / "probe.yml", tmp_path)
    run("ansible-playbook", "probe.yml", cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=str(place))
