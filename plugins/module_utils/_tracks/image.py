# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""References of images: the one of stable's container with the tag or digest of a release. Pure."""

from __future__ import annotations

import re

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Document, Service, TrackError

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Names that move by custom. One without any digit is the name of a branch or of a habit, never of a release.
_MOVING = re.compile(r"(?i)latest|[^0-9]+")


def container_of(deployment: Document, service: Service) -> str:
    """The container whose image is the service's: the named one, else the first. TrackError when it is not there."""
    names = [str(item["name"]) for item in deployment["spec"]["template"]["spec"]["containers"]]
    if service.container and service.container not in names:
        raise TrackError(
            f"The Deployment {service.name} has no container {service.container}; there are: {', '.join(names)}",
            reason="container_unknown",
            hint="Correct container of the service",
            details={"service": service.name, "containers": names},
        )
    return service.container or names[0]


def image_of(deployment: Document, container: str) -> str:
    """What that container runs."""
    found = deployment["spec"]["template"]["spec"]["containers"]
    return str(next(item["image"] for item in found if item["name"] == container))


def wanted_image(live: str, service: Service) -> str:
    """What the canary runs: ``image`` as given, else the live repository with tag, digest or both."""
    _refuse_bad(service)
    base = service.image or repository(live)
    if not service.image and not service.tag and not service.digest:
        raise TrackError(
            f"Neither tag nor digest nor image says what the canary of {service.name} runs",
            reason="image_missing",
            hint="Give the tag or the digest of the release",
            details={"service": service.name},
        )
    return f"{base}{f':{service.tag}' if service.tag else ''}{f'@{service.digest}' if service.digest else ''}"


def repository(reference: str) -> str:
    """The reference without tag and digest; a port of the registry is no tag."""
    path = reference.partition("@")[0]
    head, colon, tail = path.rpartition(":")
    return head if colon and "/" not in tail else path


def moves(reference: str) -> bool:
    """Whether the same reference may mean another image tomorrow: no tag, ``latest``, or a tag without any digit."""
    if "@" in reference:
        return False
    tag = reference[len(repository(reference)) + 1 :]
    return not tag or bool(_MOVING.fullmatch(tag))


def _refuse_bad(service: Service) -> None:
    for word, value, form in (("tag", service.tag, _TAG), ("digest", service.digest, _DIGEST)):
        if value and not form.fullmatch(value):
            raise TrackError(
                f"The {word} {value!r} of {service.name} is none that a registry knows",
                reason=f"{word}_invalid",
                hint="A digest is sha256: and 64 hexadecimal digits"
                if word == "digest"
                else "Give the tag of an image",
                details={"service": service.name},
            )
    if service.image and (service.tag or service.digest):
        raise TrackError(
            f"The canary of {service.name} is given both an image and a tag or digest",
            reason="image_and_tag",
            hint="Leave image out to keep stable's repository, or give it whole",
            details={"service": service.name},
        )
