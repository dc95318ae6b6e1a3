# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Signatures of cosign with a pair of keys: ECDSA over SHA-256, verified offline with the public key. Needs no network.

Blobs (``cosign sign-blob``): the signature of the file's bytes in base64. Images: a manifest with the tag
``sha256-<digest>.sig`` whose layers are statements ("simple signing") with the signature in an annotation.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import MissingLibrary
from ansible_collections.tars.rollout.plugins.module_utils._govern.images import Image
from ansible_collections.tars.rollout.plugins.module_utils._govern.manifest import ArtifactError
from ansible_collections.tars.rollout.plugins.module_utils._govern.registry import Registry

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

ANNOTATION = "dev.cosignproject.cosign/signature"


def holds(message: bytes, signature: str, key: bytes) -> bool:
    """Whether the base64 signature is one of the message by the public key (PEM)."""
    if not HAS_CRYPTOGRAPHY:
        raise MissingLibrary("cryptography")
    try:
        public = load_pem_public_key(key)
    except ValueError:
        public = None
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ArtifactError(
            "The key is no public key of cosign (ECDSA, PEM)", reason="key_invalid", hint="Give the path of cosign.pub"
        )
    try:
        public.verify(base64.b64decode(signature.strip(), validate=True), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def blob(name: str, message: bytes, signature: str, key: bytes) -> None:
    """ArtifactError unless the file is signed by the key."""
    if not holds(message, signature, key):
        raise ArtifactError(
            f"The signature of {name} does not hold for the given key", reason="artifact_signature",
            hint="Take the file and its signature from where they were built; nothing was moved",
        )  # fmt: skip


def image(registry: Registry, wanted: Image, key: bytes) -> None:
    """ArtifactError unless the registry has a statement about this very digest that is signed by the key."""
    found = registry.manifest(f"{wanted.digest.replace(':', '-')}.sig")
    if found is None:
        raise _unsigned(wanted, "the registry has no signature of it")
    for layer in found[1].get("layers") or ():
        signature = str((layer.get("annotations") or {}).get(ANNOTATION) or "")
        payload = registry.blob(str(layer.get("digest")))
        if signature and holds(payload, signature, key) and _about(payload) == wanted.digest:
            return
    raise _unsigned(wanted, "none of its signatures holds for the given key")


def _about(payload: bytes) -> str:
    try:
        said: Any = json.loads(payload)
        return str(said["critical"]["image"]["docker-manifest-digest"])
    except (ValueError, KeyError, TypeError):
        return ""


def _unsigned(wanted: Image, seen: str) -> ArtifactError:
    return ArtifactError(
        f"The image {wanted.said} of {wanted.name} is not signed as it must be: {seen}", reason="artifact_signature",
        hint="Sign it with cosign and the release's key, or correct the key; nothing was moved",
    )  # fmt: skip
