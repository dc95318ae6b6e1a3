# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What the modules that send one message have in common."""

    DOCUMENTATION = r"""
options:
  sent_file:
    description:
      - Path of the file in which ids of sent messages are kept, on the machine where the module runs.
      - With it a message that was sent is brought up to date, or left alone, instead of being sent again.
    type: path
  timeout:
    description: Seconds for the whole task, repeats included.
    type: float
    default: 30.0
  ca:
    description: Path of a bundle of certificates to trust instead of the common one.
    type: path
  validate_certs:
    description: Whether to check the certificate of the server.
    type: bool
    default: true
attributes:
  check_mode:
    description: Says what would be sent, and sends nothing.
    support: full
  diff_mode:
    description: Shows what was told before and what is told now.
    support: full
author:
  - T.A.R.S. rollout contributors (@tars-rollout)
"""
