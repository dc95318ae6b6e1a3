# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.rollout.plugins.plugin_utils._live import LiveAction


class ActionModule(LiveAction):
    """Lets the module of the same name die with its controller."""
