# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""The faults of this package: a sentence, a stable reason, and the fields of the result that are known by then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError, Scrubber


class IndexFault(RolloutError):
    """A refusal or a failure. ``fields`` stand in the result beside msg and reason, such as blockers or leftover."""

    def __init__(
        self, msg: str, *, reason: str, hint: str = "", sqlstate: str = "", fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(msg, reason=reason, hint=hint)
        self.sqlstate = sqlstate
        self.fields: dict[str, Any] = dict(fields or {})

    def payload(self, scrubber: Scrubber) -> dict[str, Any]:
        """The usual fields, those that are known so far, and the server's code."""
        known: dict[str, Any] = scrubber.data(self.fields)
        return {**known, "sqlstate": self.sqlstate, **super().payload(scrubber)}


class ServerFault(IndexFault):
    """The server refused a statement or went away. ``sqlstate`` is empty where it said nothing."""

    @property
    def passing(self) -> bool:
        """Whether the same statement may well succeed in another try: deadlock, lock time-out, lost connection."""
        return self.sqlstate in ("40P01", "55P03", "57P01", "57P02", "57P03", "") or self.sqlstate.startswith("08")
