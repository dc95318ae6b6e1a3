# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry of images (the distribution project's, from Debian) on loopback, with images of the test's own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from .debian import Recipe, tree
from .server import Server

PROGRAM = "usr/bin/docker-registry"
RECIPE = Recipe("docker-registry", "bookworm", ("docker-registry",), (PROGRAM,))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class RegistryServer(Server):
    """A registry that keeps its images in its folder.

    ``htpasswd``: a line ``user:bcrypt hash`` when it asks for a login.
    """

    prefix = "tars-registry-"
    port_taken = "address already in use"

    def __init__(self, htpasswd: str = "", *, port: int | None = None, base: Path | None = None) -> None:
        super().__init__(port, base)
        self._htpasswd = htpasswd
        installed = shutil.which("docker-registry")
        self._program = Path(installed) if installed else tree(RECIPE, f"install Debian's {RECIPE.name}") / PROGRAM
        self._http = requests.Session()
        # A proxy in the environment is not for servers on loopback.
        self._http.trust_env = False

    @property
    def what(self) -> str:
        """What it is, at the beginning of a sentence."""
        return "The registry"

    @property
    def address(self) -> str:
        """Host and port, as the beginning of a reference."""
        return f"{self.host}:{self.port}"

    def push(self, repository: str, tag: str, content: bytes, auth: tuple[str, str] | None = None) -> str:
        """Push an image of one layer with that content; the digest of its manifest."""
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
        ).encode()
        parts = [(CONFIG, config), (LAYER, content)]
        described = [
            {"mediaType": kind, "size": len(raw), "digest": self.blob(repository, raw, auth)} for kind, raw in parts
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
        return self.manifest(repository, tag, manifest, MANIFEST, auth)

    def index(self, repository: str, tag: str, digests: Sequence[str]) -> str:
        """Push an index of platforms over manifests that are there; its digest."""
        platform = {"os": "linux", "architecture": "amd64"}
        found = [{"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": platform} for digest in digests]
        for item in found:
            answer = self._http.get(
                f"http://{self.address}/v2/{repository}/manifests/{item['digest']}", headers={"Accept": MANIFEST}
            )
            item["size"] = len(answer.content)
        return self.manifest(repository, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": found}, INDEX)

    def manifest(
        self, repository: str, tag: str, content: Mapping[str, Any], kind: str, auth: tuple[str, str] | None = None
    ) -> str:
        """Push a manifest; its digest."""
        raw = json.dumps(content).encode()
        url = f"http://{self.address}/v2/{repository}/manifests/{tag}"
        self._http.put(url, data=raw, headers={"Content-Type": kind}, auth=auth, timeout=10).raise_for_status()
        return f"sha256:{hashlib.sha256(raw).hexdigest()}"

    def blob(self, repository: str, raw: bytes, auth: tuple[str, str] | None = None) -> str:
        """Push a blob; its digest."""
        begun = self._http.post(f"http://{self.address}/v2/{repository}/blobs/uploads/", auth=auth, timeout=10)
        begun.raise_for_status()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        place = begun.headers["Location"]
        url = place if place.startswith("http") else f"http://{self.address}{place}"
        self._http.put(url, params={"digest": digest}, data=raw, auth=auth, timeout=10).raise_for_status()
        return digest

    def remove_blob(self, repository: str, digest: str) -> None:
        """Take a layer away below its image, as a broken garbage collection does."""
        self._http.delete(f"http://{self.address}/v2/{repository}/blobs/{digest}", timeout=10).raise_for_status()

    def _create(self) -> None:
        (self.folder / "data").mkdir()
        (self.folder / "htpasswd").write_text(f"{self._htpasswd}\n", encoding="utf-8")

    def _command(self) -> list[str | Path]:
        config: dict[str, Any] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.address},
        }
        if self._htpasswd:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        return [self._program, "serve", self.folder / "config.yml"]

    def _answers(self) -> bool:
        try:
            return self._http.get(f"http://{self.address}/v2/", timeout=1).status_code in (200, 401)
        except requests.RequestException:
            return False
