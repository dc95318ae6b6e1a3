# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on disk, images in a real registry, signatures by real keys: one odd byte stops the release."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber
from tars_servers import RegistryServer
from tars_servers.registry import CONFIG, MANIFEST

from .artifact_tools import BOM, Look, fault, hexdigest, image, seal

# Of the password below, by bcrypt with few rounds.
HTPASSWD = "ci:$2b$04$vg58.CSxoFNZlNyjMTV/AOO1d2F/wIfo1MDH37aUt/9JGCDjWTPJ6"
PASSWORD = "s3cret-word"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair as cosign makes one: ECDSA on P-256."""
    folder = tmp_path_factory.mktemp("cosign")
    make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "cosign.key"]
    subprocess.run(make, check=True)
    show = ["openssl", "ec", "-in", folder / "cosign.key", "-pubout", "-out", folder / "cosign.pub"]
    subprocess.run(show, check=True, capture_output=True)
    return folder / "cosign.key"


def signature(key: Path, message: bytes) -> str:
    """What ``cosign sign-blob --key`` writes."""
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=message, capture_output=True, check=True)
    return base64.b64encode(done.stdout).decode()


def test_a_release_as_it_was_built(look: Look) -> None:
    found = look(
        chart={"file": "tars-1.0.1.tgz", "name": "tars", "version": "v1.0.1", "app_version": "1.0.1"},
        sboms=[{"file": "bom.json"}],
    )
    assert found["files"] == ["bom.json", "migrations/v1.sql", "tars-1.0.1.tgz"] and found["digest"].startswith(
        "sha256:"
    )
    assert found["chart"] == {"name": "tars", "version": "1.0.1", "appVersion": "v1.0.1"}
    assert found["sboms"] == [{"file": "bom.json", "about": "tars 1.0.1"}]
    assert look()["digest"] == found["digest"]


def test_a_tampered_byte_and_a_missing_file(look: Look, release: Path) -> None:
    before = look()["digest"]
    sql = release / "migrations" / "v1.sql"
    sql.write_text(sql.read_text().replace("(c)", "(d)"))
    error = fault(look)
    assert error.reason == "file_changed" and error.details["changed"] == ["migrations/v1.sql"]
    seal(release)
    assert look()["digest"] != before
    sql.unlink()
    assert fault(look).reason == "file_missing"


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "./../outside", "a//b", "a\\b"])
def test_a_path_that_leaves_the_folder(look: Look, release: Path, name: str) -> None:
    (release.parent / "outside").write_text("x")
    (release / "SHA256SUMS").write_text(f"{hexdigest(b'x')}  {name}\n")
    assert fault(look).reason in ("manifest_path", "manifest_invalid")
    assert fault(look, files={name: hexdigest(b"x")}, sums="").reason == "manifest_path"


def test_a_link_that_leaves_the_folder(look: Look, release: Path) -> None:
    (release.parent / "outside").write_text("x")
    os.symlink(release.parent / "outside", release / "inside")
    (release / "SHA256SUMS").write_text(f"{hexdigest(b'x')}  inside\n")
    assert fault(look).reason == "manifest_path"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no file"),
        ("abc  x\n", "line 1"),
        (f"{'0' * 64}  x\n{'1' * 64}  x\n", "twice"),
        ("\\" + "0" * 64 + "  a\\nb\n", "line 1"),
    ],
)
def test_a_manifest_that_is_none(look: Look, release: Path, text: str, words: str) -> None:
    (release / "SHA256SUMS").write_text(text)
    assert fault(look).reason == "manifest_invalid" and words in str(fault(look))


def test_another_chart_and_another_bill(look: Look, release: Path) -> None:
    assert fault(look, chart={"file": "tars-1.0.1.tgz", "version": "1.0.2"}).reason == "chart_other_version"
    assert fault(look, chart={"file": "bom.json"}).reason == "file_unreadable"
    # Beside the manifest, where nobody vouches for it.
    (release / "loose-1.0.1.tgz").write_bytes((release / "tars-1.0.1.tgz").read_bytes())
    assert fault(look, chart={"file": "loose-1.0.1.tgz"}).reason == "chart_not_in_manifest"
    right = {"file": "tars-1.0.1.tgz", "used": str(release / "migrations" / ".." / "tars-1.0.1.tgz")}
    assert look(chart=right)["chart"]
    for used in (str(release / "loose-1.0.1.tgz"), "oci://registry.example.net/tars", "/srv/charts/tars"):
        assert fault(look, chart={**right, "used": used}).reason == "chart_other_file"
    assert fault(look, sboms=[{"file": "bom.json", "version": "1.0.2"}]).reason == "sbom_other_version"
    assert fault(look, sboms=[{"file": "other.json"}]).reason == "sbom_invalid"
    (release / "spdx.json").write_text(json.dumps({
        "spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "SPDXRef-t", "name": "tars", "versionInfo": "1.0.1"}],
        "relationships": [{"relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-t"}],
    }))  # fmt: skip
    bad = {"id": "CVE-2026-1", "ratings": [{"severity": "high"}]}
    (release / "bom.json").write_text(json.dumps({**BOM, "vulnerabilities": [bad]}))
    seal(release)
    assert look(sboms=[{"file": "spdx.json"}])["sboms"][0]["about"] == "tars 1.0.1"
    assert look(sboms=[{"file": "bom.json"}])["sboms"]
    strict = {"sboms": [{"file": "bom.json"}], "forbid_severities": ["high", "critical"]}
    assert fault(look, **strict).reason == "sbom_vulnerable" and "CVE-2026-1 (high)" in str(fault(look, **strict))
    (release / "bom.json").write_text(
        json.dumps({**BOM, "vulnerabilities": [{**bad, "analysis": {"state": "not_affected"}}]})
    )
    seal(release)
    assert look(**strict)["sboms"]


def test_signed_files(look: Look, release: Path, key: Path) -> None:
    sums = (release / "SHA256SUMS").read_bytes()
    (release / "SHA256SUMS.sig").write_text(signature(key, sums))
    asked = {"signatures": [{"file": "SHA256SUMS"}], "signing_key": str(key.with_suffix(".pub"))}
    assert look(**asked)["signed"] == ["SHA256SUMS"]
    (release / "SHA256SUMS.sig").write_text(signature(key, sums + b"#"))
    assert fault(look, **asked).reason == "artifact_signature"
    assert fault(look, **{**asked, "signing_key": str(release / "bom.json")}).reason == "key_invalid"
    assert fault(look, **{**asked, "signing_key": None}).reason == "key_missing"


def test_images_of_a_real_registry(look: Look, registry: RegistryServer) -> None:
    digest = registry.push("tars/api", "v1.0.1", b"the new release")
    found = look(images=[image(registry, digest)])
    assert found["images"][0]["digests"][0] == digest and len(found["images"][0]["digests"]) == 2
    top = registry.index("tars/api", "multi", [digest])
    found = look(images=[image(registry, top, "multi")])
    assert found["images"][0]["digests"][:2] == [top, digest] and len(found["images"][0]["digests"]) == 3
    # What it returns can be given again, as the role does before traffic moves.
    assert look(images=found["images"], pull=False)["digest"] == found["digest"]


def test_what_the_registry_does_not_have(look: Look, registry: RegistryServer) -> None:
    digest = registry.push("tars/api", "v1.0.1", b"the new release")
    gone = "sha256:" + "0" * 64
    assert fault(look, images=[image(registry, gone)]).reason == "image_missing"
    assert fault(look, images=[image(registry, digest, "v9")]).reason == "image_missing"
    other = registry.push("tars/api", "v1.0.1", b"pushed again under the same tag")
    error = fault(look, images=[image(registry, digest)])
    assert error.reason == "image_moved" and other in str(error)


def test_a_layer_that_is_gone(look: Look, registry: RegistryServer) -> None:
    digest = registry.push("tars/hole", "v1.0.1", b"a layer to lose")
    registry.remove_blob("tars/hole", f"sha256:{hexdigest(b'a layer to lose')}")
    error = fault(look, images=[image(registry, digest, repository="tars/hole")])
    assert error.reason == "image_missing" and "its part sha256:" in str(error)


def test_images_signed_in_their_registry(look: Look, registry: RegistryServer, key: Path) -> None:
    """What ``cosign sign --key`` leaves in a registry: a statement about the digest, its signature as an annotation."""
    digest = registry.push("tars/signed", "v1.0.1", b"signed")
    asked = {"images": [image(registry, digest, repository="tars/signed")], "image_key": str(key.with_suffix(".pub"))}
    assert fault(look, **asked).reason == "artifact_signature"

    def sign(about: str) -> None:
        critical = {"image": {"docker-manifest-digest": about}, "type": "cosign container image signature"}
        payload = json.dumps({"critical": critical, "optional": None}).encode()
        config = {"mediaType": CONFIG, "size": 2, "digest": registry.blob("tars/signed", b"{}")}
        layer = {
            "mediaType": SIMPLE_SIGNING,
            "size": len(payload),
            "digest": registry.blob("tars/signed", payload),
            "annotations": {"dev.cosignproject.cosign/signature": signature(key, payload)},
        }
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        registry.manifest("tars/signed", f"{digest.replace(':', '-')}.sig", manifest, MANIFEST)

    sign("sha256:" + "0" * 64)
    assert fault(look, **asked).reason == "artifact_signature"
    sign(digest)
    assert look(**asked)["images"]


def test_a_registry_with_a_login(look: Look) -> None:
    with RegistryServer(HTPASSWD) as closed:
        digest = closed.push("tars/api", "v1.0.1", b"secret", ("ci", PASSWORD))
        asked = {"images": [image(closed, digest)]}
        login = {"plain_http": True, "timeout": 5.0, "username": "ci"}
        assert look(**asked, registry={**login, "password": PASSWORD})["images"]
        for given in ({"plain_http": True}, {**login, "password": "wrong-word"}):
            error = fault(look, **asked, registry=given)
            assert error.reason == "http_unauthorized" and "wrong-word" not in str(error.payload(Scrubber()))


@pytest.mark.parametrize(
    "change",
    [
        {"image": "UPPER/case"},
        {"digest": "sha256:1"},
        {"digest": None},
        {"name": ""},
        {"tag": "x"},
        {"image": f"a/b@sha256:{'1' * 64}"},
    ],
)
def test_images_that_are_none(look: Look, change: Mapping[str, Any]) -> None:
    good = {"name": "api", "image": "registry.example.net/tars/api:v1", "digest": "sha256:" + "2" * 64}
    assert fault(look, images=[{**good, **change}]).reason == "image_invalid"
    assert fault(look, images=[good, good]).reason == "image_invalid"


def pod(name: str, image: str, image_id: str) -> dict[str, Any]:
    status = {"containerStatuses": [{"name": "main", "imageID": image_id}]} if image_id else {}
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": image}]}, "status": status}


class Pods:
    """The one question that is asked of a cluster here."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)

    def list(self, *_words: Any, **_more: Any) -> list[dict[str, Any]]:
        return self.pods


def test_what_pods_run(look: Look) -> None:
    digest, platform, other = ("sha256:" + digit * 64 for digit in "123")
    name = "registry.example.net/tars/api:v1.0.1"
    asked = {
        "images": [{"name": "api", "image": name, "digest": digest, "digests": [platform]}],
        "pull": False,
        "pods": True,
    }
    good = [pod("a", name, f"registry.example.net/tars/api@{digest}"), pod("b", name, platform), pod("c", name, "")]
    stable = pod("old", "registry.example.net/tars/api:v1.0.0", other)
    found = look(Pods(*good, stable), **asked)["pods"]
    assert [(item["pod"], item["fits"]) for item in found] == [("a", True), ("b", True), ("c", None)]
    with pytest.raises(RolloutError) as caught:
        look(Pods(*good, pod("d", name, f"registry.example.net/tars/api@{other}")), **asked)
    assert caught.value.reason == "image_not_of_release" and f"d runs {name} as {other}" in str(caught.value)


def test_pods_that_run_nothing_of_the_release(look: Look) -> None:
    digest, worker = ("sha256:" + digit * 64 for digit in "12")
    named = "registry.example.net/tars/{}:v1.0.1"
    images = [
        {"name": "api", "image": named.format("api"), "digest": digest},
        {"name": "worker", "image": named.format("worker"), "digest": worker},
    ]
    asked = {"images": images, "pull": False, "pods": True, "services": ["api"]}
    # The same bytes under another repository are none of the named ones; nor is a pod that reports nothing.
    mirror = pod("a", "mirror.example.net/tars/api:v1.0.1", digest)
    for pods in ([], [mirror], [pod("a", named.format("api"), "")]):
        with pytest.raises(RolloutError) as caught:
            look(Pods(*pods), **asked)
        assert caught.value.reason == "image_not_running" and named.format("api") in str(caught.value)
    there = Pods(pod("a", named.format("api"), digest))
    assert look(there, **asked)["pods"][0]["name"] == "api"
    # The worker has no canary yet; without services all images are meant.
    with pytest.raises(RolloutError) as caught:
        look(there, **{**asked, "services": []})
    assert named.format("worker") in str(caught.value)
    with pytest.raises(RolloutError) as caught:
        look(there, **{**asked, "services": ["insight"]})
    assert caught.value.reason == "image_not_running" and "named after" in str(caught.value)


def test_one_image_of_several_services_and_one_that_only_prepares(look: Look) -> None:
    digest, other = ("sha256:" + digit * 64 for digit in "12")
    name = "registry.example.net/tars/app:v1.0.1"
    asked = {
        "images": [{"name": service, "image": name, "digest": digest} for service in ("api", "insight")],
        "pull": False,
        "pods": True,
        "services": ["api", "insight"],
    }
    there = pod("a", name, digest)
    found = look(Pods(there), **asked)["pods"]
    assert [(item["name"], item["pod"], item["fits"]) for item in found] == [("api", "a", True), ("insight", "a", True)]
    there["spec"]["initContainers"] = [{"name": "first", "image": name}]
    there["status"]["initContainerStatuses"] = [{"name": "first", "imageID": other}]
    with pytest.raises(RolloutError) as caught:
        look(Pods(there), **asked)
    assert caught.value.reason == "image_not_of_release"


def test_a_comparison_without_images(look: Look) -> None:
    assert fault(look, need_images=True).reason == "images_missing"
    assert fault(look, pods=True).reason == "images_missing"
