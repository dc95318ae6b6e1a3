# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One look at a namespace: every kind that matters at the same time, and which of them this account may not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._kube import Kind
from ansible_collections.tars.rollout.plugins.module_utils._tracks.kinds import KINDS
from ansible_collections.tars.rollout.plugins.module_utils._tracks.model import Unread, World
from ansible_collections.tars.rollout.plugins.module_utils._traffic.at_once import at_once
from ansible_collections.tars.rollout.plugins.module_utils._traffic.move import passing
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock

TRIES = 4
PAUSE = 0.2


class Objects(Protocol):
    """What is needed of the API server; ``_kube.Client`` is one. Faults are KubeErrors."""

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is."""

    def list(self, kind: Kind, namespace: str = "", *, labels: str = "") -> list[dict[str, Any]]:
        """All objects of that kind with these labels."""

    def create(self, kind: Kind, namespace: str, body: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """The object as stored."""

    def json_patch(
        self, kind: Kind, namespace: str, name: str, ops: Sequence[Mapping[str, Any]], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """The object after the patch, which is applied as a whole or not at all."""

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Delete it, its dependents in the background; with ``uid`` only that very object."""

    def served(self, kind: Kind) -> bool:
        """Whether the cluster has that kind at all."""


class Reader:
    """Reads the world of one namespace."""

    def __init__(self, objects: Objects, clock: Clock, namespace: str) -> None:
        self._objects = objects
        self._clock = clock
        self._namespace = namespace

    def world(self, keys: Sequence[str] = tuple(KINDS), needed: Sequence[str] = ("deployments",)) -> World:
        """What is there of these kinds. A kind that may not be read is told as unread; ``needed`` ones are a fault."""
        read = at_once(keys, lambda key: self._kind(key, needed), _lost)
        objects = {key: found for key, (found, _unread) in zip(keys, read, strict=True)}
        return World(self._namespace, objects, [unread for _found, unread in read if unread])

    def _kind(self, key: str, needed: Sequence[str]) -> tuple[list[dict[str, Any]], Unread | None]:
        kind = KINDS[key]
        # Whether a pod fits on a node is decided by the pods of all namespaces.
        place = "" if key == "pods" else self._namespace
        try:
            return self._list(kind, place), None
        except RolloutError as error:
            # Whoever may not list a kind hears of that first, also where the cluster does not have the kind.
            absent = error.reason == "kube_not_found" or (
                error.reason == "kube_forbidden" and not self._objects.served(kind)
            )
            if absent and key not in needed:
                return [], None
            if error.reason != "kube_forbidden" or key in needed:
                raise
        unread = Unread("list", kind.plural, kind.api_version.rpartition("/")[0], self._where(kind, place))
        if key != "pods":
            return [], unread
        try:
            return self._list(kind, self._namespace), unread
        except RolloutError as error:
            if error.reason != "kube_forbidden":
                raise
            return [], Unread("list", kind.plural, "", self._where(kind, self._namespace))

    def _where(self, kind: Kind, place: str) -> str:
        return f"namespace {place}" if kind.namespaced and place else "the whole cluster"

    def _list(self, kind: Kind, place: str) -> list[dict[str, Any]]:
        for tries in range(1, TRIES + 1):
            try:
                return self._objects.list(kind, place)
            except RolloutError as error:
                if not passing(error) or tries == TRIES:
                    raise
            self._clock.sleep(PAUSE * tries, "waiting to read the namespace again")
        raise AssertionError("the last try returns or raises")


def _lost(failed: int, count: int) -> str:
    return f"{failed} of {count} kinds could not be read"
