# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image archives: reproducible, shared layers once, known by tag and by digest."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

from tarslab import archive
from tarslab.archive import Entry, Image


def content(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {m.name: f.read() for m in tar.getmembers() if (f := tar.extractfile(m)) is not None}


def index(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(content(path)["index.json"])["manifests"]
    return found


def two_images(folder: Path) -> list[Image]:
    base = archive.write_layer(folder / "base.tar", {"etc/base": Entry(b"base", mode=0o644)})
    top = archive.write_layer(folder / "top.tar", {"usr/bin/tool": Entry(b"tool")})
    return [
        Image("lab.invalid/one:1", (base,)),
        Image("lab.invalid/two:2", (base, top), {"Entrypoint": ["/usr/bin/tool"]}),
    ]


def test_every_blob_is_named_after_its_content(tmp_path: Path) -> None:
    archive.write(tmp_path / "images.tar", two_images(tmp_path))
    blobs = {n: d for n, d in content(tmp_path / "images.tar").items() if n.startswith("blobs/")}
    assert len(blobs) == 6  # two layers, two configs, two manifests
    for name, data in blobs.items():
        assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2]


def test_images_are_known_by_tag_and_by_digest(tmp_path: Path) -> None:
    digests = archive.write(tmp_path / "images.tar", two_images(tmp_path))
    names = {d["annotations"]["io.containerd.image.name"]: d["digest"] for d in index(tmp_path / "images.tar")}
    one = digests["lab.invalid/one:1"]
    assert names["lab.invalid/one:1"] == one
    assert names[f"lab.invalid/one@{one}"] == one
    assert archive.digests(tmp_path / "images.tar") == digests


def test_same_input_same_archive(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        archive.write(tmp_path / name / "images.tar", two_images(tmp_path / name))
    first, second = ((tmp_path / n / "images.tar").read_bytes() for n in ("first", "second"))
    assert first == second


def test_layers_that_nodes_hold_are_left_out(tmp_path: Path) -> None:
    images = two_images(tmp_path)
    whole = archive.write(tmp_path / "whole.tar", images)
    thin = archive.write(tmp_path / "thin.tar", images, have={images[0].layers[0].digest})
    assert thin == whole
    left_out = set(content(tmp_path / "whole.tar")) - set(content(tmp_path / "thin.tar"))
    assert left_out == {f"blobs/sha256/{images[0].layers[0].digest}", "manifest.json"}


def test_older_docker_finds_its_own_list(tmp_path: Path) -> None:
    archive.write(tmp_path / "images.tar", two_images(tmp_path))
    found = content(tmp_path / "images.tar")
    for one in json.loads(found["manifest.json"]):
        assert one["Config"] in found
        assert set(one["Layers"]) <= set(found)


def test_layer_has_folders_links_modes_and_owner(tmp_path: Path) -> None:
    entries = {
        "tmp": Entry(mode=0o1777),
        "opt/cni/bin/ptp": Entry(target="/usr/lib/cni/ptp"),
        "etc/x": Entry(b"x", mode=0o600, owner=999),
    }
    archive.write_layer(tmp_path / "layer.tar", entries)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        members = {m.name: m for m in tar.getmembers()}
    assert members["tmp"].isdir() and members["tmp"].mode == 0o1777
    assert members["opt/cni/bin/ptp"].issym()
    assert members["opt/cni"].isdir()
    assert (members["etc/x"].mode, members["etc/x"].uid, members["etc/x"].size) == (0o600, 999, 1)


def test_digest_of_a_changed_layer_is_not_taken_from_the_note(tmp_path: Path) -> None:
    path = tmp_path / "base.tar"
    before = archive.write_layer(path, {"a": Entry(b"1")})
    after = archive.write_layer(path, {"a": Entry(b"22")})
    assert before.digest != after.digest
    assert after.digest == hashlib.sha256(path.read_bytes()).hexdigest()
