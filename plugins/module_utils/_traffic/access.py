# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Whether a login may write a route, asked of the API server without writing anything. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._traffic.model import Target, TrafficError

REVIEWS = Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)


def review(kind: Kind, target: Target) -> dict[str, Any]:
    """The question whether the object of a route may be patched: a SelfSubjectAccessReview, which stores nothing."""
    group = kind.api_version.rpartition("/")[0]
    place = {"namespace": target.namespace, "name": target.name}
    return {
        "apiVersion": REVIEWS.api_version,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "patch", "group": group, "resource": kind.plural, **place}},
    }


def refusal(kind: Kind, target: Target, answer: Mapping[str, Any]) -> TrafficError | None:
    """What the answer to ``review`` says against a patch; None when it is allowed."""
    if (answer.get("status") or {}).get("allowed") is True:
        return None
    group = kind.api_version.rpartition("/")[0]
    return TrafficError(
        f"This login may not patch {target.object}",
        reason="rights_missing",
        hint=f"Grant it the verb patch on {kind.plural}.{group} in the namespace {target.namespace}",
        details={"service": target.service},
    )
