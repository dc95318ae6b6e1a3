# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stdout callback that prints one JSON document and nothing else, so that a single stray line breaks the parse."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: one_document
type: stdout
short_description: Test only, one JSON document
description: [Prints the result of each host as one document.]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "one_document"

    def __init__(self) -> None:
        super().__init__()
        self._hosts: dict[str, Any] = {}

    def _keep(self, result: Any) -> None:
        task = getattr(result, "result", None) or result._result
        self._hosts[result._host.get_name()] = {key: value for key, value in task.items() if key != "invocation"}

    def v2_runner_on_ok(self, result: Any) -> None:
        self._keep(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._keep(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._display.display(json.dumps({"hosts": self._hosts}, default=str))
