# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stdout callback that prints the one result of a case, with ``failed`` as Ansible sees it."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: case_result
type: stdout
short_description: Test only, one result
description: [Prints one result as a JSON document.]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "case_result"

    def v2_runner_on_ok(self, result: Any) -> None:
        self._tell(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._tell(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._tell(result, failed=True)

    def _tell(self, result: Any, failed: bool) -> None:
        task = getattr(result, "result", None) or result._result
        shown = {key: value for key, value in task.items() if key != "invocation"}
        self._display.display(json.dumps({**shown, "failed": failed}, default=str))
