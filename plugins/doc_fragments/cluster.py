# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """How a module of this collection reaches a cluster."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig of the region's cluster.
      - Without it the module takes the service account of the pod that it runs in.
    type: path
  context:
    description: Name of a context in O(kubeconfig); the current one when not given.
    type: str
  api_timeout:
    description: Seconds of silence of the API server after which a call is given up.
    type: float
    default: 10.0
requirements:
  - kubernetes (the Python client)
"""
