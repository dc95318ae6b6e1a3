# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Bills of materials (SPDX and CycloneDX, JSON): is one about this release, and does it name what must not be there?
Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._govern.manifest import ArtifactError

SETTLED = frozenset({"resolved", "resolved_with_pedigree", "false_positive", "not_affected"})
"""States of an analysis in CycloneDX that say that a vulnerability does not matter here."""

SEVERITIES = ("critical", "high", "medium", "low", "info", "none", "unknown")
"""What CycloneDX calls them."""


def check(name: str, raw: bytes, version: str, forbid: Sequence[str] = ()) -> str:
    """What it is about ("tars 1.0.1"); ArtifactError when it is none, about another version, or names what is
    forbidden.

    ``forbid``: severities, such as high and critical, of vulnerabilities that a CycloneDX file may not leave open.
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    try:
        read = _read(data, {severity.lower() for severity in forbid})
    except (AttributeError, TypeError):
        # A list where an object belongs, a number where a list does.
        read = None
    if read is None:
        raise ArtifactError(
            f"The bill of materials {name} is neither SPDX nor CycloneDX in JSON", reason="sbom_invalid",
            hint="Give the file that the build wrote",
        )  # fmt: skip
    seen, worst = read
    if version and not any(found.removeprefix("v") == version.removeprefix("v") for _name, found in seen):
        told = ", ".join(f"{what} {found or 'without a version'}" for what, found in seen) or "nothing"
        raise ArtifactError(
            f"The bill of materials {name} is about {told} and not about version {version}",
            reason="sbom_other_version",
            hint="Give the one of this release",
        )  # fmt: skip
    if worst:
        raise ArtifactError(
            f"The bill of materials {name} names open vulnerabilities: {', '.join(worst)}", reason="sbom_vulnerable",
            hint="Repair them, or state in the file's analysis why they do not matter",
        )  # fmt: skip
    return ", ".join(f"{what} {found}" for what, found in seen)


def _read(data: Any, forbidden: set[str]) -> tuple[list[tuple[str, str]], list[str]] | None:
    """Name and version of what it is about, and open vulnerabilities that are forbidden; None for neither format."""
    if isinstance(data, Mapping) and data.get("bomFormat") == "CycloneDX":
        component = (data.get("metadata") or {}).get("component") or {}
        return [(str(component.get("name")), str(component.get("version", "")))], _open(data, forbidden)
    if isinstance(data, Mapping) and "spdxVersion" in data:
        return _spdx(data), []
    return None


def _spdx(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    described = {
        item.get("relatedSpdxElement")
        for item in data.get("relationships") or ()
        if item.get("relationshipType") == "DESCRIBES"
    } | set(data.get("documentDescribes") or ())
    packages = [item for item in data.get("packages") or () if item.get("SPDXID") in described]
    return [(str(item.get("name")), str(item.get("versionInfo", ""))) for item in packages]


def _open(data: Mapping[str, Any], forbidden: set[str]) -> list[str]:
    found = []
    for item in data.get("vulnerabilities") or ():
        severities = {str(rating.get("severity", "")).lower() for rating in item.get("ratings") or ()}
        if severities & forbidden and (item.get("analysis") or {}).get("state") not in SETTLED:
            found.append(f"{item.get('id', 'one without an id')} ({', '.join(sorted(severities & forbidden))})")
    return found
