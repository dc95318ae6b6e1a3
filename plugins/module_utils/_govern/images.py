# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""References of container images, and what pods say that they run. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(
    r"(?P<path>[a-z0-9._/:-]+?)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
DOCKER_HUB = "registry-1.docker.io"


@dataclass(frozen=True)
class Image:
    """One image of the release. ``name`` is the service's, ``digest`` that of the manifest or of the index of
    platforms.

    ``also``: other digests that mean it (the manifest of a platform, its configuration), as runtimes report one or
    another.
    """

    name: str
    registry: str
    repository: str
    tag: str
    digest: str
    reference: str
    also: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """For sentences."""
        return f"{self.reference}{'' if '@' in self.reference else f'@{self.digest}'}"


def parse(raw: Mapping[str, Any]) -> Image:
    """An image as a release names it: name, image (a reference) and digest; RolloutError ``image_invalid``."""
    name, reference = str(raw.get("name") or ""), str(raw.get("image") or "")
    match = _REFERENCE.fullmatch(reference)
    digest = str(raw.get("digest") or (match["digest"] if match else "") or "")
    if unknown := sorted(set(map(str, raw)) - {"name", "image", "digest", "digests"}):
        raise _odd(reference, f"the key {unknown[0]!r} is not known")
    if not name or match is None:
        raise _odd(reference, f"name {name!r} and image {reference!r} are not those of an image")
    if not _DIGEST.fullmatch(digest):
        raise _odd(reference, f"its digest is {digest or 'missing'}")
    if match["digest"] and match["digest"] != digest:
        raise _odd(reference, f"it has two digests, the other one is {digest}")
    also = tuple(map(str, raw.get("digests") or ()))
    first, slash, rest = match["path"].partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        repository = match["path"] if slash else f"library/{match['path']}"
        return Image(name, DOCKER_HUB, repository, match["tag"] or "", digest, reference, also)
    host = DOCKER_HUB if first == "docker.io" else first
    return Image(name, host, rest, match["tag"] or "", digest, reference, also)


@dataclass(frozen=True)
class Running:
    """A container of a pod that runs an image of the release; ``fits`` None while nothing is known of it.

    ``name`` is that of the release's image.
    """

    name: str
    pod: str
    image: str
    seen: str
    fits: bool | None


def running(images: Sequence[Image], pods: Sequence[Mapping[str, Any]]) -> list[Running]:
    """Every container whose image has the repository and tag of one of the release, and whether it is that very one.

    A tag can be pushed again; the digest cannot.
    """
    found = []
    for pod in pods:
        meta, status = pod.get("metadata") or {}, pod.get("status") or {}
        if meta.get("deletionTimestamp"):
            continue
        spec = pod.get("spec") or {}
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        told_of = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
        states = {item.get("name"): item for item in told_of}
        for container in containers:
            told = str(container.get("image") or "")
            seen = str((states.get(container.get("name")) or {}).get("imageID") or "")
            digest = match[0] if (match := _DIGEST.search(seen)) else ""
            # Several services may come out of one image, each under its own name.
            for image in images:
                if _same(image, told):
                    fits = None if not digest else digest in {image.digest, *image.also}
                    found.append(Running(image.name, str(meta.get("name")), told, digest, fits))
    return found


def _same(image: Image, told: str) -> bool:
    match = _REFERENCE.fullmatch(told)
    if match is None:
        return False
    try:
        other = parse({"name": "x", "image": told, "digest": match["digest"] or image.digest})
    except RolloutError:
        return False
    where = (other.registry, other.repository) == (image.registry, image.repository)
    return where and (other.tag == image.tag or (match["digest"] or "") == image.digest)


def _odd(reference: str, seen: str) -> RolloutError:
    return RolloutError(
        f"The image {reference or 'without a reference'} cannot be used: {seen}", reason="image_invalid",
        hint="Give name, image (such as registry.example.net/tars/api:v1.0.1) and digest (sha256: and 64 digits)",
    )  # fmt: skip
