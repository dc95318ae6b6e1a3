# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests, charts, bills and registries as they should not be: each a sentence, and never a way around the check."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tars_servers import RegistryServer

from .artifact_tools import BOM, Look, fault, hexdigest, image, seal

LIAR = b"[]"


def rewritten(release: Path, old: str, new: str) -> None:
    text = (release / "SHA256SUMS").read_text().replace(old, new)
    (release / "SHA256SUMS").write_bytes(text.encode())


@pytest.mark.parametrize(("old", "new"), [("  ", " *"), ("\n", "\r\n"), ("  ", "  ./")])
def test_other_forms_of_the_same_manifest(look: Look, release: Path, old: str, new: str) -> None:
    digest = look()["digest"]
    rewritten(release, old, new)
    assert look()["digest"] == digest


def test_upper_case_and_lines_that_are_there_twice(look: Look, release: Path) -> None:
    digest = look()["digest"]
    text = (release / "SHA256SUMS").read_text()
    upper = "".join(f"{line[:64].upper()}{line[64:]}\n" for line in text.splitlines())
    (release / "SHA256SUMS").write_text(text + upper)
    assert look()["digest"] == digest
    (release / "SHA256SUMS").write_text(f"{text}{'0' * 64}  ./bom.json\n")
    assert "bom.json is there twice" in str(fault(look))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"SHA256 (bom.json) = {'0' * 64}", "manifest_invalid"),
        (f"{'0' * 128}  bom.json", "manifest_invalid"),
        # Unicode ends a line here; sha256sum does not.
        (f"{'0' * 64}  a\u2028b", "manifest_invalid"),
        (f"{'0' * 64}  a\0b", "manifest_invalid"),
        (f"{'0' * 64}  a\x1b[31mred", "manifest_invalid"),
        (f"{'0' * 64}  SHA256SUMS", "file_changed"),
        (f"{'0' * 64}  migrations", "file_unreadable"),
        (f"{'0' * 64}  etc/passwd", "manifest_path"),
        (f"{'0' * 64}  loop", "file_unreadable"),
        # Reading it would wait for a writer that never comes.
        (f"{'0' * 64}  pipe", "file_unreadable"),
    ],
)
def test_a_line_too_many(look: Look, release: Path, line: str, reason: str) -> None:
    os.symlink("/etc", release / "etc")
    os.symlink("loop", release / "loop")
    os.mkfifo(release / "pipe")
    with (release / "SHA256SUMS").open("a") as file:
        file.write(f"{line}\n")
    error = fault(look)
    assert error.reason == reason and str(error).isprintable(), str(error)


def test_a_file_that_nobody_vouches_for(look: Look, release: Path) -> None:
    migrations = release / "migrations"
    assert look(whole=[str(migrations), "/srv/elsewhere"])["files"]
    (migrations / "v2.sql").write_text("drop table t;\n")
    assert look()["files"]
    error = fault(look, whole=[str(migrations)])
    assert error.reason == "file_not_in_manifest" and "migrations/v2.sql" in str(error)
    (migrations / "v2.sql").unlink()
    os.symlink("/srv/elsewhere", migrations / "more")
    assert fault(look, whole=[str(migrations)]).details["files"] == ["migrations/more"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chart": {"file": "tars-1.0.1.tgz", "versoin": "1.0.2"}}, "chart_invalid"),
        ({"sboms": [{"file": "bom.json", "vresion": "1.0.2"}]}, "sbom_invalid"),
        ({"signatures": [{"file": "bom.json", "kye": "x"}]}, "signature_invalid"),
        ({"sboms": [{"file": "bom.json"}], "forbid_severities": ["hihg"]}, "sbom_severity"),
    ],
)
def test_a_word_that_nobody_reads(look: Look, change: dict[str, Any], reason: str) -> None:
    assert fault(look, **change).reason == reason


@pytest.mark.parametrize("change", [{"metadata": [1]}, {"vulnerabilities": 5}, {"vulnerabilities": ["x"]}])
def test_a_bill_of_odd_parts(look: Look, release: Path, change: dict[str, Any]) -> None:
    (release / "bom.json").write_text(json.dumps({**BOM, **change}))
    seal(release)
    assert fault(look, sboms=[{"file": "bom.json"}], forbid_severities=["high"]).reason == "sbom_invalid"


def test_a_chart_with_two_voices(look: Look, release: Path) -> None:
    """We would read the one and Helm the other."""
    with tarfile.open(release / "tars-1.0.1.tgz", "w:gz") as archive:
        for folder, version in (("tars", "1.0.1"), ("other", "6.6.6")):
            text = f"name: tars\nversion: {version}\n".encode()
            entry = tarfile.TarInfo(f"{folder}/Chart.yaml")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    seal(release)
    error = fault(look, chart={"file": "tars-1.0.1.tgz", "version": "1.0.1"})
    assert error.reason == "file_unreadable" and "2 files Chart.yaml" in str(error)


def test_one_platform_of_an_index(look: Look, registry: RegistryServer) -> None:
    digest = registry.push("tars/api", "one", b"for one platform")
    top = registry.index("tars/api", "all", [digest])
    error = fault(look, images=[image(registry, digest, "all")])
    assert error.reason == "image_moved" and "one of its platforms" in str(error) and f"whole, {top}" in str(error)
    assert "pushed the tag again" in str(fault(look, images=[image(registry, top, "one")]))
    upper = {**image(registry, digest, "one"), "digest": f"sha256:{digest[7:].upper()}"}
    assert fault(look, images=[upper]).reason == "image_invalid"


@contextmanager
def registry_that_says(raw: bytes) -> Iterator[str]:
    """The address of a server with that one answer, which no registry would take as a manifest."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_words: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    "content",
    [
        {}, {"manifests": [{}]}, {"manifests": [1]}, {"manifests": None}, {"manifests": [{"digest": "../../x"}]},
        {"config": 1}, {"config": {"digest": f"sha256:{'0' * 64}"}, "layers": [1]}, {"layers": 5},
    ],
)  # fmt: skip
def test_what_is_no_image(look: Look, content: dict[str, Any]) -> None:
    raw = json.dumps(content).encode()
    with registry_that_says(raw) as host:
        named = {"name": "api", "image": f"{host}/tars/api", "digest": f"sha256:{hexdigest(raw)}"}
        error = fault(look, images=[named])
    assert error.reason == "image_unreadable" and "is no image" in str(error)


def test_what_is_no_manifest(look: Look) -> None:
    with registry_that_says(LIAR) as host:
        named = {"name": "api", "image": f"{host}/tars/api", "digest": f"sha256:{hexdigest(LIAR)}"}
        assert fault(look, images=[named]).reason == "image_changed"
