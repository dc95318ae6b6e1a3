# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The file of what was sent: ids by receiver and key, and messages that wait to be tried again.

It lies beside the ledger and is shared by regions at work at the same time. It decides only how a message is told
(anew or as an update), never what is done to traffic. Without a path it keeps nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import AnnounceError, digest
from ansible_collections.tars.rollout.plugins.module_utils._wait import Clock, Deadline

_EMPTY: dict[str, Any] = {"version": 1, "sent": {}, "waiting": {}}
# Seconds between two looks whether somebody else's turn is over.
_LOOK = 0.05


class Sent:
    """What was sent, on disk."""

    def __init__(self, path: str = "") -> None:
        self._path = path

    def read(self) -> dict[str, Any]:
        """Everything; empty where there is no file. AnnounceError for a file that is none of ours."""
        if not self._path or not os.path.exists(self._path):
            return json.loads(json.dumps(_EMPTY))  # type: ignore[no-any-return]
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.load(file)
            if not isinstance(found, dict) or not {"sent", "waiting"} <= set(found):
                raise ValueError("it has no sent and waiting")
        except (OSError, ValueError) as error:
            raise AnnounceError(
                f"The file of what was announced, {self._path}, cannot be read: {error}",
                reason="sent_unreadable",
                hint="Move it away; messages are then told anew, but where the other side knows the key",
            ) from None
        return found

    def of(self, receiver: str, key: str) -> dict[str, Any]:
        """What is known of one message; empty for nothing."""
        return dict(self.read()["sent"].get(name(receiver, key), {}))

    def waiting(self) -> list[dict[str, Any]]:
        """Messages that are still to be told, the oldest first."""
        held = self.read()["waiting"]
        return sorted(({**item, "slot": slot} for slot, item in held.items()), key=lambda item: item.get("at", 0))

    def keep(self, receiver: str, key: str, entry: Mapping[str, Any], slot: str = "") -> None:
        """Write down that it was sent; what waited in the ``slot`` waits no longer."""
        with self._changing() as data:
            data["sent"][name(receiver, key)] = dict(entry)
            data["waiting"].pop(slot, None)

    def keep_ids(self, receiver: str, key: str, ids: Mapping[str, Any]) -> None:
        """Write down what is there already of a message that is not told as a whole yet."""
        with self._changing() as data:
            held = data["sent"].setdefault(name(receiver, key), {})
            held["ids"] = dict(ids)

    def wait(self, slot: str, message: Mapping[str, Any]) -> None:
        """Write down that it is still to be sent; in one slot waits one message."""
        with self._changing() as data:
            data["waiting"][slot] = dict(message)

    def drop(self, slot: str) -> None:
        """It waits no longer: it was refused for good, or something newer was told."""
        with self._changing() as data:
            data["waiting"].pop(slot, None)

    @contextlib.contextmanager
    def turn(self, receiver: str, key: str, deadline: Deadline, clock: Clock) -> Iterator[None]:
        """One at a time, over processes: who tells this message reads, tells and writes without another between.

        AnnounceError ``sent_busy`` when somebody else is at it until the deadline.
        """
        if not self._path:
            yield
            return
        lock = self._open(f"{self._path}.{digest([receiver, key])}")
        try:
            while not _locked(lock):
                if deadline.over:
                    raise AnnounceError(
                        f"Another region was still telling {receiver} when the budget was spent",
                        reason="sent_busy",
                        hint="It is tried again at the end",
                    )
                clock.sleep(min(_LOOK, max(0.001, deadline.remaining)), f"waiting to tell {receiver}")
            yield
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        if not self._path:
            yield json.loads(json.dumps(_EMPTY))
            return
        folder = os.path.dirname(os.path.abspath(self._path))
        lock = self._open(f"{self._path}.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            data = self.read()
            yield data
            handle, fresh = tempfile.mkstemp(dir=folder, prefix=".announced-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file, indent=1, sort_keys=True)
            os.replace(fresh, self._path)
        finally:
            os.close(lock)

    def _open(self, path: str) -> int:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AnnounceError(
                f"The file of what was announced, {self._path}, cannot be written: {error.strerror}",
                reason="sent_unwritable",
                hint="Check that its folder exists and belongs to the user that runs the rollout",
            ) from None


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def name(receiver: str, key: str) -> str:
    """The name under which a message stands in the file."""
    return f"{receiver} {key}"
