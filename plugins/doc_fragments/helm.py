# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What every module of a Helm release takes; its argument_spec is ``_helm.HELM_OPTIONS``."""

    DOCUMENTATION = r"""
options:
  name:
    description: Name of the Helm release.
    type: str
    required: true
  namespace:
    description: Namespace of the Helm release.
    type: str
    required: true
  wait:
    description: Whether to wait until everything that the revision asks for is ready.
    type: bool
    default: true
  wait_timeout:
    description: Seconds that helm may take, or a duration with its unit, such as V(10m).
    type: raw
    default: 600
  kubeconfig:
    description: Path of the kubeconfig; helm's own default when not given.
    type: path
  binary_path:
    description: The program helm.
    type: str
    default: helm
requirements:
  - helm 3.8 or newer
"""
