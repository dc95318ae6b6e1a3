# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""Who else writes a Deployment or its autoscaler: Argo CD, Flagger, Argo Rollouts, KEDA. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import (
    Document,
    Finding,
    Service,
    World,
    annotations_of,
    labels_of,
    name_of,
)

HELM = "meta.helm.sh/release-name"
_HELM_SPACE = "meta.helm.sh/release-namespace"
FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
ARGO_CD = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")


def owners(world: World, service: Service, deployment: Document | None) -> Iterator[Finding]:
    """One finding for each program that would undo what a rollout does to this service."""
    if deployment is not None:
        yield from marked(service, deployment)
    for canary in world.all("flagger_canaries"):
        target = (canary.get("spec") or {}).get("targetRef") or {}
        if target.get("name") == service.name:
            seen = f"Flagger's Canary {name_of(canary)} has the Deployment {service.name} as its target"
            yield Finding(
                "owned_by_flagger", service.name, seen, "Delete the Canary object, or let Flagger roll it out"
            )
    for rollout in world.all("argo_rollouts"):
        work = (rollout.get("spec") or {}).get("workloadRef") or {}
        if service.name in (name_of(rollout), work.get("name")):
            seen = f"the Rollout {name_of(rollout)} of Argo Rollouts runs {service.name}"
            yield Finding(
                "owned_by_argo_rollouts", service.name, seen, "Move it to a Deployment, or let Argo roll it out"
            )


def helm_release(deployment: Document) -> str:
    """The Helm release that owns it, with its namespace where that is another one; empty when none does.

    The label managed-by alone says nothing: a chart that somebody has rendered and applied leaves it behind as well,
    and Helm itself would not touch such an object.
    """
    notes = annotations_of(deployment)
    name, space = notes.get(HELM, ""), notes.get(_HELM_SPACE, "")
    return f"{space}/{name}" if name and space not in ("", deployment["metadata"].get("namespace")) else name


def marked(service: Service, deployment: Document) -> Iterator[Finding]:
    """One finding for each program that has left its mark on this very Deployment and would set it back."""
    yield from _argo_cd(service, deployment)
    for mark in FLUX:
        if mark in labels_of(deployment):
            seen = f"the Deployment {service.name} is under Flux ({mark}: {labels_of(deployment)[mark]})"
            hint = "Suspend that object of Flux, or take the service out of it; it would undo this"
            yield Finding("owned_by_flux", service.name, seen, hint)
    for owner in deployment["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            seen = f"the Deployment {service.name} is owned by the {owner.get('kind')} {owner.get('name')}"
            yield Finding("owned", service.name, seen, "Let that owner stop first; it would undo what is done here")


def scaler_owner(scaler: Document) -> str:
    """Who would set an autoscaler back: its owner, as kind and name; empty when nobody would."""
    owned = (f"{item.get('kind')} {item.get('name')}" for item in scaler["metadata"].get("ownerReferences") or [])
    return next(owned, "")


def _argo_cd(service: Service, deployment: Document) -> Iterator[Finding]:
    marks = [key for key in ARGO_CD if key in annotations_of(deployment) or key in labels_of(deployment)]
    if marks:
        told = annotations_of(deployment).get(marks[0]) or labels_of(deployment).get(marks[0]) or ""
        seen = f"the Deployment {service.name} is under Argo CD ({marks[0]}: {told.partition(':')[0]})"
        hint = "Pause auto-sync of that application and its parents, or take the service out of it; it would undo this"
        yield Finding("owned_by_argo_cd", service.name, seen, hint)
