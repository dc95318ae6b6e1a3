# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """The fuse of a module that may take a canary out of the traffic by itself."""

    DOCUMENTATION = r"""
options:
  cut_traffic:
    description:
      - Take the canary out of the traffic in the moment of a rollback, before anybody else hears of it.
      - If that fails the verdict stands and the task fails.
    type: dict
    suboptions:
      release:
        description: The release whose traffic is cut, as written on the routes.
        type: str
        required: true
      services:
        description: The routes to cut, in the form of the option O(tars.rollout.canary_weight#module:services).
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name of the service.
            type: str
            required: true
          provider:
            description: What routes the service.
            type: str
            choices: [istio, gateway_api]
            default: istio
          object:
            description: The object that holds the route.
            type: dict
            required: true
            suboptions:
              namespace:
                description: Namespace of the object.
                type: str
                required: true
              name:
                description: Name of the object; the service's name when not given.
                type: str
              kind:
                description: Kind of the object, where the provider knows more than one.
                type: str
          route:
            description: Name of the route.
            type: str
            required: true
          stable:
            description: The destination of stable.
            type: str
          canary:
            description: The destination of the canary.
            type: str
"""
