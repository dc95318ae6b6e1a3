# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The lease in the cluster: one Lease object, every write guarded by the version that was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._record import lease as leases
from ansible_collections.tars.rollout.plugins.module_utils._record.lease import Lease, LeaseError

LEASES = Kind("coordination.k8s.io/v1", "leases")
# Somebody else wrote between our read and our write.
CHANGED = frozenset({"kube_patch_test_failed", "kube_conflict"})


class Objects(Protocol):
    """What is needed of the API server; ``_kube.Client`` is one. ``skew``: its clock minus ours at its last answer."""

    skew: float | None

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is."""

    def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as stored."""

    def json_patch(self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The object after the patch."""


@dataclass(frozen=True)
class Found:
    """A lease as it was read; no object: all empty. ``now``: seconds since 1970 by the API server's clock."""

    lease: Lease | None
    now: float
    version: str = ""
    transitions: int = 0


class LeaseStore:
    """Reads and writes one lease. ``clock``: seconds since 1970 as this machine believes."""

    def __init__(self, objects: Objects, namespace: str, name: str, clock: Callable[[], float]) -> None:
        self._objects = objects
        self._namespace = namespace
        self._name = name
        self._clock = clock

    @property
    def where(self) -> str:
        return f"Lease {self._namespace}/{self._name}"

    def now(self) -> float:
        """By the clock of the API server, as its last answer told; by ours before there was one."""
        return self._clock() + (self._objects.skew or 0.0)

    def read(self) -> Found:
        try:
            found = self._objects.get(LEASES, self._namespace, self._name)
        except RolloutError as error:
            if error.reason == "kube_not_found":
                return Found(None, self.now())
            raise
        return self._found(found)

    def take(self, over: Found, wanted: Lease) -> Found:
        """Make it ours if nobody has written since ``over``; LeaseError ``lease_changed`` when somebody has."""
        now = self.now()
        taken = replace(wanted, renewed=now, since=leases.micro(now))
        parts = leases.write(taken, over.transitions + 1)
        try:
            if not over.version:
                metadata = {"name": self._name, "annotations": parts["annotations"]}
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": metadata,
                    "spec": parts["spec"],
                }
                return self._found(self._objects.create(LEASES, self._namespace, body))
            ops = [
                {"op": "add", "path": "/metadata/annotations", "value": parts["annotations"]},
                {"op": "add", "path": "/spec", "value": parts["spec"]},
            ]
            return self._patch(over, ops)
        except RolloutError as error:
            raise self._changed(error) from None

    def renew(self, over: Found) -> Found:
        """Renew it if it still is as in ``over``."""
        try:
            return self._patch(over, [{"op": "add", "path": "/spec/renewTime", "value": leases.micro(self.now())}])
        except RolloutError as error:
            raise self._changed(error) from None

    def release(self, over: Found) -> Found:
        """Give it up; the fence stays readable."""
        try:
            return self._patch(over, [{"op": "add", "path": "/spec/holderIdentity", "value": ""}])
        except RolloutError as error:
            raise self._changed(error) from None

    def _patch(self, over: Found, ops: Sequence[Mapping[str, Any]]) -> Found:
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": over.version}
        return self._found(self._objects.json_patch(LEASES, self._namespace, self._name, [test, *ops]))

    def _changed(self, error: RolloutError) -> RolloutError:
        if error.reason not in CHANGED:
            return error
        return LeaseError(
            f"The {self.where} was written by somebody else between our read and our write",
            reason="lease_changed",
            hint="Read it again and decide anew",
        )

    def _found(self, found: Mapping[str, Any]) -> Found:
        metadata = found["metadata"]
        return Found(
            leases.read(found, self.where),
            self.now(),
            str(metadata["resourceVersion"]),
            int((found.get("spec") or {}).get("leaseTransitions") or 0),
        )
