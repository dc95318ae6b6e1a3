# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The record in the cluster of its region: one ConfigMap, every write guarded by the version that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._record.document import Record, RecordError, dump, load

CONFIGMAPS = Kind("v1", "configmaps")
KEY = "record.json"
LABEL = "ga.rollout/record"


class Objects(Protocol):
    """What is needed of the API server; ``_kube.Client`` is one."""

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is."""

    def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as stored."""

    def json_patch(self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The object after the patch."""

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "") -> dict[str, Any]:
        """Delete that very object."""


@dataclass(frozen=True)
class Stored:
    """A record as it was read, and the version that a write must find unchanged. No record: all empty."""

    record: Record | None
    version: str = ""
    uid: str = ""


class Store:
    """Reads and writes the record of one application in one namespace."""

    def __init__(self, objects: Objects, namespace: str, app: str) -> None:
        self._objects = objects
        self._namespace = namespace
        self._name = f"ga-rollout-{app}"

    @property
    def where(self) -> str:
        return f"ConfigMap {self._namespace}/{self._name}"

    def read(self) -> Stored:
        """The record now. KubeError when the API server does not say; RolloutError for one that is not ours."""
        try:
            found = self._objects.get(CONFIGMAPS, self._namespace, self._name)
        except RolloutError as error:
            if error.reason == "kube_not_found":
                return Stored(None)
            raise
        text = (found.get("data") or {}).get(KEY, "")
        return _stored(load(text, self.where), found)

    def write(self, record: Record, over: Stored) -> Stored:
        """Write it if nobody has written since ``over`` was read, else RecordError ``record_changed``."""
        try:
            done = self._patch(record, over.version) if over.version else self._create(record)
        except RolloutError as error:
            if error.reason in ("kube_patch_test_failed", "kube_conflict"):
                raise RecordError(
                    f"The record {self.where} was written by somebody else between our read and our write",
                    reason="record_changed",
                    hint="Run the same command again: it reads the record and decides anew",
                ) from None
            raise
        return _stored(record, done)

    def remove(self, over: Stored) -> None:
        """Delete it if it is still the one that was read."""
        self._objects.delete(CONFIGMAPS, self._namespace, self._name, uid=over.uid)

    def _create(self, record: Record) -> dict[str, Any]:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._name, "labels": {LABEL: record.app}},
            "data": {KEY: dump(record)},
        }
        return self._objects.create(CONFIGMAPS, self._namespace, body)

    def _patch(self, record: Record, version: str) -> dict[str, Any]:
        ops = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": f"/data/{KEY}", "value": dump(record)},
        ]
        return self._objects.json_patch(CONFIGMAPS, self._namespace, self._name, ops)


def _stored(record: Record, found: Mapping[str, Any]) -> Stored:
    return Stored(record, str(found["metadata"]["resourceVersion"]), str(found["metadata"].get("uid", "")))
