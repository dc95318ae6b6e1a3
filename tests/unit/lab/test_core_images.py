# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: whether they are pulled or built, and what they are called in the nodes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from tarslab import images, pins
from tarslab.console import Console
from tarslab.context import Lab
from tarslab.errors import LabError
from tarslab.identity import identify, locate

SOURCE = Path(__file__).resolve().parents[2] / "lab"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab in an empty folder, and no wish of the user's about images."""
    monkeypatch.delenv("LAB_IMAGES", raising=False)
    monkeypatch.setattr(images, "PROBE_SECONDS", 1.0)
    identity = identify(tmp_path)
    console = Console(stream=io.StringIO())
    return Lab(identity, locate(identity, {"HOME": str(tmp_path)}), console, pins.load(SOURCE / "pins.toml"))


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `docker` in PATH, to be written by the test."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "docker"


def write(program: Path, body: str) -> None:
    program.write_text(f"#!/usr/bin/env bash\n{body}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('[ "$1 $2" = "pull redis:7.0" ]', "pull"),
        ("echo 'lookup registry: no such host' >&2; exit 1", "build"),
        ("echo '7.0: Pulling from library/redis'; echo 'toomanyrequests' >&2; exit 1", "build"),
        ("exec sleep 20", "build"),
        ("echo '7.0: Pulling from library/redis'; exec sleep 20", "pull"),
    ],
)
def test_docker_itself_says_whether_a_registry_answers(lab: Lab, docker: Path, body: str, wanted: str) -> None:
    write(docker, body)
    assert images.mode(lab, "own", None) == wanted


def test_what_the_lab_did_before_is_not_asked_again(lab: Lab, docker: Path) -> None:
    write(docker, "exit 1")
    assert images.mode(lab, "own", "pull") == "pull"


def test_private_docker_never_pulls(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert images.mode(lab, "private", None) == "build"
    monkeypatch.setenv("LAB_IMAGES", "pull")
    with pytest.raises(LabError, match="needs a Docker of your own"):
        images.mode(lab, "private", None)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("redis:7.0", "docker.io/library/redis:7.0"),
        ("istio/pilot:1.28.0", "docker.io/istio/pilot:1.28.0"),
        ("registry.example/istio/pilot:1", "registry.example/istio/pilot:1"),
        ("127.0.0.1:5000/redis:7.0", "127.0.0.1:5000/redis:7.0"),
        ("localhost/redis:7.0", "localhost/redis:7.0"),
    ],
)
def test_nodes_know_images_by_their_full_names(name: str, wanted: str) -> None:
    assert images.qualified(name) == wanted
