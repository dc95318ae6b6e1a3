# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The port to a registry of images (OCI distribution, version 2): is an image there, whole, and the one that is named?

Nothing is downloaded but manifests; of layers only their presence is asked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._answer import Answer
from ansible_collections.tars.rollout.plugins.module_utils._errors import Scrubber
from ansible_collections.tars.rollout.plugins.module_utils._govern.images import Image
from ansible_collections.tars.rollout.plugins.module_utils._govern.manifest import ArtifactError
from ansible_collections.tars.rollout.plugins.module_utils._http import Client, HttpError, Options, basic, bearer
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_DIGEST = re.compile(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Login:
    """How to reach the registries of a release. ``plain_http`` is for one on this machine or behind a mesh."""

    username: str = ""
    password: str = field(default="", repr=False)
    plain_http: bool = False
    ca: str | None = None
    validate_certs: bool = True
    timeout: float = 20.0


class Registry:
    """One repository of one registry. Use it in a ``with``, one per thread."""

    def __init__(self, host: str, repository: str, login: Login, clock: Clock, scrubber: Scrubber) -> None:
        self._login, self._clock, self._scrub = login, clock, scrubber
        self._base = f"http{'' if login.plain_http else 's'}://{host}"
        self._repository = repository
        self._secret = basic(login.username, login.password) if login.username else {}
        self._client = self._make(self._base, self._secret)

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def manifest(self, reference: str) -> tuple[str, dict[str, Any]] | None:
        """Digest (worked out here) and content of a manifest by tag or digest; None when the registry has none."""
        answer = self._call("GET", f"manifests/{reference}")
        if answer.status == 404:
            return None
        found = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        try:
            content = json.loads(answer.body)
        except ValueError:
            content = None
        if not isinstance(content, dict) or (reference.startswith("sha256:") and found != reference):
            raise ArtifactError(
                f"The registry {self._base} gave other bytes for {self._repository}@{reference} ({found})",
                reason="image_changed",
                hint="The registry, or what stands before it, is broken or lies: do not pull from it",
            )  # fmt: skip
        return found, content

    def has_blob(self, digest: str) -> bool:
        """Whether a layer or a configuration is there."""
        return self._call("HEAD", f"blobs/{digest}").status != 404

    def blob(self, digest: str) -> bytes:
        """A small blob, its digest checked."""
        body = self._call("GET", f"blobs/{digest}").body
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
            raise ArtifactError(
                f"The registry {self._base} gave other bytes for the blob {digest}", reason="image_changed",
                hint="The registry, or what stands before it, is broken or lies: do not pull from it",
            )  # fmt: skip
        return body

    def _call(self, method: str, path: str) -> Answer:
        path = f"v2/{self._repository}/{path}"
        answer = self._client.call(method, path, accept=frozenset({401, 404}))
        if answer.status == 401:
            self._log_in(answer)
            answer = self._client.call(method, path, accept=frozenset({404}))
        return answer

    def _log_in(self, refused: Answer) -> None:
        """Take the token that the registry's own challenge asks for (with the login, where there is one)."""
        challenge = refused.headers.get("www-authenticate", "")
        words: Mapping[str, str] = dict(_CHALLENGE.findall(challenge))
        if not challenge.lower().startswith("bearer ") or "realm" not in words:
            raise HttpError(
                self._scrub.text(f"The registry {self._base} lets nobody in without a login"),
                reason="http_unauthorized",
                hint="Give username and password for the registry", url=refused.url, answer=refused,
            )  # fmt: skip
        asked = {key: words[key] for key in ("service", "scope") if key in words}
        with self._make(words["realm"], self._secret) as client:
            given = client.json("GET", "", params=asked)
        token = str((given or {}).get("token") or (given or {}).get("access_token") or "")
        self._client.close()
        self._client = self._make(self._base, bearer(token))

    def _make(self, url: str, secret: Mapping[str, str]) -> Client:
        login = self._login
        options = Options(
            url, {"Accept": MANIFESTS}, secret, ca=login.ca, validate_certs=login.validate_certs,
            connect=min(5.0, login.timeout), read=login.timeout, budget=3 * login.timeout,
        )  # fmt: skip
        return Client(options, self._clock, self._scrub)


def pullable(registry: Registry, image: Image) -> tuple[str, ...]:
    """All digests that mean this image, when the registry has it whole; ArtifactError says what is not there.

    The tag, where the reference has one, must lead to the same image: a pod that is made later pulls by it.
    """
    top = registry.manifest(image.digest)
    if top is None:
        raise _gone(image, f"the registry {image.registry} does not have it")
    if image.tag and (tagged := registry.manifest(image.tag)) is not None and tagged[0] != image.digest:
        one_of = image.digest in [child["digest"] for child in _children(image, tagged[1])]
        raise ArtifactError(
            f"The tag {image.tag} of {image.registry}/{image.repository} leads to {tagged[0]}, "
            f"not to {image.digest}{', which is one of its platforms' if one_of else ''}",
            reason="image_moved",
            hint=f"Name the digest of the whole, {tagged[0]}" if one_of
            else "Somebody has pushed the tag again: build the release anew, or deploy by digest",
        )  # fmt: skip
    if image.tag and tagged is None:
        raise _gone(image, f"the registry {image.registry} does not have the tag {image.tag}")
    found = [image.digest]
    manifests = [top]
    if "manifests" in top[1]:
        manifests = []
        for child in _children(image, top[1]):
            below = registry.manifest(child["digest"])
            if below is None:
                raise _gone(image, f"of its platforms {child['digest']} is not there")
            manifests.append(below)
    for digest, content in manifests:
        blobs = [content.get("config"), *_parts(image, content, "layers")]
        _see(image, blobs)
        found += [digest, blobs[0]["digest"]]
        for blob in blobs:
            # Foreign layers lie elsewhere by design.
            if not blob.get("urls") and not registry.has_blob(blob["digest"]):
                raise _gone(image, f"its part {blob['digest']} is not there")
    return tuple(dict.fromkeys(filter(None, found)))


def _children(image: Image, content: Mapping[str, Any]) -> list[Any]:
    """The platforms of an index. What is attached to an image (attestations) is of no platform."""
    found = _parts(image, content, "manifests")
    _see(image, found)
    return [child for child in found if (child.get("platform") or {}).get("os") != "unknown"]


def _parts(image: Image, content: Mapping[str, Any], name: str) -> list[Any]:
    found = content.get(name, [])
    if not isinstance(found, list):
        raise _none(image, f"{name} is no list")
    return found


def _see(image: Image, parts: Sequence[Any]) -> None:
    """ArtifactError unless each is a description with a digest, as the OCI's specification of images has them."""
    for part in parts:
        if not isinstance(part, dict) or not _DIGEST.fullmatch(str(part.get("digest"))):
            raise _none(image, f"{part!r} names no part by its digest"[:200])
        if not isinstance(part.get("platform") or {}, dict):
            raise _none(image, "a platform in it is none")


def _none(image: Image, seen: str) -> ArtifactError:
    return ArtifactError(
        f"What the registry {image.registry} has as {image.said} is no image: {seen}", reason="image_unreadable",
        hint="Push the image of this release, or correct its digest; nothing was moved",
    )  # fmt: skip


def _gone(image: Image, seen: str) -> ArtifactError:
    return ArtifactError(
        f"The image {image.said} of {image.name} cannot be pulled: {seen}", reason="image_missing",
        hint="Push the image of this release, or correct its digest; nothing was moved",
    )  # fmt: skip
