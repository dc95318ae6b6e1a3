# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Under which right a module of this collection acts."""

    DOCUMENTATION = r"""
options:
  lease:
    description:
      - The right under which this run acts, as M(tars.rollout.rollout_lease) returns it. The module stops, and changes
        nothing, once somebody else holds the lease, it ran out, or the record carries a newer fence.
      - A cut, and a step that takes the fence, never ask; a rollback waits for no lease.
    type: dict
    suboptions:
      namespace:
        description: Namespace of lease and record.
        type: str
        required: true
      app:
        description: Name of the application.
        type: str
        required: true
      holder:
        description: Who this run is.
        type: str
        required: true
      fence:
        description: The fence that this run holds.
        type: int
        required: true
"""
