# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image archives, written without any Docker: an OCI layout that `docker load` and containerd both take.

Images that share a layer file share it in the archive. Everything is reproducible: the same layers and settings give
the same digests.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import files, golang

EPOCH = "1970-01-01T00:00:00Z"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
PATH_ENV = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Layer:
    """An uncompressed tar file and its sha256 (hexadecimal)."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True)
class Image:
    """A name with tag, layers from the bottom up, and the config's inner part (Env, Entrypoint, Cmd, User, ...)."""

    name: str
    layers: tuple[Layer, ...]
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One member of a layer: a file's bytes or path, a link (`target`), or a folder when all are absent."""

    data: bytes | Path | None = None
    target: str | None = None
    mode: int = 0o755
    owner: int = 0


def layer(path: Path) -> Layer:
    """Return a tar file as a layer. Its digest is kept beside it in `NAME.sha256`, with size and time of the file."""
    note = path.with_name(path.name + ".sha256")
    stat = path.stat()
    known = files.read_json(note)
    if known.get("size") == stat.st_size and known.get("mtime") == stat.st_mtime_ns:
        return Layer(path, str(known["sha256"]), stat.st_size)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    files.write_json(note, {"sha256": found, "size": stat.st_size, "mtime": stat.st_mtime_ns})
    return Layer(path, found, stat.st_size)


def write_layer(out: Path, entries: dict[str, Entry]) -> Layer:
    """Write members (path without leading slash -> Entry) as a layer; folders above them are made as needed."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        made: set[str] = set()
        for name in sorted(entries):
            for parent in reversed(Path(name).parents[:-1]):
                if str(parent) not in made and str(parent) not in entries:
                    tar.addfile(_info(str(parent), Entry()))
                made.add(str(parent))
            _add(tar, name, entries[name])
    return layer(out)


def write(out: Path, images: Sequence[Image], have: Collection[str] = ()) -> dict[str, str]:
    """Write an archive and return each image's manifest digest (`sha256:...`).

    Layers whose digest is in `have` are left out: containerd takes such an archive when it holds them already, and
    Docker does not.
    """
    blobs: dict[str, bytes | Layer] = {}
    descriptors, legacy, digests = [], [], {}
    for image in images:
        config = _store(blobs, _config(image))
        manifest = _store(blobs, _manifest(image, config))
        digests[image.name] = f"sha256:{manifest[0]}"
        repository = image.name.rpartition(":")[0]
        for name in (image.name, f"{repository}@sha256:{manifest[0]}"):
            descriptors.append(_descriptor(MANIFEST, *manifest, {"io.containerd.image.name": name}))
        legacy.append(_legacy(image, config[0]))
        blobs.update({one.digest: one for one in image.layers})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": descriptors}
    partial = out.with_name(out.name + ".part")
    try:
        with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, "oci-layout", Entry(b'{"imageLayoutVersion":"1.0.0"}', mode=0o644))
            _add(tar, "index.json", Entry(_json(index), mode=0o644))
            if not have:
                _add(tar, "manifest.json", Entry(_json(legacy), mode=0o644))
            for digest, blob in sorted(blobs.items()):
                if digest not in have:
                    body = blob.path if isinstance(blob, Layer) else blob
                    _add(tar, f"blobs/sha256/{digest}", Entry(body, mode=0o644))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return digests


def digests(archive: Path) -> dict[str, str]:
    """Return the manifest digest of each image (by tag) in an archive that `write` made."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("index.json")
        index = json.load(member) if member else {"manifests": []}
    found = {d["annotations"]["io.containerd.image.name"]: d["digest"] for d in index["manifests"]}
    return {name: digest for name, digest in found.items() if "@" not in name}


def _config(image: Image) -> bytes:
    value = {
        "architecture": golang.arch(),
        "os": "linux",
        "created": EPOCH,
        "config": {"Env": [PATH_ENV], **image.config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one.digest}" for one in image.layers]},
        "history": [{"created": EPOCH, "created_by": "tars lab"} for _layer in image.layers],
    }
    return _json(value)


def _manifest(image: Image, config: tuple[str, int]) -> bytes:
    layers = [_descriptor(LAYER, one.digest, one.size) for one in image.layers]
    value = {"schemaVersion": 2, "mediaType": MANIFEST, "config": _descriptor(CONFIG, *config), "layers": layers}
    return _json(value)


def _legacy(image: Image, config: str) -> dict[str, Any]:
    layers = [f"blobs/sha256/{one.digest}" for one in image.layers]
    return {"Config": f"blobs/sha256/{config}", "RepoTags": [image.name], "Layers": layers}


def _descriptor(kind: str, digest: str, size: int, notes: dict[str, str] | None = None) -> dict[str, Any]:
    base: dict[str, Any] = {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}
    return {**base, "annotations": notes} if notes else base


def _store(blobs: dict[str, bytes | Layer], data: bytes) -> tuple[str, int]:
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return digest, len(data)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _info(name: str, entry: Entry) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
    info.type = tarfile.DIRTYPE if entry.data is None else tarfile.REGTYPE
    if entry.target is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
    return info


def _add(tar: tarfile.TarFile, name: str, entry: Entry) -> None:
    info = _info(name, entry)
    if isinstance(entry.data, Path):
        info.size = entry.data.stat().st_size
        with entry.data.open("rb") as stream:
            tar.addfile(info, stream)
    elif entry.data is not None:
        info.size = len(entry.data)
        tar.addfile(info, io.BytesIO(entry.data))
    else:
        tar.addfile(info)
