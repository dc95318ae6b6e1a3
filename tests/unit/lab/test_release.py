# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases: what may be asked for, and what is in their image."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tarslab import archive, release
from tarslab.archive import Entry
from tarslab.errors import LabError

SOURCE = Path(__file__).resolve().parents[2] / "lab"


def test_faults_are_read_as_json_or_as_words() -> None:
    given = ["error_share=0.06", "latency_ms=300", "bad_drain=hang", "bad_reward=true"]
    assert release.parse_faults(given) == {
        "error_share": 0.06,
        "latency_ms": 300,
        "bad_drain": "hang",
        "bad_reward": True,
    }


def test_a_fault_without_a_value_is_refused() -> None:
    with pytest.raises(LabError, match=r"written NAME=VALUE, not 'error_share'; there are error_share, "):
        release.parse_faults(["error_share"])


@pytest.mark.parametrize(
    ("version", "faults", "said"),
    [
        ("1.1.0", {"x": 1}, r"No release was made: fault 'x' is unknown.*\."),
        ("1.1.0", {"error_share": "much"}, "takes a number"),
        ("not a tag", {}, "becomes an image's tag, which 'not a tag' cannot be"),
        ("", {}, "cannot be"),
    ],
)
def test_releases_that_cannot_be(version: str, faults: dict[str, Any], said: str) -> None:
    with pytest.raises(LabError, match=said):
        release.describe(version, faults)


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    """As much of a lab as a release needs: a base layer, a cache, and nodes that take every archive."""
    base, loaded = tmp_path / "root.tar", list[Path]()
    archive.write_layer(base, {"etc/base": Entry(b"base")})
    return SimpleNamespace(
        base_layers={"app": [base]},
        paths=SimpleNamespace(source=SOURCE, cache=tmp_path / "cache"),
        used=set(),
        console=SimpleNamespace(say=lambda _: None),
        loaded=loaded,
        load_images=loaded.append,
    )


def blob(tar: tarfile.TarFile, digest: str) -> bytes:
    member = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
    assert member is not None
    return member.read()


def test_an_image_is_two_thin_layers_on_a_base_that_is_not_sent_again(lab: Any) -> None:
    content = release.describe("1.1.0", {"error_share": 0.06}, ["api"])
    digest = release.ensure(lab, content)
    with tarfile.open(lab.loaded[-1]) as tar:
        manifest = json.loads(blob(tar, digest))
        base, code, last = (layer["digest"] for layer in manifest["layers"])
        assert f"blobs/sha256/{base.removeprefix('sha256:')}" not in tar.getnames()
        with tarfile.open(fileobj=io.BytesIO(blob(tar, last))) as layer:
            found = layer.extractfile("etc/tars/release.json")
            assert found is not None
            assert json.loads(found.read()) == content
        with tarfile.open(fileobj=io.BytesIO(blob(tar, code))) as layer:
            names = layer.getnames()
        assert "opt/tars/tarsapp/__main__.py" in names
        assert any(name.startswith("opt/tars/tarsapp/__pycache__/__main__.") for name in names)
        config = json.loads(blob(tar, manifest["config"]["digest"]))["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python3", "-m", "tarsapp"]


def test_the_same_release_is_the_same_image_and_another_one_is_not(lab: Any) -> None:
    one = release.ensure(lab, release.describe("1.1.0", {}))
    assert release.ensure(lab, release.describe("1.1.0", {})) == one
    assert release.ensure(lab, release.describe("1.1.0", {"latency_ms": 5})) != one
    assert release.ensure(lab, release.describe("1.1.1", {})) != one


def test_without_a_base_it_says_what_makes_one(lab: Any) -> None:
    lab.base_layers = {}
    with pytest.raises(LabError, match="`lab up` makes it"):
        release.ensure(lab, release.describe("1.1.0", {}))


def test_the_release_that_regions_begin_with_stays_good() -> None:
    with pytest.raises(LabError, match="name another version"):
        release.describe(release.STABLE, {"error_share": 0.5})
