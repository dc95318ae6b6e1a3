# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that keeps objects, with a version that every write moves and tests that are refused as a whole."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._kube_errors import KubeError


class Cluster:
    """``skew``: its clock minus ours. ``down``: the fault that every call meets."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.skew: float | None = 0.0
        self.down: KubeError | None = None
        self.writes = 0

    def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any]:
        self._answers()
        if (found := self.objects.get((kind.plural, namespace, name))) is None:
            raise KubeError("not there", reason="kube_not_found", details={"status": 404})
        return copy.deepcopy(found)

    def create(self, kind: Any, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._answers()
        key = (kind.plural, namespace, body["metadata"]["name"])
        if key in self.objects:
            raise KubeError("exists", reason="kube_conflict", details={"status": 409})
        return self._store(key, copy.deepcopy(dict(body)))

    def json_patch(self, kind: Any, namespace: str, name: str, ops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        found = self.get(kind, namespace, name)
        for op in ops:
            *way, last = [part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]]
            place: Any = found
            for part in way:
                place = place[int(part)] if isinstance(place, list) else place.get(part, {})
            if op["op"] == "test" and place.get(last) != op["value"]:
                raise KubeError("no", reason="kube_patch_test_failed", details={"status": 422})
            if op["op"] == "add":
                place[last] = copy.deepcopy(op["value"])
        return self._store((kind.plural, namespace, name), found)

    def _store(self, key: tuple[str, str, str], body: dict[str, Any]) -> dict[str, Any]:
        self.writes += 1
        body["metadata"] |= {"resourceVersion": str(self.writes), "uid": "u1", "namespace": key[1]}
        self.objects[key] = body
        return copy.deepcopy(body)

    def _answers(self) -> None:
        if self.down is not None:
            raise self.down
