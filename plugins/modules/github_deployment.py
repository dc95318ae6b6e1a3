#!/usr/bin/python
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: github_deployment
short_description: Keep a deployment on GitHub and its newest status as they should be
description:
  - Finds the deployment by C(tars_run) in its payload, which is O(key), and makes it when nobody has. C(auto_merge) is
    always V(false), since the service's default merges the base branch and makes no deployment.
  - Of two runs that made one at the same time both use the older one.
  - A status is posted only when the newest one differs in state, description or addresses.
extends_documentation_fragment:
  - tars.rollout.announce
options:
  key:
    description: A text that stays the same for this deployment, such as C(tars/1.0.1/us-west-2).
    type: str
    required: true
  repository:
    description: The repository, as C(owner/name).
    type: str
    required: true
  token:
    description: A token that may write deployments.
    type: str
    required: true
  base_url:
    description: Address of the API.
    type: str
    default: https://api.github.com
  ref:
    description: Branch, tag or SHA that is deployed.
    type: str
    required: true
  environment:
    description: The environment, such as a region.
    type: str
    required: true
  task:
    description: The kind of deployment.
    type: str
    default: deploy
  state:
    description: The newest status.
    type: str
    choices: [error, failure, inactive, in_progress, queued, pending, success]
    required: true
  description:
    description: A sentence about it, at most 140 characters.
    type: str
  log_url:
    description: Where to read more.
    type: str
  environment_url:
    description: Where to see it.
    type: str
  auto_inactive:
    description: Whether older successful deployments of the environment become inactive.
    type: bool
    default: true
  required_contexts:
    description: Checks that must have passed; none by default.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the rollout in the repository
  tars.rollout.github_deployment:
    repository: example/tars
    token: "{{ github_token }}"
    key: tars/1.0.1/us-west-2
    ref: v1.0.1
    environment: us-west-2
    state: in_progress
    description: Canary at 10 %
"""

RETURN = r"""
act: {description: "sent, updated or unchanged.", returned: success, type: str, sample: sent}
deployment_id: {description: Id of the deployment., returned: when it exists, type: int}
elapsed: {description: Seconds that the task took., returned: success, type: float}
reason: {description: Stable code of a fault., returned: failure, type: str, sample: http_rejected}
hint: {description: What to do about it., returned: failure, type: str}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tars.rollout.plugins.module_utils._announce import github
from ansible_collections.tars.rollout.plugins.module_utils._message import message_options, send_one
from ansible_collections.tars.rollout.plugins.module_utils._module import Call, run_module


def spec() -> dict[str, Any]:
    return {
        **message_options(),
        "key": {"type": "str", "required": True, "no_log": False},
        "repository": {"type": "str", "required": True},
        "token": {"type": "str", "required": True, "no_log": True},
        "base_url": {"type": "str", "default": github.API},
        "ref": {"type": "str", "required": True},
        "environment": {"type": "str", "required": True},
        "task": {"type": "str", "default": "deploy"},
        "state": {"type": "str", "choices": list(github.STATES), "required": True},
        "description": {"type": "str"},
        "log_url": {"type": "str"},
        "environment_url": {"type": "str"},
        "auto_inactive": {"type": "bool", "default": True},
        "required_contexts": {"type": "list", "elements": "str", "default": []},
    }


def run(call: Call) -> Mapping[str, Any]:
    params = call.params
    repo = github.Repository(params["repository"], params["token"], params["base_url"])
    return send_one(
        call, "github_deployment", params["key"], lambda wire, sent: github.deploy(wire, repo, params, sent)
    )


def main() -> None:
    run_module(AnsibleModule(argument_spec=spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
