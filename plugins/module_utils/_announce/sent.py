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

from ansible_collections.tars.rollout.plugins.module_utils._announce.wire import AnnounceError

_EMPTY: dict[str, Any] = {"version": 1, "sent": {}, "waiting": {}}


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

    def keep(self, receiver: str, key: str, ids: Mapping[str, Any]) -> None:
        """Write down that it was sent; it waits no longer."""
        with self._changing() as data:
            data["sent"][name(receiver, key)] = dict(ids)
            data["waiting"].pop(name(receiver, key), None)

    def wait(self, receiver: str, key: str, message: Mapping[str, Any]) -> None:
        """Write down that it is still to be sent."""
        with self._changing() as data:
            data["waiting"][name(receiver, key)] = dict(message)

    def drop(self, receiver: str, key: str) -> None:
        """It waits no longer: it was refused for good."""
        with self._changing() as data:
            data["waiting"].pop(name(receiver, key), None)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        if not self._path:
            yield json.loads(json.dumps(_EMPTY))
            return
        folder = os.path.dirname(os.path.abspath(self._path))
        try:
            lock = os.open(f"{self._path}.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AnnounceError(
                f"The file of what was announced, {self._path}, cannot be written: {error.strerror}",
                reason="sent_unwritable",
                hint="Check that its folder exists and belongs to the user that runs the rollout",
            ) from None
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


def name(receiver: str, key: str) -> str:
    """The name under which a message stands in the file."""
    return f"{receiver} {key}"
