# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.tars.rollout.plugins.module_utils._errors import RolloutError
from ansible_collections.tars.rollout.plugins.module_utils._rollout_lease import CONTROLLER_VARIABLE
from ansible_collections.tars.rollout.plugins.plugin_utils import _keeper
from ansible_collections.tars.rollout.plugins.plugin_utils._live import LiveAction


class ActionModule(LiveAction):
    """Names the controller to the module of the same name, and has the keeper renew the leases that it takes."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        controller = _keeper.this_controller()
        if self._connection.transport != "local":
            # Elsewhere the module cannot look at the controller's process, and the keeper has no kubeconfig.
            return {
                "failed": True,
                "reason": "not_local",
                "msg": "rollout_lease runs on the controller only: set connection local",
            }
        before = self._task.environment
        self._task.environment = [*(before or []), {CONTROLLER_VARIABLE: json.dumps(controller.data())}]
        try:
            result = super().run(tmp, task_vars)
        finally:
            self._task.environment = before
        if result.get("failed") or self._task.check_mode:
            return result
        folder = _keeper.folder(constants.DEFAULT_LOCAL_TMP)
        given = result.get("invocation", {}).get("module_args", {})
        try:
            if given.get("state") == "held":
                wanted = _keeper.entry(given, result["lease"]["holder"], str(self._loader.get_basedir()))
                _keeper.keep(folder, controller, wanted, _keeper.name(given))
            elif given.get("state") == "released":
                _keeper.drop(folder, _keeper.name(given))
            else:
                _keeper.ensure(folder, controller)
        except (OSError, RolloutError) as error:
            text = f"The keeper of the leases does not run, so the lease of this run ends soon: {error}"
            result.update(failed=True, msg=text, reason="keeper_failed", hint=f"See {folder / 'keeper.log'}")
            Display().vvv(text)
        return result
